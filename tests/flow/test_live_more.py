"""Streams at their edges: batches, silence, staleness, limits, ages, another log, trimming, slow readers, restarts, plain CGI."""

import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import threading
import time

import pytest

from conftest import BUILD, PATTERNS, SLOW, seq, until
from live_client import Stream, Waiting
from test_live import ids, pattern

INDICATORS = "tickstock:indicators:streaming"
ALERTS = "tickstock:alerts:indicators"
ALERT = '{"alert_type":"RSI_OVERBOUGHT","symbol":"AAPL","severity":"medium","timestamp":1234567890}'


def indicator(value, symbol="AAPL", name="RSI", timeframe="1min"):
    return json.dumps({"indicator_name": name, "symbol": symbol, "timeframe": timeframe, "value": value, "calculated_at": 1234567890})


@pytest.fixture
def run(launch, redis_server, tmp_path):
    """A service with settings."""
    def start(*settings, **more):
        options = [o for s in settings for o in ("-o", s)]
        return launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", *options, **more)
    return start


@pytest.fixture
def opened():
    streams = []

    def start(service, query="", **more):
        streams.append(Stream(service.port, "/v1/stream" + query, **more))
        return streams[-1]

    yield start
    for s in streams:
        s.close()


def stored(service, n, path="/v1/events?kinds=pattern,indicator,alert&limit=1000"):
    return until(lambda: (d := service.data(path)) and len(d) >= n and d, f"{n} events are stored")


# ---- batches ----

def test_batches(service, redis_server, opened):
    s = opened(service, "?batch=1500")
    s.next()
    start = time.monotonic()
    redis_server.publish(PATTERNS, pattern(confidence=50))
    first = s.next()
    assert first.event == "batch" and first.json["count"] == 1
    for i in (51, 52, 53):
        redis_server.publish(PATTERNS, pattern(confidence=i))
    second = s.next()
    # The three came at once, and were held back until the time since the first was over.
    assert time.monotonic() - start > 1
    assert [e["confidence"] for e in second.json["data"]] == [51, 52, 53]
    assert second.json["count"] == 3 and second.id == second.json["data"][-1]["id"] and second.json["timestamp"] > 1.7e9


@pytest.mark.alone
def test_an_alert_does_not_wait_for_the_batch(service, redis_server, opened):
    s = opened(service, "?batch=5000")
    s.next()
    redis_server.publish(PATTERNS, pattern())
    assert s.next().json["count"] == 1
    start = time.monotonic()
    redis_server.publish(PATTERNS, pattern(confidence=70))
    stored(service, 2)
    redis_server.publish(ALERTS, ALERT)
    assert [e["kind"] for e in s.next().json["data"]] == ["pattern", "alert"]
    assert time.monotonic() - start < 4 * SLOW


def test_conflated(service, redis_server, opened):
    s = opened(service, "?batch=1000&conflate=1")
    lines = opened(service, "?batch=1000&conflate=1&format=ndjson")
    s.next()
    lines.line()
    redis_server.publish(INDICATORS, indicator(1))
    assert s.next().json["count"] == 1 and json.loads(lines.line())["value"] == 1
    for value, more in ((2, {}), (3, {"symbol": "MSFT"}), (4, {}), (5, {"timeframe": "5min"}), (6, {"name": "SMA"}), (7, {})):
        redis_server.publish(INDICATORS, indicator(value, **more))
    redis_server.publish(PATTERNS, pattern(confidence=60))
    redis_server.publish(PATTERNS, pattern(confidence=61))
    batch = s.next().json
    assert [e.get("value", e.get("confidence")) for e in batch["data"]] == [3, 5, 6, 7, 60, 61] and batch["count"] == 6
    assert [json.loads(lines.line()).get("value") for _ in range(4)] == [3, 5, 6, 7]


