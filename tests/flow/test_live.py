"""Streams through lighttpd: what a client sees from its first byte to its last."""

import json
import os
import signal

import pytest

from conftest import PATTERNS, until
from live_client import Stream

PATTERN = '{"pattern_name":"%s","symbol":"%s","timeframe":"1min","confidence":%s,"detected_at":1234567890.123}'


def pattern(symbol="AAPL", name="doji", confidence=85.5):
    return PATTERN % (name, symbol, confidence)


@pytest.fixture
def stream(service):
    """Opens streams that are closed with the test."""
    opened = []

    def start(query="", **more):
        s = Stream(service.port, "/v1/stream" + query, **more)
        opened.append(s)
        return s

    yield start
    for s in opened:
        s.close()


def ids(events):
    return [e.id for e in events]


def test_hello_then_events_in_order(service, redis_server, stream):
    s = stream("?symbols=aapl,BRK.B&kinds=pattern")
    assert s.status == 200
    assert s.headers["content-type"] == "text/event-stream"
    assert s.headers["cache-control"] == "no-cache, no-transform"
    assert s.headers["x-accel-buffering"] == "no"
    assert "content-length" not in s.headers
    hello = s.next()
    assert hello.event == "hello" and 2000 <= hello.retry <= 5000
    assert hello.id == hello.json["cursor"]
    assert hello.json["newest"] is None and hello.json["oldest"] is None
    assert hello.json["heartbeat_ms"] == 15000 and hello.json["stale"] is False
    for symbol in ("AAPL", "MSFT", "BRK.B"):
        redis_server.publish(PATTERNS, pattern(symbol))
    first, second = s.next(), s.next()
    assert [first.json["symbol"], second.json["symbol"]] == ["AAPL", "BRK.B"]
    assert first.event == "pattern" and first.id == first.json["id"]
    # The stream's text is the list's text.
    assert [first.json, second.json] == [e for e in service.data("/v1/patterns?after=oldest") if e["symbol"] != "MSFT"]


def test_resume_by_id_misses_and_repeats_nothing(service, redis_server, stream):
    for i in range(20):
        redis_server.publish(PATTERNS, pattern(confidence=50 + i))
    everything = [e["id"] for e in until(lambda: len(service.data("/v1/patterns")) == 20 and
                                         service.data("/v1/patterns?after=oldest"), "20 patterns are stored")]
    for cut in (0, 7, 19):
        s = stream(headers={"Last-Event-ID": everything[cut]})
        assert s.next().event == "hello"
        assert ids(s.take(19 - cut)) == everything[cut + 1:]
        s.close()
    for query in (f"?last_event_id={everything[4]}", f"?lastEventId={everything[4]}", f"?after={everything[4]}", "?replay=15"):
        s = stream(query)
        assert s.next().event == "hello"
        assert ids(s.take(15)) == everything[5:], query
        s.close()
    s = stream("?after=oldest")
    assert s.next().event == "hello"
    assert ids(s.take(20)) == everything


def test_ids_that_cannot_be_gone_on_from(service, redis_server, stream):
    redis_server.publish(PATTERNS, pattern())
    newest = until(lambda: service.data("/v1/patterns"), "a pattern is stored")[0]["id"]
    epoch = newest.rsplit("-", 1)[0]
    for last, reason in ((f"{epoch}-99", "unknown_cursor"), ("zzzzzzzz-1", "epoch_changed"), ("?!", "unknown_cursor"),
                         (epoch, "unknown_cursor"), (f"{epoch}-99999999999999999999999", "unknown_cursor")):
        s = stream(headers={"Last-Event-ID": last})
        reset = s.next()
        assert reset.event == "reset" and reset.json["reason"] == reason and reset.json["lost"] is None, last
        assert reset.id == newest
        s.close()
    assert stream("?after=x").status == 400


def test_filters(service, redis_server, stream):
    s = stream("?symbols=AAPL,BRK.B&timeframe=1min&min_confidence=80&pattern=doji")
    s.next()
    for symbol, name, confidence in (("AAPL", "doji", 79), ("AAPL", "hammer", 90), ("MSFT", "doji", 90), ("BRK.B", "Do_Ji", 80)):
        redis_server.publish(PATTERNS, pattern(symbol, name, confidence))
    assert s.next().json["symbol"] == "BRK.B"


def test_lines(service, redis_server, stream):
    for s in (stream("?format=ndjson"), stream(headers={"Accept": "application/x-ndjson"})):
        assert s.headers["content-type"] == "application/x-ndjson"
        hello = json.loads(s.line())
        assert hello["control"] == "hello"
        redis_server.publish(PATTERNS, pattern())
        event = json.loads(s.line())
        assert event["kind"] == "pattern"
        s.close()
        redis_server.publish(PATTERNS, pattern())
        s = stream(f"?format=ndjson&after={event['id']}")
        assert json.loads(s.line())["cursor"] == event["id"]
        assert json.loads(s.line())["kind"] == "pattern"


@pytest.mark.parametrize("query, code", [
    ("?format=csv", "invalid_parameter"), ("?batch=49", "invalid_parameter"), ("?heartbeat=4", "invalid_parameter"),
    ("?replay=0", "invalid_parameter"), ("?conflate=1", "conflicting_parameters"), ("?replay=1&after=now", "conflicting_parameters"),
    ("?min_confidence=0.5", "invalid_parameter"), ("?symbols=%20", "invalid_symbol"), ("?limit=5", "unknown_parameter"),
])
def test_wrong_queries(shared_service, query, code):
    answer = shared_service.get("/v1/stream" + query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_dry_and_head(service):
    dry = service.json("/v1/stream?dry=1&symbols=AAPL&heartbeat=20")["data"]
    assert dry["format"] == "sse" and dry["heartbeat_ms"] == 20000 and dry["behind"] == 0 and dry["reset"] is None
    head = service.session.head(service.url + "/v1/stream", timeout=10)
    assert head.status_code == 200 and head.headers["content-type"] == "text/event-stream"


def test_a_worker_that_stops_says_bye_and_nothing_is_missed(service, redis_server, stream):
    s = stream("?kinds=pattern")
    s.next()
    redis_server.publish(PATTERNS, pattern(confidence=61))
    assert s.next().json["confidence"] == 61
    for worker in service.workers():
        os.kill(worker, signal.SIGTERM)
    redis_server.publish(PATTERNS, pattern(confidence=62))
    seen = []
    while True:
        event = s.next()
        seen.append(event)
        if event.event == "bye":
            break
    assert event.json["reason"] == "shutting_down" and event.json["cursor"] == event.id
    assert s.next() is None, "a clean end"
    t = stream(headers={"Last-Event-ID": event.id})
    assert t.next().event == "hello"
    redis_server.publish(PATTERNS, pattern(confidence=63))
    confidences = [e.json["confidence"] for e in seen[:-1]]
    while confidences[-1:] != [63]:
        confidences.append(t.next().json["confidence"])
    assert confidences == [62, 63]
