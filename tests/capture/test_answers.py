"""What SDKs get to hear."""

import json
from typing import Any

import pytest

from smspipe.capture import cors, extras, preflight, success
from tests.capture.asking import accept, signup


def answered(path: str, method: str = "POST") -> dict[str, Any]:
    """The JSON object that is answered to `path`, which must be answered with 200."""
    answer = extras(method, path)
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, "application/json")
    value: dict[str, Any] = json.loads(answer.body)
    return value


def test_a_taken_request_is_answered_with_exactly_200() -> None:
    answer = success(accept(signup()))
    assert (answer.status, answer.body, answer.content_type) == (200, b'{"status":"Ok"}', "application/json")


@pytest.mark.parametrize(("query", "status"), [(b"beacon=1", 204), (b"beacon=0", 200), (b"ver=1&beacon=1", 204)])
def test_a_beacon_is_answered_with_nothing(query: bytes, status: int) -> None:
    answer = success(accept(signup(), query=query))
    assert answer.status == status
    assert bool(answer.body) is (status == 200)


@pytest.mark.parametrize("path", ["/flags", "/flags/", "/decide", "/decide/"])
def test_there_are_no_feature_flags(path: str) -> None:
    flags = answered(path)
    assert flags["flags"] == flags["featureFlags"] == flags["featureFlagPayloads"] == {}
    assert flags["errorsWhileComputingFlags"] is False
    assert "quotaLimited" not in flags


@pytest.mark.parametrize("path", ["/array/phc_test/config", "/array/phc_test/config/", "/decide/"])
def test_browsers_are_told_to_keep_to_gzip_and_to_ask_for_nothing_more(path: str) -> None:
    config = answered(path, "GET")
    assert "gzip-js" in config["supportedCompression"]
    assert config["sessionRecording"] is config["hasFeatureFlags"] is False
    assert "surveys" not in config


def test_the_configuration_comes_as_a_script_too() -> None:
    answer = extras("GET", "/array/phc_test/config.js")
    assert answer is not None
    assert (answer.status, answer.content_type) == (200, "application/javascript; charset=utf-8")
    script = answer.body.decode()
    assert '["phc_test"] = {config: {' in script
    assert script.rstrip().endswith("siteApps: []};")


@pytest.mark.parametrize(
    "path",
    ["/array/x'];alert(1)//config.js", "/array//config.js", "/array/<b>/config.js", "/array/" + "x" * 65 + "/config"],
)
def test_no_script_is_made_of_what_is_no_token(path: str) -> None:
    assert extras("GET", path) is None


@pytest.mark.parametrize("path", ["/api/surveys/", "/api/web_experiments/", "/api/product_tours/"])
def test_optional_questions_get_an_empty_answer(path: str) -> None:
    assert list(answered(path, "GET").values()) == [[]]


@pytest.mark.parametrize("path", ["/s/", "/i/v1/logs", "/i/v1/metrics", "/i/v1/traces", "/i/v0/ai", "/static/array.js"])
def test_what_would_be_thrown_away_is_not_taken(path: str) -> None:
    answer = extras("POST", path)
    assert answer is not None
    assert answer.status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/"), ("GET", "/api/projects/1/"), ("PUT", "/flags/"), ("POST", "/e/"), ("GET", "/static/app.css")],
)
def test_other_questions_are_for_others(method: str, path: str) -> None:
    assert extras(method, path) is None


def test_a_page_elsewhere_may_read_the_answer() -> None:
    headers = dict(cors("https://shop.example", "content-type,x-y"))
    assert headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert headers["Access-Control-Allow-Headers"] == "content-type,x-y"
    assert headers["Access-Control-Allow-Credentials"] == "true"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert headers["Vary"] == "Origin"
    assert preflight().status == 204


def test_without_an_origin_there_are_no_cors_headers() -> None:
    assert cors(None) == ()
    assert "Access-Control-Allow-Headers" not in dict(cors("https://shop.example"))
