"""
The only place that knows the order; read it and you have read the service.

    accept     request → events → event log; the 200 is given after the commit
    fanout     event → person, destinations → decide → deliveries, in one transaction for a group of events
    decide     match, render, guard: pure, and the only evaluator: test, explain and the real run call the same function
    dispatch   due delivery → one Twilio request → accepted, failed, retried, held or unconfirmed
    prepare    a destination's document, compiled once
"""
