"""Long-poll through lighttpd: what releases a wait, and what it answers."""

import socket
import time

import pytest

from conftest import PATTERNS, seq, until
from live_client import Waiting
from test_live import pattern

GAP = "tickstock:errors"


@pytest.fixture
def poll(service):
    opened = []

    def start(path, **more):
        w = Waiting(service.port, path, **more)
        opened.append(w)
        return w

    yield start
    for w in opened:
        w.close()


def waiters(service):
    return service.json("/v1/health")["streams"]["waiters"]


def waits(service, n=1):
    until(lambda: waiters(service) == n, f"{n} wait")


def test_at_once_if_there_is_something(service, redis_server, poll):
    redis_server.publish(PATTERNS, pattern())
    until(lambda: service.data("/v1/patterns"), "a pattern is stored")
    answer = poll("/v1/patterns?after=oldest&wait=55").json()
    assert answer["count"] == 1
    until(lambda: waiters(service) == 0, "nobody waits")


@pytest.mark.parametrize("path", ["/v1/patterns?symbols=AAPL&after=now&wait=55", "/v1/symbols/aapl/patterns?after=now&wait=55",
                                  "/v1/poll?symbols=AAPL", "/v1/symbols/AAPL/poll", "/v1/poll?symbols=AAPL&after=oldest&wait=55"])
def test_released_by_what_matches_alone(service, redis_server, poll, path):
    w = poll(path)
    waits(service)
    redis_server.publish(PATTERNS, pattern("MSFT"))
    until(lambda: service.data("/v1/patterns"), "the other symbol is stored")
    assert waiters(service) == 1
    redis_server.publish(PATTERNS, pattern("AAPL"))
    answer = w.json()
    [event] = answer["data"]
    assert event["symbol"] == "AAPL" and answer["cursor"] == event["id"] and answer["reset"] is None
    assert not answer["has_more"] and answer["next"] is None and f"after={event['id']}" in answer["follow"]
    assert w.status == 200 and w.headers["tickgate-cursor"] == event["id"] and w.headers["cache-control"] == "no-store"
    until(lambda: waiters(service) == 0, "its place is free")


def test_the_forms_are_those_of_lists(service, redis_server, poll):
    lines = poll("/v1/patterns.ndjson?after=now&wait=55")
    table = poll("/v1/patterns?after=now&wait=55&format=csv&fields=symbol")
    pretty = poll("/v1/patterns?after=now&wait=55&pretty=1&fields=symbol")
    waits(service, 3)
    redis_server.publish(PATTERNS, pattern())
    assert lines.headers["content-type"] == "application/x-ndjson" and lines.json()["symbol"] == "AAPL"
    assert table.headers["content-type"].startswith("text/csv") and table.body == b"symbol\r\nAAPL\r\n"
    assert b'  "symbol": "AAPL"' in pretty.body


def test_time_out_moves_the_cursor_on(service, redis_server, poll):
    redis_server.publish(PATTERNS, pattern())
    until(lambda: service.data("/v1/patterns"), "a pattern is stored")
    start = time.monotonic()
    w = poll("/v1/patterns?symbols=AAPL&after=now&wait=1")
    waits(service)
    redis_server.publish(PATTERNS, pattern("MSFT"))
    answer = w.json()
    assert 0.9 < time.monotonic() - start < 10
    newest = service.data("/v1/patterns")[0]
    assert w.status == 200 and answer["data"] == [] and answer["count"] == 0 and answer["cursor"] == newest["id"]
    assert newest["symbol"] == "MSFT" and "degraded" not in answer


def test_prefer_is_a_synonym(service, redis_server, poll):
    w = poll("/v1/patterns?after=now", headers={"Prefer": "respond-async, wait=40"})
    waits(service)
    redis_server.publish(PATTERNS, pattern())
    assert w.json()["count"] == 1
    assert poll("/v1/poll", headers={"Prefer": "wait=0"}).json()["data"] == []


def test_linger_collects(service, redis_server, poll):
    w = poll("/v1/patterns?after=now&wait=55&linger=700")
    waits(service)
    redis_server.publish(PATTERNS, pattern(confidence=61))
    redis_server.publish(PATTERNS, pattern(confidence=62))
    assert [e["confidence"] for e in w.json()["data"]] == [61, 62]


def test_many_are_released_together(service, redis_server, poll):
    all_of_them = [poll(f"/v1/poll?symbols=AAPL&_={i}") for i in range(200)]
    waits(service, 200)
    redis_server.publish(PATTERNS, pattern())
    bodies = {w.body.split(b'"as_of"')[0] for w in all_of_them}
    assert len(bodies) == 1 and b'"count":1' in bodies.pop()


def test_a_client_that_goes_away_frees_its_place(service, poll):
    w = poll("/v1/poll?wait=55")
    waits(service)
    w.close()
    # lighttpd tells of it unless the request came in one segment on a new connection: then its time ends it.
    again = poll("/v1/poll?wait=55", pieces=True)
    until(lambda: waiters(service) >= 1, "the second one waits")
    again.close()
    until(lambda: waiters(service) <= 1, "the second one's place is free")


def test_gaps_do_not_end_a_wait_and_are_told(service, redis_server, poll):
    w = poll("/v1/poll?symbols=AAPL&wait=55")
    waits(service)
    redis_server.stop()
    until(lambda: service.json("/v1/health")["redis"]["connected"] is False, "Redis is missed")
    redis_server.start()
    until(lambda: service.data("/v1/gaps"), "a gap is recorded", 30)
    assert waiters(service) == 1
    until(lambda: service.json("/v1/channels")["data"][0]["subscribed"], "it listens again", 30)
    redis_server.publish(PATTERNS, pattern())
    answer = w.json()
    assert answer["count"] == 1 and [g["reason"] for g in answer["gaps"]] == ["redis_disconnected"]
    assert seq(answer["gaps"][0]) < seq(answer["data"][0])


@pytest.mark.parametrize("query, code", [
    ("/v1/patterns?wait=5", "conflicting_parameters"), ("/v1/patterns?wait=56&after=now", "invalid_parameter"),
    ("/v1/patterns?linger=5&after=now", "conflicting_parameters"), ("/v1/patterns?linger=2001&wait=1&after=now", "invalid_parameter"),
    ("/v1/poll?before=a-1&wait=4", "conflicting_parameters"),
])
def test_wrong_queries(service, query, code):
    answer = service.get(query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_no_place(launch, redis_server, tmp_path):
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", "live.max_waiters=2",
                     "-o", "live.max_streams=1", "--workers", "2")
    parked = [Waiting(service.port, "/v1/poll?wait=55") for _ in range(2)]
    waits(service, 2)
    answer = service.get("/v1/poll")
    assert answer.status_code == 200 and answer.json()["degraded"] == "no_wait" and answer.json()["data"] == []
    assert answer.headers["Retry-After"] == "2"
    assert service.get("/v1/patterns?after=now&wait=1", headers={"Accept": "text/csv"}).headers["Retry-After"] == "2"
    health = service.json("/v1/health")["streams"]
    assert health == {"clients": 0, "waiters": 2, "max_clients": 1, "max_waiters": 2}
    # A killed worker's are gone with it.
    import os
    import signal
    for worker in service.workers():
        os.kill(worker, signal.SIGKILL)
    waits(service, 0)
    for w in parked:
        w.close()


def test_shutdown_answers(service, redis_server, poll):
    import os
    import signal
    w = poll("/v1/poll?wait=55")
    waits(service)
    for worker in service.workers():
        os.kill(worker, signal.SIGTERM)
    assert w.status == 200 and w.json()["data"] == []