def test_a_long_batch_is_several(service, redis_server, opened):
    s = opened(service, "?batch=2000")
    s.next()
    redis_server.publish(PATTERNS, pattern(confidence=1.5))
    s.next()
    for i in range(100):
        redis_server.publish(PATTERNS, pattern(confidence=2 + i / 10))
    got = []
    while len(got) < 100:
        batch = s.next().json
        assert batch["count"] == len(batch["data"])
        got += batch["data"]
    assert [e["confidence"] for e in got] == [2 + i / 10 for i in range(100)]


# ---- silence, staleness, ages ----

@pytest.mark.alone
def test_heartbeats_carry_the_position(service, redis_server, opened):
    s = opened(service, "?symbols=QUIET&heartbeat=5")
    hello = s.next()
    redis_server.publish(PATTERNS, pattern())
    newest = stored(service, 1)[0]["id"]
    assert newest != hello.id
    start = time.monotonic()
    beat = s.next()
    assert beat.event == "heartbeat" and beat.data == "{}" and beat.id == newest
    assert time.monotonic() - start < 6 * SLOW
    lines = opened(service, "?symbols=QUIET&heartbeat=5&format=ndjson")
    lines.line()
    assert json.loads(lines.line()) == {"control": "heartbeat", "cursor": newest}


def test_stale_and_fresh(service, redis_server, opened):
    s = opened(service, "?kinds=pattern&heartbeat=55")
    s.next()
    redis_server.stop()
    assert s.next().event == "stale"
    late = opened(service)
    assert late.next().json["stale"] is True
    redis_server.start()
    assert {s.next().event, s.next().event} == {"gap", "fresh"}
    assert {late.next().event, late.next().event} == {"gap", "fresh"}


def test_a_stream_has_an_age(run, redis_server, opened):
    service = run("live.max_age=2s")
    s = opened(service, "?heartbeat=5")  # at whose turn its age is looked at
    s.next()
    bye = s.next()
    assert bye.event == "bye" and bye.json["reason"] == "max_age" and 2000 <= bye.retry <= 5000
    assert s.next() is None


# ---- limits ----

def test_no_place(run, opened):
    service = run("live.max_streams=2")
    opened(service).next()
    opened(service).next()
    until(lambda: service.json("/v1/health")["streams"]["clients"] == 2, "two are open")
    s = opened(service, headers={"Accept": "text/event-stream"})
    assert s.status == 200
    overload = s.next()
    assert overload.event == "overload" and overload.retry >= 10000 and overload.json["reason"] == "stream_limit"
    assert s.next() is None
    answer = service.get("/v1/stream")
    assert answer.status_code == 503 and answer.json()["code"] == "stream_limit" and answer.headers["Retry-After"]
    # Lists do not care.
    assert service.json("/v1/patterns")["data"] == []


def test_a_place_is_free_again(run, opened):
    service = run("live.max_streams=1")
    s = opened(service)
    s.next()
    s.close()
    until(lambda: service.json("/v1/health")["streams"]["clients"] == 0, "it is noticed")
    assert opened(service, headers={"Accept": "text/event-stream"}).next().event == "hello"


def test_one_address_has_its_share(run, opened):
    service = run("live.max_per_address=2")
    opened(service).next()
    w = Waiting(service.port, "/v1/poll?wait=55")
    until(lambda: service.json("/v1/health")["streams"]["waiters"] == 1, "it waits")
    answer = service.get("/v1/stream")
    assert answer.status_code == 429 and answer.json()["code"] == "rate_limited" and answer.headers["Retry-After"]
    assert opened(service, headers={"Accept": "text/event-stream"}).next().json["reason"] == "rate_limited"
    assert service.json("/v1/poll")["degraded"] == "no_wait"
    # Places of a killed worker's clients are free, and those of its successor are counted.
    for worker in service.workers():
        os.kill(worker, signal.SIGKILL)
    until(lambda: service.json("/v1/health")["streams"] == {"clients": 0, "waiters": 0, "max_clients": 20000, "max_waiters": 10000},
          "they are gone")
    opened(service).next()
    opened(service).next()
    assert service.get("/v1/stream").status_code == 429
    w.close()


