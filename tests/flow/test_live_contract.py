"""Sentences of the contract about streams and waits that the other tests of the live side do not hold it to."""

import json
import time

import pytest

from conftest import PATTERNS, until
from live_client import Stream, Waiting
from test_live import pattern

CHANNELS = {
    "pattern": (PATTERNS, json.loads(pattern())),
    "indicator": ("tickstock:indicators:streaming", {"indicator": "RSI", "symbol": "AAPL", "timeframe": "1min", "value": 68.5,
                                                     "calculated_at": 1234567890.123}),
    "alert": ("tickstock:alerts:indicators", {"alert_type": "RSI_OVERBOUGHT", "symbol": "AAPL", "timestamp": 1234567890.123, "data": {}}),
    "health": ("tickstock:streaming:health", {"status": "healthy", "timestamp": 1234567890.123}),
    "session": ("tickstock:streaming:session_started", {"session_id": "72f9", "timestamp": 1234567890.123}),
    "error": ("tickstock:errors", {"severity": "error", "component": "PatternDetector", "message": "m", "timestamp": 1234567890.123}),
}


@pytest.fixture
def opened(service):
    """Streams that are closed with the test."""
    streams = []

    def start(path, **more):
        streams.append(Stream(service.port, path, **more))
        return streams[-1]

    yield start
    for s in streams:
        s.close()


def publish_all(redis_server, kinds=CHANNELS):
    for kind in kinds:
        channel, message = CHANNELS[kind]
        redis_server.publish(channel, json.dumps(message))


def test_every_kind_has_its_event_name(service, redis_server, opened):
    """`error` belongs to EventSource, so errors are system_error."""
    s = opened("/v1/stream?kinds=" + ",".join(CHANNELS))
    assert s.next().event == "hello"
    publish_all(redis_server)
    events = s.take(len(CHANNELS))
    assert sorted(e.event for e in events) == sorted({**CHANNELS, "system_error": 0}.keys() - {"error"})
    assert all(e.event.removeprefix("system_") == e.json["kind"] and e.id == e.json["id"] for e in events)


def test_what_a_stream_has_by_default_is_what_lists_have(service, redis_server, opened):
    s = opened("/v1/stream")
    s.next()
    publish_all(redis_server)
    until(lambda: service.data("/v1/errors") and service.data("/v1/health/reports") and len(service.data("/v1/events")) == 3, "all are stored")
    redis_server.publish(PATTERNS, pattern("LAST"))
    got = []
    while not got or got[-1].json["symbol"] != "LAST":
        got.append(s.next())
    assert sorted(e.event for e in got) == ["alert", "indicator", "pattern", "pattern"]


def test_a_symbol_has_a_stream_even_with_a_slash(service, redis_server, opened):
    s = opened("/v1/symbols/btc/usd/stream")
    s.next()
    for symbol in ("BTC", "BTC/USD"):
        redis_server.publish(PATTERNS, pattern(symbol))
    assert s.next().json["symbol"] == "BTC/USD"
    assert service.get("/v1/symbols/AAPL/stream?symbols=MSFT").status_code == 400


def test_the_first_that_is_given_says_where_it_begins(service, redis_server, opened):
    """Header, then last_event_id, then lastEventId, then after."""
    for i in range(5):
        redis_server.publish(PATTERNS, pattern(confidence=50 + i))
    ids = until(lambda: len(e := service.data("/v1/patterns?after=oldest")) == 5 and [x["id"] for x in e], "five are stored")
    everything = f"last_event_id={ids[1]}&lastEventId={ids[2]}&after={ids[3]}"
    for headers, query, begin in (({"Last-Event-ID": ids[0]}, everything, 0), ({}, everything, 1), ({}, everything.split("&", 1)[1], 2),
                                  ({}, f"after={ids[3]}", 3)):
        hello = opened("/v1/stream?" + query, headers=headers).next()
        assert (hello.event, hello.id) == ("hello", ids[begin])
    # A 400 would end an EventSource; for `after` it is right.
    for query in ("last_event_id=!", "lastEventId=!"):
        reset = opened("/v1/stream?" + query).next()
        assert (reset.event, reset.json["reason"]) == ("reset", "unknown_cursor")
    assert service.get("/v1/stream?after=!").json()["code"] == "invalid_cursor"


def test_whoever_is_cut_after_hello_resumes_from_there(service, redis_server, opened):
    redis_server.publish(PATTERNS, pattern(confidence=50))
    until(lambda: service.data("/v1/patterns"), "one is stored")
    hello = opened("/v1/stream").next()
    redis_server.publish(PATTERNS, pattern(confidence=51))
    s = opened("/v1/stream", headers={"Last-Event-ID": hello.id})
    assert s.next().id == hello.id
    assert s.next().json["confidence"] == 51


def test_head_tells_what_get_would_and_parks_nobody(service):
    for path in ("/v1/stream", "/v1/poll?wait=55", "/v1/patterns?after=now&wait=55"):
        before = time.monotonic()
        answer = service.session.head(service.url + path, timeout=30)
        assert answer.status_code == 200 and time.monotonic() - before < 20, path
    assert service.session.head(service.url + "/v1/stream", timeout=30).headers["content-type"] == "text/event-stream"
    streams = service.json("/v1/health")["streams"]
    assert (streams["clients"], streams["waiters"]) == (0, 0)


def test_waits_end_a_little_early_and_not_all_together(service):
    """By up to a twentieth: those who came together do not come back together."""
    began = time.monotonic()
    waiting = [Waiting(service.port, f"/v1/poll?symbols=S{i}&wait=4") for i in range(12)]
    ends = []
    for w in waiting:
        answer = w.json()
        assert answer["data"] == [] and answer["reset"] is None and "degraded" not in answer
    for w in waiting:
        ends.append(float(w.json()["as_of"]))
        w.close()
    assert max(ends) - min(ends) > 0.01, "all at the same moment"
    assert time.monotonic() - began > 3.7, "long before their time"


@pytest.mark.parametrize("path, status", [
    ("/v1/patterns?wait=5", 400), ("/v1/patterns?after=now&wait=56", 400), ("/v1/patterns?after=now&wait=-1", 400), ("/v1/patterns?after=now&wait=0", 200),
    ("/v1/poll?linger=2001&after=now", 400), ("/v1/poll?wait=0", 200), ("/v1/stream?wait=5", 400), ("/v1/stream?batch=5001", 400),
    ("/v1/stream?heartbeat=56", 400), ("/v1/stream?replay=1001", 400), ("/v1/stream?limit=5", 400),
])
def test_bounds(shared_service, path, status):
    assert shared_service.get(path).status_code == status
