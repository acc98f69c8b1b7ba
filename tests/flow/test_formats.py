"""Lists in their forms behind lighttpd: CSV and NDJSON with headers and caps, and what shapes JSON."""

import csv
import io
import json
import re

import pytest

from conftest import DOCUMENTED, PATTERNS, simulate, until, walk

pytestmark = pytest.mark.web
MAIN = "/v1/patterns"


@pytest.fixture(scope="module")
def filled(shared_service, shared_redis):
    """Some 1,500 simulated messages and one of a symbol with a slash, all accounted for; nobody adds to them."""
    service = shared_service
    simulate(shared_redis.url, "--count", 1500, "--rate", 0, "--seed", 7, "--symbols", 5)
    shared_redis.publish(PATTERNS, DOCUMENTED.replace("AAPL", "BTC/USD.csv"))
    until(lambda: service.received() >= 1501, "all are in")
    return service


def lines(answer):
    return [json.loads(line) for line in answer.text.splitlines()]


def table(answer):
    assert answer.content.endswith(b"\r\n")
    return list(csv.DictReader(io.StringIO(answer.content.decode(), newline=""), strict=True))


def test_all_forms_have_the_same_events_and_cursor(filled):
    want = filled.json(f"{MAIN}?limit=50")
    answers = {
        "ndjson": [filled.get(f"{MAIN}.ndjson?limit=50"), filled.get(f"{MAIN}?limit=50&format=ndjson"),
                   filled.get(f"{MAIN}?limit=50", headers={"Accept": "application/x-ndjson"})],
        "csv": [filled.get(f"{MAIN}.csv?limit=50"), filled.get(f"{MAIN}?limit=50&format=csv"),
                filled.get(f"{MAIN}?limit=50", headers={"Accept": "text/csv;q=0.9, application/json;q=0.2"})],
        "json": [filled.get(f"{MAIN}.json?limit=50"), filled.get(f"{MAIN}?limit=50&format=json", headers={"Accept": "text/csv"}),
                 filled.get(f"{MAIN}?limit=50", headers={"Accept": "*/*"})],
    }
    types = {"ndjson": "application/x-ndjson", "csv": "text/csv; charset=utf-8; header=present", "json": "application/json"}
    for form, got in answers.items():
        for answer in got:
            assert answer.status_code == 200
            assert answer.headers["Content-Type"] == types[form]
            assert answer.headers["Tickgate-Cursor"] == want["cursor"]
            assert answer.headers.get("Tickgate-Has-More") == (None if form == "json" else "true")
            assert "next" in answer.links
        assert "Accept" in re.split(", *", got[2].headers["Vary"])
    for answer in answers["ndjson"]:
        assert lines(answer) == want["data"]
    for answer in answers["json"]:
        assert answer.json()["data"] == want["data"]
    for answer in answers["csv"]:
        assert answer.content == answers["csv"][0].content
        rows = table(answer)
        assert [r["id"] for r in rows] == [e["id"] for e in want["data"]]
        for row, event in zip(rows, want["data"]):
            assert float(row["confidence"]) == event["confidence"] and row["pattern_name"] == event["pattern_name"]
            for name, value in event.items():
                if isinstance(value, dict):
                    assert json.loads(row[name] or row["more"])


def test_paging_csv_by_link_gives_everything_once(filled):
    want = [e["id"] for e in walk(filled, "/v1/events?limit=1000", "next")]
    got, path = [], "/v1/events.csv?limit=199"
    while path:
        answer = filled.get(path)
        got += [r["id"] for r in table(answer)]
        assert answer.headers["Tickgate-Has-More"] == ("true" if "next" in answer.links else "false")
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert got == want


def test_limits_by_form(filled):
    everything = walk(filled, "/v1/events?limit=1000", "next")
    assert len(everything) > 1000, "more than JSON may have at once"
    answer = filled.get("/v1/events.ndjson?limit=10000")
    assert lines(answer) == everything and answer.headers["Tickgate-Has-More"] == "false"
    assert len(table(filled.get("/v1/events.csv?limit=10000"))) == len(everything)
    for path in ("/v1/events?limit=1001", "/v1/events.csv?limit=10001", "/v1/symbols?limit=1001", "/v1/events?limit=10001&format=ndjson"):
        answer = filled.get(path)
        assert (answer.status_code, answer.json()["code"]) == (400, "limit_out_of_range"), path


def test_suffixes_are_never_part_of_a_symbol_nor_symbols_of_a_suffix(filled):
    rows = table(filled.get("/v1/symbols/BTC/USD.csv/patterns.csv"))
    assert [(r["symbol"], r["metadata"]) for r in rows] == [("BTC/USD.CSV", '{"open":150.0,"high":151.0,"low":149.5,"close":150.2}')]
    assert filled.data("/v1/symbols/btc/usd.csv")["symbol"] == "BTC/USD.CSV"
    assert len(filled.data("/v1/symbols/BTC/USD.csv/patterns")) == 1
    assert table(filled.get("/v1/symbols/BTC/USD/patterns.csv")) == []
    for path in ("/v1/channels.csv", "/v1/patterns.xml", "/v1.json", "/v1/patterns.csv.csv"):
        assert filled.get(path).status_code == 404, path