def test_all_of_a_64_have_one_share(run, opened):
    service = run("live.max_per_address=1", "access.trusted_proxies=127.0.0.1")
    opened(service, headers={"X-Forwarded-For": "2001:db8:0:1::1"}).next()
    assert service.get("/v1/stream", headers={"X-Forwarded-For": "2001:db8:0:1::2"}).status_code == 429
    assert opened(service, headers={"X-Forwarded-For": "2001:db8:0:2::1"}).next().event == "hello"


def test_symbols_of_one_stream(run):
    service = run("live.max_symbols=2")
    answer = service.get("/v1/stream?symbols=A,B,C")
    assert answer.status_code == 400 and answer.json()["errors"][0]["parameter"] == "symbols"


def test_there_is_no_log_yet(redis_server, launch, tmp_path):
    # A subscriber that cannot start: the gateway is there alone.
    (tmp_path / "empty").mkdir()
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": "/v1/stream", "SCRIPT_NAME": "",
           "QUERY_STRING": "", "HTTP_ACCEPT": "text/event-stream", "TICKGATE_PATHS_STATE_DIR": str(tmp_path / "empty")}
    done = subprocess.run([str(BUILD / "tickgate.fcgi")], env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    head, body = done.stdout.decode().split("\r\n\r\n", 1)
    assert head.startswith("Status: 200 ") and "event: overload" in body and '"reason":"starting"' in body


# ---- places in the log ----

def test_too_far(run, redis_server, opened):
    service = run("live.max_replay=10")
    for i in range(12):
        redis_server.publish(PATTERNS, pattern(confidence=50 + i))
    events = stored(service, 12)
    s = opened(service, "?after=oldest")
    reset = s.next()
    assert reset.event == "reset" and reset.json["reason"] == "too_far" and reset.id == events[0]["id"]
    s = opened(service, f"?after={events[9]['id']}")
    assert s.next().event == "hello"
    assert ids(s.take(9)) == [e["id"] for e in reversed(events[:9])]
    # The last so many are asked for by number, however far back they lie.
    s = opened(service, "?replay=11")
    assert s.next().event == "hello" and len(s.take(11)) == 11


def test_from_a_time(service, redis_server, opened):
    redis_server.publish(PATTERNS, pattern(confidence=51))
    first = stored(service, 1)[0]
    redis_server.publish(PATTERNS, pattern(confidence=52))
    second = stored(service, 2)[0]
    for after, wanted in (("1h", [first["id"], second["id"]]), (str(second["received_at"]), [second["id"]])):
        s = opened(service, f"?after={after}")
        assert s.next().event == "hello"
        assert ids(s.take(len(wanted))) == wanted


def test_another_log(run, redis_server, opened, tmp_path):
    """History is replaced under a running stream: it is told, and goes on."""
    service = run()
    redis_server.publish(PATTERNS, pattern())
    old = stored(service, 1)[0]["id"]
    s = opened(service, "?kinds=pattern&heartbeat=55")
    s.next()
    w = Waiting(service.port, "/v1/patterns?after=now&wait=55")
    until(lambda: service.json("/v1/health")["streams"]["waiters"] == 1, "it waits")
    pid = service.pid("tickgate-subscriber")
    # Stopped, so that its successor does not find the old files.
    os.kill(pid, signal.SIGSTOP)
    for file in (tmp_path / "state").glob("tickgate.db*"):
        file.unlink()
    os.kill(pid, signal.SIGKILL)
    event = s.next()
    while event.event in ("stale", "fresh"):
        event = s.next()
    assert event.event == "reset" and event.json["reason"] == "epoch_changed" and event.json["epoch"] != old.split("-")[0]
    answer = w.json()
    assert answer["reset"]["reason"] == "epoch_changed" and answer["cursor"].split("-")[0] == event.json["epoch"]
    until(lambda: not service.json("/v1/patterns")["stale"], "it listens again")
    redis_server.publish(PATTERNS, pattern(confidence=77))
    while event.event != "pattern":
        event = s.next()
    assert event.json["confidence"] == 77


# ---- slow readers ----

FLOOD = 6000


def flood(redis_server, n, start=0, size=1500):
    pipe = redis_server.client.pipeline(transaction=False)
    for i in range(start, start + n):
        pipe.publish(PATTERNS, json.dumps({"pattern_name": "doji", "symbol": "AAPL", "confidence": 80, "n": i, "text": "x" * size}))
    pipe.execute()


def test_a_reader_that_stops_catches_up(run, redis_server, opened):
    """More than every buffer on the way holds; the other reader is not held up."""
    service = run("live.ring=1MiB")
    slow = opened(service, "?kinds=pattern", receive_buffer=4096, seconds=60)
    good = opened(service, "?kinds=pattern", seconds=60)
    slow.next()
    good.next()
    for i in range(0, FLOOD, 1000):
        flood(redis_server, 1000, i)
        assert [e.json["n"] for e in good.take(1000)] == list(range(i, i + 1000))
    assert [e.json["n"] for e in slow.take(FLOOD)] == list(range(FLOOD))


def test_what_is_trimmed_is_told(run, redis_server, opened):
    service = run("live.ring=64KiB", "retention.pattern_events=500")
    slow = opened(service, "?kinds=pattern", receive_buffer=4096, seconds=60)
    last = slow.next().id  # of hello: what was dropped may begin there
    for i in range(0, FLOOD, 1000):
        flood(redis_server, 1000, i)
        until(lambda i=i: (d := service.data("/v1/patterns?limit=1")) and d[0]["n"] == i + 999, "it is stored")
    until(lambda: service.json("/v1/health")["store"]["events"] <= 1000, "most of it is trimmed")
    got, dropped = [], 0
    while not got or got[-1] != FLOOD - 1:
        event = slow.next()
        if event.event == "dropped":
            assert event.json["from"] == last and event.json["to"] == event.id
            dropped += event.json["count"]
        else:
            got.append(event.json["n"])
        last = event.id
    assert dropped > 0 and len(got) + dropped == FLOOD and got == sorted(set(got))


# ---- coming and going ----

def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_many_come_and_go(service):
    before = None
    for turn in range(3):
        for _ in range(10):
            streams = [Stream(service.port, "/v1/stream?symbols=AAPL", seconds=60) for _ in range(50)]
            for s in streams:
                assert s.next().event == "hello"
                s.close()
        until(lambda: service.json("/v1/health")["streams"]["clients"] == 0, "all are gone")
        now = [descriptors(pid) for pid in service.workers()]
        assert before is None or max(now) <= max(before) + 2, (before, now)
        before = now


class Follower(threading.Thread):
    """As an EventSource: comes back with the last id, and takes any status but 200 for the end (unless it is patient)."""

    def __init__(self, port, path, patient=False):
        super().__init__(daemon=True)
        self.port, self.path, self.last, self.patient = port, path, None, patient
        self.seen, self.trouble, self.wanted, self.done = [], [], None, threading.Event()

    def run(self):
        try:
            while not self.done.is_set():
                self.follow()
        except Exception as e:  # noqa: BLE001 - told by the test
            self.trouble.append(repr(e))

    def follow(self):
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": self.last} if self.last else {})}
        try:
            s = Stream(self.port, self.path, headers=headers, seconds=30)
        except (ConnectionError, AssertionError):
            return
        if s.status != 200 and self.patient:
            return
        if s.status != 200:
            self.trouble.append(s.status)
            self.done.set()
            return
        try:
            while (event := s.next()) is not None:
                self.last = event.id or self.last
                if event.event == "reset":
                    self.trouble.append(event.data)
                if event.event == "pattern":
                    self.seen.append(event.json["confidence"])
                    if event.json["confidence"] == 99.5:
                        self.done.set()
                        return
        except (ConnectionError, AssertionError):
            pass
        finally:
            s.close()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_workers_are_replaced_under_followers(service, redis_server, signum):
    """Stopped workers answer what they have taken. With a killed one goes what it has in hand: lighttpd then says 500."""
    followers = [Follower(service.port, "/v1/stream?symbols=AAPL", signum == signal.SIGKILL) for _ in range(60)]
    for f in followers:
        f.start()
    until(lambda: all(f.last for f in followers), "all have a place to go on from")
    sent = 0
    for _ in range(3):
        old = set(service.workers())
        for worker in old:
            for _ in range(10):
                redis_server.publish(PATTERNS, pattern(confidence=2 + sent / 10))
                sent += 1
            os.kill(worker, signum)
        until(lambda old=old: len(new := set(service.workers())) == 2 and not new & old, "both workers are replaced")
    until(lambda: (h := service.get("/v1/health")).status_code == 200 and h.json()["streams"]["clients"] == 60 or
          [f.trouble for f in followers if f.trouble], "all follow again", 30)
    assert [f.trouble for f in followers if f.trouble] == []
    redis_server.publish(PATTERNS, pattern(confidence=99.5))
    wanted = [2 + i / 10 for i in range(sent)] + [99.5]
    for f in followers:
        assert f.done.wait(30 * SLOW)
        assert f.trouble == [] and f.seen == wanted


# ---- plain CGI ----

def cgi(service, path, query="", accept="text/event-stream"):
    run_dir = next(a.split("=", 1)[1] for a in pathlib.Path(f"/proc/{service.pid('tickgate.fcgi')}/cmdline").read_text().split("\0")
                   if a.startswith("paths.run_dir="))
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query,
           "HTTP_ACCEPT": accept, "TICKGATE_PATHS_STATE_DIR": str(service.state.parent.parent / "state"),
           "TICKGATE_PATHS_RUN_DIR": run_dir}
    return env


