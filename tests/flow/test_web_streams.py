"""Streams behind each web server with the configuration that is shipped for it: at once, whole, and told when the client is gone."""

import os
import signal
import statistics
import threading
import time

import pytest

from conftest import DOCUMENTED, PATTERNS, SLOW, launching, until
from live_client import Stream, Waiting

FASTCGI = ["lighttpd", "apache", "nginx"]
# Apache learns of a client that is gone by writing to it, twice; the others pass the end of the connection on.
NOTICE_S = {"lighttpd": 2, "nginx": 2, "apache": 16}
HEARTBEAT_S = 5


@pytest.fixture(scope="module", params=[(s, at) for s in (*FASTCGI, "apache-cgid") for at in ("/", "/tickgate/")], ids=lambda p: "".join(p))
def streaming(request, tmp_path_factory, shared_redis):
    """One for all tests behind a server: each looks at what is new only."""
    server, at = request.param
    with launching(tmp_path_factory.mktemp("streaming")) as launch:
        yield launch("--redis", shared_redis.url, "--no-demo", server=server, at=at)


@pytest.fixture(params=FASTCGI)
def service(request, launch, redis_server):
    return launch("--redis", redis_server.url, "--no-demo", server=request.param)


@pytest.fixture
def stream():
    """Opens streams that are closed with the test."""
    opened = []

    def start(service, path, **headers):
        s = Stream(service.port, service.mount + path, headers=headers)
        opened.append(s)
        return s

    yield start
    for s in opened:
        s.close()


def publish(redis_server, n, first=0):
    for i in range(n):
        redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", f"S{first + i}"))


@pytest.mark.alone
def test_an_event_is_seen_within_100_ms_of_its_publication(streaming, shared_redis, stream, record_property):
    s = stream(streaming, "/v1/stream", **{"Accept-Encoding": "gzip, deflate", "Accept": "text/event-stream"})
    assert s.status == 200 and s.headers["content-type"] == "text/event-stream"
    assert "content-encoding" not in s.headers
    assert s.next().event == "hello"
    took = []
    for i in range(21):
        before = time.monotonic()
        publish(shared_redis, 1, i)
        assert s.next().json["symbol"] == f"S{i}"
        took.append(time.monotonic() - before)
    record_property("median_ms", round(statistics.median(took) * 1000, 1))
    assert statistics.median(took) < 0.1 * SLOW, took


def test_lines_come_at_once_too(streaming, shared_redis, stream):
    s = stream(streaming, "/v1/stream?format=ndjson", **{"Accept-Encoding": "gzip"})
    assert s.headers["content-type"] == "application/x-ndjson" and "content-encoding" not in s.headers
    assert '"hello"' in s.line()
    publish(shared_redis, 1)
    assert '"S0"' in s.line()


def test_a_follower_that_comes_back_by_id_misses_and_repeats_nothing(streaming, shared_redis, stream):
    s = stream(streaming, "/v1/stream?kinds=pattern")
    s.next()
    publish(shared_redis, 10)
    events = s.take(10)
    seen = [e.json["symbol"] for e in events]
    s.close()
    publish(shared_redis, 10, first=10)
    s = stream(streaming, "/v1/stream?kinds=pattern", **{"Last-Event-ID": events[3].id})
    assert s.next().event == "hello"
    assert seen[:4] + [e.json["symbol"] for e in s.take(16)] == [f"S{i}" for i in range(20)]


@pytest.mark.alone
def test_a_waiting_request_is_answered_by_the_next_event(streaming, shared_redis, record_property):
    took, after = [], streaming.json("/v1/patterns")["cursor"]
    for i in range(5):
        w = Waiting(streaming.port, f"{streaming.mount}/v1/patterns?after={after}&wait=20", {"Accept-Encoding": "identity"})
        # It is parked by now or will be in a moment: either way the next event answers it.
        before = time.monotonic()
        publish(shared_redis, 1, i)
        answer = w.json()
        assert [e["symbol"] for e in answer["data"]] == [f"S{i}"]
        took.append(time.monotonic() - before)
        # Not a new list's cursor: another worker may learn of the event a moment later than the one that answered.
        after = answer["cursor"]
        w.close()
    record_property("median_ms", round(statistics.median(took) * 1000, 1))
    assert statistics.median(took) < 0.1 * SLOW, took


def sockets(service):
    """How many sockets the workers have open: those of streams among them."""
    n = 0
    for worker in service.workers():
        for fd in os.listdir(f"/proc/{worker}/fd"):
            try:
                n += os.readlink(f"/proc/{worker}/fd/{fd}").startswith("socket:")
            except OSError:
                pass
    return n


@pytest.mark.alone
def test_the_gateway_learns_that_a_client_is_gone(service, stream, record_property):
    streams = [stream(service, f"/v1/stream?heartbeat={HEARTBEAT_S}") for _ in range(5)]
    for s in streams:
        assert s.next().event == "hello"
    held = sockets(service)
    gone = time.monotonic()
    for s in streams:
        s.close()
    until(lambda: sockets(service) <= held - 5, "their connections are closed", seconds=NOTICE_S[service.server])
    record_property("notice_s", round(time.monotonic() - gone, 2))


class Follower(threading.Thread):
    """A browser's EventSource in short: follows, comes back by its last id, and never takes anything but a 200."""

    def __init__(self, service):
        super().__init__(daemon=True)
        self.service, self.last, self.seen, self.statuses, self.done = service, None, [], [], False
        self.ready = threading.Event()

    def run(self):
        while not self.done:
            headers = {"Last-Event-ID": self.last} if self.last else {}
            try:
                s = Stream(self.service.port, "/v1/stream?kinds=pattern", headers=headers)
            except (AssertionError, ConnectionError):
                self.statuses.append("refused")
                continue
            self.statuses.append(s.status)
            if s.status == 200:
                self.follow(s)
            s.close()

    def follow(self, s):
        try:
            while not self.done and (event := s.next()) is not None:
                self.last = event.id
                self.ready.set()
                if event.event == "pattern":
                    self.seen.append(event.json["symbol"])
        except (AssertionError, ConnectionError):
            pass  # cut: what was not complete counts as not seen


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL], ids=["reload", "stop", "kill"])
def test_followers_see_nothing_of_a_restart(service, redis_server, how):
    followers = [Follower(service) for _ in range(10)]
    for f in followers:
        f.start()
    for f in followers:
        assert f.ready.wait(10 * SLOW)
    publish(redis_server, 20)
    workers = set(service.workers())
    os.kill(service.pid("tickgate.fcgi"), how)
    publish(redis_server, 20, first=20)
    until(lambda: len(now := set(service.workers())) == 2 and not now & workers, "other workers", seconds=25)
    publish(redis_server, 20, first=40)
    want = [f"S{i}" for i in range(60)]
    until(lambda: all(len(f.seen) >= 60 for f in followers), "everything has come", seconds=20)
    for f in followers:
        f.done = True
    publish(redis_server, 1, first=99)
    for f in followers:
        f.join(20 * SLOW)
        assert f.seen[:60] == want
        assert set(f.statuses) == {200}, f.statuses
    assert any(len(f.statuses) > 1 for f in followers), "nobody had to come back"
