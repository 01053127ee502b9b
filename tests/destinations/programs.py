"""Hog programs that do what those of PostHog's two Twilio templates do, in words of our own."""

FIRST = """\
let recipient := encodeURLComponent(inputs.phoneNumber)
let sender := encodeURLComponent(inputs.fromPhoneNumber)
let text := encodeURLComponent(f'{inputs.smsBody} - Event: {event.event} at {toDate(event.timestamp)}')
let credentials := base64Encode(f'{inputs.accountSid}:{inputs.authToken}')
let answer := fetch(f'https://api.twilio.com/2010-04-01/Accounts/{inputs.accountSid}/Messages.json', {
    'method': 'POST',
    'headers': {'Authorization': f'Basic {credentials}', 'Content-Type': 'application/x-www-form-urlencoded'},
    'body': f'To={recipient}&From={sender}&Body={text}'
})
if (answer.status >= 200 and answer.status < 300) {
    print('It was sent')
} else {
    throw Error('It was not sent', answer)
}
"""
SECOND = """\
let recipient := inputs.to_number
if (not recipient) {
    throw Error('There is no recipient')
}
if (not inputs.message) { throw Error('There is no text') }
let account := inputs.twilio_account
let url := f'https://api.twilio.com/2010-04-01/Accounts/{account.account_sid}/Messages.json'
let credentials := base64Encode(f'{account.account_sid}:{account.auth_token}')
let request := {
    'method': 'POST',
    'body': concat('To=', encodeURLComponent(recipient), f'&From={encodeURLComponent(inputs.from_number)}',
        '&Body=', encodeURLComponent(inputs.message)),
    'headers': {'Authorization': f'Basic {credentials}', 'Content-Type': 'application/x-www-form-urlencoded'}
}
if (inputs.debug) {
    print('Sending', url, request)
}
// The account comes from the integration.
let answer := fetch(url, request)
if (answer.status < 200 or answer.status >= 300) {
    throw Error(f'Twilio answered {answer.status}: {answer.body}')
}
if (inputs.debug) { print('Sent', answer) }
"""