@pytest.mark.parametrize("bell", [True, False])
def test_a_stream_as_a_cgi_program(service, redis_server, tmp_path, bell):
    env = cgi(service, "/v1/stream", "symbols=AAPL")
    if not bell:
        env["TICKGATE_PATHS_RUN_DIR"] = str(tmp_path)
    program = subprocess.Popen([str(BUILD / "tickgate.fcgi")], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        head = b""
        while b"event: hello" not in head or not head.endswith(b"\n\n"):
            head += os.read(program.stdout.fileno(), 4096)
        assert head.startswith(b"Status: 200 OK\r\n") and b"text/event-stream" in head
        redis_server.publish(PATTERNS, pattern("MSFT"))
        redis_server.publish(PATTERNS, pattern())
        text = b""
        while b'"symbol":"AAPL"' not in text:
            text += os.read(program.stdout.fileno(), 4096)
        assert b"MSFT" not in text
        # Who does not read any more ends it.
        program.stdout.close()
        redis_server.publish(PATTERNS, pattern())
        program.wait(20 * SLOW)
    finally:
        program.kill()
        program.wait()


def test_a_wait_as_a_cgi_program(service, redis_server):
    env = cgi(service, "/v1/symbols/AAPL/poll", "wait=50", "*/*")
    program = subprocess.Popen([str(BUILD / "tickgate.fcgi")], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        assert not select.select([program.stdout], [], [], 0.5)[0]
        redis_server.publish(PATTERNS, pattern())
        out, _ = program.communicate(timeout=20 * SLOW)
        head, body = out.split(b"\r\n\r\n", 1)
        assert head.startswith(b"Status: 200 ") and json.loads(body)["count"] == 1 and program.returncode == 0
    finally:
        program.kill()
        program.wait()


def test_a_stream_into_a_file(service, redis_server, tmp_path):
    env = cgi(service, "/v1/poll", "wait=1", "*/*")
    with open(tmp_path / "out", "wb") as out:
        subprocess.run([str(BUILD / "tickgate.fcgi")], env=env, stdin=subprocess.DEVNULL, stdout=out, timeout=30 * SLOW, check=True)
    assert json.loads((tmp_path / "out").read_bytes().split(b"\r\n\r\n", 1)[1])["data"] == []