@pytest.mark.parametrize("path, accept, status, code", [
    (MAIN, "text/html", 406, "not_acceptable"),
    (MAIN, "application/json;q=0", 406, "not_acceptable"),
    (f"{MAIN}?limit=x", "text/html", 400, "invalid_parameter"),
    (f"{MAIN}?format=xml", "*/*", 400, "invalid_parameter"),
    (f"{MAIN}.csv?format=json", "*/*", 400, "conflicting_parameters"),
    (f"{MAIN}.csv?group=symbol", "*/*", 400, "conflicting_parameters"),
    (f"{MAIN}.csv?limit=0", "text/csv", 400, "limit_out_of_range"),
    (f"{MAIN}.csv?before=zzzzzzzz-1", "text/csv", 410, "cursor_expired"),
    (f"{MAIN}.csv?after=zzzzzzzz-1&on_gap=fail", "text/csv", 410, "cursor_expired"),
    (f"{MAIN}?time_field=detected", "*/*", 400, "invalid_parameter"),
    (f"{MAIN}?fields=", "*/*", 400, "invalid_parameter"),
    ("/v1/health?format=csv", "*/*", 400, "unknown_parameter"),
])
def test_errors_are_never_200_and_never_csv(shared_service, path, accept, status, code):
    answer = shared_service.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_a_reset_is_told(filled):
    assert filled.json(f"{MAIN}?after=zzzzzzzz-1&on_gap=reset&limit=1")["reset"]["reason"] == "epoch_changed"
    answer = filled.get(f"{MAIN}.ndjson?after=zzzzzzzz-1&limit=1")
    assert answer.headers["Tickgate-Reset"] == "epoch_changed" and len(lines(answer)) == 1
    cursor = filled.json(f"{MAIN}?limit=1")["cursor"]
    assert filled.json(f"{MAIN}?after={cursor}&on_gap=fail")["data"] == []


def test_fields_keep_what_is_named(filled):
    want = [{k: e[k] for k in ("symbol", "pattern_name", "confidence")} for e in filled.data(f"{MAIN}?limit=20")]
    path = f"{MAIN}?limit=20&fields=confidence,nothing,symbol,pattern_name"
    answer = filled.json(path)
    assert answer["data"] == want and list(answer["data"][0]) == ["symbol", "pattern_name", "confidence"]
    assert filled.data(answer["next"]) != want and list(filled.data(answer["next"])[0]) == ["symbol", "pattern_name", "confidence"]
    assert lines(filled.get(path + "&format=ndjson")) == want
    answer = filled.get(path + "&format=csv")
    assert answer.text.split("\r\n")[0] == "confidence,nothing,symbol,pattern_name"
    assert [r["symbol"] for r in table(answer)] == [e["symbol"] for e in want]


def test_group_by_symbol(filled):
    flat = filled.json("/v1/events?limit=300")
    answer = filled.json("/v1/events?limit=300&group=symbol")
    want = {}
    for event in flat["data"]:
        want.setdefault(event["symbol"] or "", []).append(event)
    assert answer["data"] == want and answer["count"] == 300
    assert list(answer["data"]) == sorted(want)
    assert filled.json("/v1/patterns?symbol=NEVERSEEN&group=symbol")["data"] == {}


def test_pretty_is_the_same_json_in_lines(filled):
    for path in (f"{MAIN}?limit=3", "/v1/symbols?limit=2", "/v1"):
        answer = filled.get(path + ("&" if "?" in path else "?") + "pretty=1")
        assert answer.text == json.dumps(answer.json(), indent=2, ensure_ascii=False) + "\n" or "\n  \"" in answer.text
        for volatile in ("as_of", "next", "follow"):
            assert (volatile in answer.json()) == (volatile in filled.json(path))
        key = "routes" if path == "/v1" else "data"
        assert answer.json()[key] == filled.json(path)[key]
    assert filled.get(f"{MAIN}?limit=0&pretty=1").text.count("\n") > 5


def test_times_of_receipt_or_of_the_event(service, redis_server):
    redis_server.publish(PATTERNS, DOCUMENTED)  # detected in 2009
    until(lambda: service.data(MAIN), "the event is there")
    assert len(service.data(f"{MAIN}?since=1h")) == 1
    assert service.data(f"{MAIN}?since=1h&time_field=event") == []
    window = "since=2009-02-13&until=2009-02-14"
    assert service.data(f"{MAIN}?{window}") == service.data(f"{MAIN}?{window}&time_field=received") == []
    assert len(service.data(f"{MAIN}?{window}&time_field=event")) == 1
    assert len(service.data(f"{MAIN}?{window}&time_field=event&after=oldest")) == 1
