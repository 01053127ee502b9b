"""The register through the API: one number, lists, files in and out."""

from typing import Any

import pytest
from sqlalchemy import Connection

from smspipe.model.phone import E164
from smspipe.optouts import Inbound, New, Source, add_many, apply_keyword, erase, opted_out, read_keyword
from tests.web.conftest import NOW, Api

PATH = "/api/projects/1/opt_outs/"
ADA, GRACE, DAN = "+12025550143", "+12025550172", "+447700900123"
SERVICE = "MG" + "ab" * 16
AT = "2026-01-02T03:04:05.000Z"


async def add(running: Api, number: str = ADA, **more: str) -> Any:
    status, added = await running.call("POST", PATH, {"number": number, **more})
    assert status == 201, added
    return added


async def send(running: Api, text: str | bytes, query: str = "", kind: str = "text/csv") -> tuple[int, Any]:
    headers = {"Authorization": "Bearer phx_the-key-of-the-tests", "Content-Type": kind}
    data = text if isinstance(text, bytes) else text.encode()
    async with running.session.post(f"{running.address}{PATH}import/{query}", data=data, headers=headers) as answer:
        return answer.status, await answer.json()


async def export(running: Api) -> str:
    headers = {"Authorization": "Bearer phx_the-key-of-the-tests"}
    async with running.session.get(f"{running.address}{PATH}export.csv", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/csv")
        assert "opt_outs.csv" in answer.headers["Content-Disposition"]
        return await answer.text()


async def numbers(running: Api, query: str = "") -> list[str]:
    return [each["number"] for each in (await running.get(f"/opt_outs/{query}"))["results"]]


async def blocked(running: Api, number: str, sender: str) -> bool:
    pairs = [(number, sender)]
    return bool(await running.write(lambda connection: opted_out(connection, running.services.hasher, pairs)))


async def test_an_opt_out_is_written_down_and_read(running: Api) -> None:
    added = await add(running, "+1 (202) 555-0143", sender=SERVICE, who="Bob", why="She called.")
    assert added == {
        "id": 1, "number": ADA, "number_hash": running.services.hasher(ADA), "sender": SERVICE, "service": None,
        "since": AT, "source": "person", "who": "Bob", "why": "She called.", "keyword": None,
    }  # fmt: skip
    state = await running.get(f"/opt_outs/{ADA}/")
    assert state["opt_outs"] == [added]
    assert state["number"] == ADA
    assert state["history"] == [
        {"action": "opt_out", "sender": SERVICE, "at": AT, "source": "person", "who": "Bob", "why": "She called.",
         "keyword": None, "message_sid": None}
    ]  # fmt: skip
    assert await blocked(running, ADA, SERVICE)
    assert not await blocked(running, ADA, "+15005550006")


async def test_without_a_sender_it_counts_for_all(running: Api) -> None:
    added = await add(running)
    assert (added["sender"], added["who"], added["why"]) == ("*", "API key", None)
    assert await blocked(running, ADA, "+15005550006")


async def test_what_is_there_is_answered_as_it_was(running: Api) -> None:
    added = await add(running, who="Bob")
    assert await running.call("POST", PATH, {"number": ADA, "who": "Eve"}) == (200, added)


async def test_an_opt_out_is_ended_with_who_and_why(running: Api) -> None:
    added = await add(running)
    await add(running, sender="12345")
    body = {"number": ADA, "sender": "*", "who": "Bob", "why": "She wrote a letter."}
    assert await running.call("POST", PATH + "remove/", body) == (200, {"removed": [added]})
    state = await running.get(f"/opt_outs/{ADA}/")
    assert [each["sender"] for each in state["opt_outs"]] == ["12345"]
    last = state["history"][-1]
    assert (last["action"], last["who"], last["why"]) == ("opt_in", "Bob", "She wrote a letter.")
    assert await running.call("POST", PATH + "remove/", body) == (200, {"removed": []})


async def test_without_a_sender_all_are_ended(running: Api) -> None:
    for sender in ("*", "12345", SERVICE):
        await add(running, sender=sender)
    _, answer = await running.call("POST", PATH + "remove/", {"number": ADA, "why": "A mistake."})
    assert len(answer["removed"]) == 3
    assert (await running.get(f"/opt_outs/{ADA}/"))["opt_outs"] == []


async def test_an_end_needs_a_reason(running: Api) -> None:
    await add(running)
    status, answer = await running.call("POST", PATH + "remove/", {"number": ADA})
    assert (status, answer["attr"], answer["code"]) == (400, "why", "required")
    assert await blocked(running, ADA, "12345")


@pytest.mark.parametrize(
    ("body", "attr", "said"),
    [
        ({}, "number", "This field is required."),
        ({"number": 12025550143}, "number", "Not a valid string."),
        ({"number": "2025550143"}, "number", "does not begin with +"),
        ({"number": "+1202555014"}, "number", "too few digits"),
        ({"number": ADA, "sender": "nobody at all"}, "sender", "not one that Twilio knows"),
        ({"number": ADA, "why": "x" * 1001}, "why", "1000 characters at most"),
        ({"number": ADA, "sendr": "*"}, "sendr", "There is no field 'sendr'."),
    ],
)
async def test_what_breaks_a_rule_is_refused_without_repeating_a_number(
    body: dict[str, Any], attr: str, said: str, running: Api
) -> None:
    status, answer = await running.call("POST", PATH, body)
    assert (status, answer["attr"]) == (400, attr)
    assert said in answer["detail"]
    assert "2025550" not in str(answer)
    assert await numbers(running) == []


async def test_a_number_that_nobody_knows_has_an_empty_state(running: Api) -> None:
    state = await running.get(f"/opt_outs/{ADA}/")
    assert (state["number"], state["opt_outs"], state["history"]) == (ADA, [], [])


async def test_an_erased_number_is_found_and_ended_by_its_hash(running: Api) -> None:
    added = await add(running, why="Her wish.")
    await running.write(lambda connection: erase(connection, added["number_hash"]))
    state = await running.get(f"/opt_outs/{added['number_hash']}/")
    (entry,) = state["opt_outs"]
    assert (state["number"], entry["number"], entry["why"]) == (None, None, None)
    assert (await running.get(f"/opt_outs/{ADA}/"))["opt_outs"] == [entry]
    body = {"number": added["number_hash"], "why": "Settled."}
    assert (await running.call("POST", PATH + "remove/", body))[1] == {"removed": [entry]}


async def test_a_keyword_is_shown_with_its_text(running: Api) -> None:
    keyword = read_keyword("Stop!")
    assert keyword is not None
    inbound = Inbound(
        number=E164(ADA), sender="+15005550006", service=SERVICE, message_sid="SM" + "1" * 32, keyword=keyword
    )
    await running.write(lambda connection: apply_keyword(connection, running.services.hasher, inbound, now=NOW))
    state = await running.get(f"/opt_outs/{ADA}/")
    assert {(each["sender"], each["service"], each["keyword"]) for each in state["opt_outs"]} == {
        ("+15005550006", SERVICE, "Stop!"),
        (SERVICE, SERVICE, "Stop!"),
    }
    assert {each["message_sid"] for each in state["history"]} == {inbound.message_sid}


async def test_the_list_is_paged_and_filtered(running: Api) -> None:
    for number, more in ((ADA, {"sender": "Acme"}), (GRACE, {"why": "Letter"}), (DAN, {"who": "Bob"})):
        await add(running, number, **more)
    first = await running.get("/opt_outs/?limit=2")
    assert [each["number"] for each in first["results"]] == [DAN, GRACE]
    assert first["previous"] is None
    status, second = await running.call("GET", first["next"])
    assert (status, [each["number"] for each in second["results"]], second["next"]) == (200, [ADA], None)
    assert await running.call("GET", second["previous"]) == (200, {**first, "previous": None})
    assert await numbers(running, "?sender=ACME") == [ADA]
    assert await numbers(running, f"?number={ADA}") == [ADA]
    assert await numbers(running, "?number=%2B1 202 555 0172") == [GRACE]
    assert await numbers(running, "?search=letter") == [GRACE]
    assert await numbers(running, "?search=7700900") == [DAN]
    assert await numbers(running, "?search=bob") == [DAN]


@pytest.mark.parametrize("query", ["number=12", "sender=nobody at all", "cursor=b2hlbGxv", "cursor=x", "limit=none"])
async def test_a_filter_that_makes_no_sense_is_refused(query: str, running: Api) -> None:
    status, answer = await running.call("GET", f"{PATH}?{query}")
    assert (status, answer["attr"]) == (400, query.partition("=")[0])


async def test_the_key_is_asked_for(running: Api) -> None:
    for method, path in (
        ("GET", ""), ("POST", ""), ("GET", ADA), ("GET", "export.csv"), ("POST", "import"), ("POST", "remove"),
    ):  # fmt: skip
        status, _ = await running.call(method, PATH + path, key=None)
        assert status == 401


# ---- files -----------------------------------------------------------------------------------------------------------


async def test_a_list_of_numbers_is_imported_and_again_without_a_trace(running: Api) -> None:
    text = f"{ADA}\n+1 202-555-0172\n"
    expected = {"rows": 2, "added": 2, "known": 0, "written": True, "mistakes": [], "mistakes_total": 0}
    assert await send(running, text, "?who=Bob&why=Old list") == (200, expected)
    assert await send(running, text) == (200, {**expected, "added": 0, "known": 2})
    (first, *_) = (await running.get(f"/opt_outs/{ADA}/"))["opt_outs"]
    assert (first["sender"], first["source"], first["who"], first["why"]) == ("*", "import", "Bob", "Old list")
    assert len((await running.get(f"/opt_outs/{ADA}/"))["history"]) == 1


async def test_rows_with_a_mistake_are_named_and_the_others_written(running: Api) -> None:
    text = f"number,sender\n{ADA},\n2025550172,\n{GRACE},nobody at all\n{DAN},?\n"
    _, answer = await send(running, text, "?sender=+15005550006")
    assert (answer["rows"], answer["added"], answer["mistakes_total"]) == (4, 1, 3)
    assert [each["line"] for each in answer["mistakes"]] == [3, 4, 5]
    assert "2025550172" not in str(answer)
    assert await numbers(running) == [ADA]
    assert await blocked(running, ADA, "+15005550006")
    assert not await blocked(running, ADA, "12345")


async def test_all_or_nothing_writes_nothing_when_one_row_is_wrong(running: Api) -> None:
    _, answer = await send(running, f"{ADA}\nnobody\n", "?all_or_nothing=true")
    assert (answer["written"], answer["added"], answer["mistakes_total"]) == (False, 0, 1)
    assert await numbers(running) == []
    _, answer = await send(running, f"{ADA}\n", "?all_or_nothing=true")
    assert (answer["written"], answer["added"]) == (True, 1)


async def test_a_check_writes_nothing(running: Api) -> None:
    _, answer = await send(running, f"{ADA}\nnobody\n", "?check=true&skipped=10")
    assert (answer["rows"], answer["written"]) == (2, False)
    assert [each["line"] for each in answer["mistakes"]] == [12]
    assert await numbers(running) == []


async def test_of_many_mistakes_the_first_are_shown(running: Api) -> None:
    _, answer = await send(running, "1x\n" * 150)
    assert (len(answer["mistakes"]), answer["mistakes_total"]) == (100, 150)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("number=1", "application/x-www-form-urlencoded", "--data-binary"),
        ("[]", "application/json", "--data-binary"),
        ("number\né\n".encode("utf-16"), "text/csv", "CSV UTF-8"),
        ("number,status\n", "text/csv", "There is no column 'status'."),
    ],
)
async def test_what_is_no_such_file_is_refused_with_what_would_be(
    text: str | bytes, kind: str, said: str, running: Api
) -> None:
    status, answer = await send(running, text, kind=kind)
    assert status == 400
    assert said in answer["detail"] + answer["smspipe"]["hint"]


async def test_an_export_can_be_imported_again(running: Api) -> None:
    def job(connection: Connection) -> int:
        news = [New(number=E164(f"+1202{n:07d}"), source=Source.IMPORT, who="Bob", why="=1") for n in range(2_500)]
        return add_many(connection, running.services.hasher, news, now=NOW)

    assert await running.write(job) == 2_500
    text = await export(running)
    assert len(text.splitlines()) == 2_501
    _, answer = await send(running, text)
    assert (answer["rows"], answer["known"], answer["mistakes_total"]) == (2_500, 2_500, 0)
    await running.write(lambda connection: connection.exec_driver_sql("delete from opt_outs"))
    assert (await send(running, text))[1]["added"] == 2_500
    assert await export(running) == text


async def test_an_empty_register_is_exported_with_its_columns_alone(running: Api) -> None:
    assert await export(running) == "number,sender,since,source,who,why,keyword,service,number_hash\n"
