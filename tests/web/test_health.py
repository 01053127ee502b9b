"""Who watches the service needs no key; the API describes itself."""

from dataclasses import replace

from tests.web.conftest import Api, put_behind


async def test_the_service_says_that_it_lives_and_whether_it_is_ready(running: Api) -> None:
    for path in ("/healthz", "/readyz"):
        async with running.session.get(running.address + path) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")
    put_behind(replace(running.services, ready=lambda: "The database cannot be asked."))
    async with running.session.get(running.address + "/readyz") as answer:
        assert (answer.status, await answer.text()) == (503, "The database cannot be asked.")
    async with running.session.get(running.address + "/healthz") as answer:
        assert answer.status == 200


async def test_metrics_are_in_prometheus_text_form(running: Api) -> None:
    async with running.session.get(running.address + "/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert "# TYPE smspipe_outcomes_total counter" in await answer.text()


async def test_the_front_page_says_what_this_is_and_loads_nothing_from_elsewhere(running: Api) -> None:
    async with running.session.get(running.address + "/") as answer:
        page = await answer.text()
        assert answer.content_type == "text/html"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "/api/schema/" in page
    assert "http://" not in page
    assert "https://" not in page


async def test_the_api_describes_every_route_of_the_contract(running: Api) -> None:
    status, schema = await running.call("GET", "/api/schema/", key=None)
    assert status == 200
    assert schema["openapi"].startswith("3.")
    base = "/api/projects/{project_id}"
    described = {(method, path.removeprefix(base)) for path, methods in schema["paths"].items() for method in methods}
    assert described >= {
        ("get", "/hog_functions"),
        ("post", "/hog_functions"),
        ("get", "/hog_functions/{function_id}"),
        ("patch", "/hog_functions/{function_id}"),
        ("put", "/hog_functions/{function_id}"),
        ("post", "/hog_functions/{function_id}/invocations"),
        ("get", "/hog_functions/{function_id}/logs"),
        ("get", "/hog_functions/{function_id}/metrics"),
        ("get", "/hog_functions/{function_id}/metrics/totals"),
        ("get", "/hog_functions/{function_id}/versions"),
        ("get", "/hog_function_templates"),
        ("get", "/hog_function_templates/{template_id}"),
        ("get", "/integrations"),
        ("post", "/integrations"),
        ("get", "/integrations/{integration_id}/twilio_phone_numbers"),
        ("get", "/deliveries"),
        ("get", "/deliveries/{delivery_id}"),
        ("get", "/events/{event_uuid}/explain"),
        ("get", "/api/public_hog_function_templates"),
    }
    for methods in schema["paths"].values():
        for described_route in methods.values():
            refused = described_route["responses"]["400"]["content"]["application/json"]["schema"]
            assert refused == {"$ref": "#/components/schemas/Problem"}
    shown = schema["components"]["schemas"]
    assert {"to", "from", "status", "reason"} <= set(shown["DeliveryInList"]["properties"])
