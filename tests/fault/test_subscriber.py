"""tickgate-subscriber, the whole program, against Redises that misbehave, a locked log, and bad places.

BUILDDIR names the build under test. Nothing here sleeps: `until` polls a condition that must come true by a deadline.
"""
import contextlib
import json
import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
import redis

from fake_redis import FakeRedis, array

BUILD = os.environ.get("BUILDDIR", "build")
PROGRAM = os.path.join(BUILD, "tickgate-subscriber")
PATIENCE = 60 if re.search("asan|tsan", os.path.basename(BUILD)) else 30
KINDS = {"pattern": 0, "gap": 6}
EMPTY = [f"channels.{k}=" for k in ("indicator", "alert", "health", "error", "session_started", "session_stopped")]
ONE = ("channels.pattern=a", *EMPTY)
QUICK = ("redis.backoff_min=20ms", "redis.backoff_max=100ms")
SECRET = "sEcretWord"


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"after {PATIENCE} s still not: {what}"
        select.select([], [], [], 0.01)


def pattern(symbol, pad=0):
    return json.dumps({"pattern_name": "doji", "symbol": symbol, "timeframe": "1min", "confidence": 85.5,
                       "detected_at": 1234567890.123, "metadata": {"pad": "x" * pad}})


def message(symbol, channel="a", pad=0):
    return array("message", channel, pattern(symbol, pad))


class Subscriber:
    def __init__(self, directory, url, *options, config=None, env=()):
        self.state_dir, self.run_dir = directory / "state", directory / "run"
        self.state_dir.mkdir(exist_ok=True)
        self.run_dir.mkdir(exist_ok=True)
        command = [PROGRAM, *(["-c", str(config)] if config else ["-c", "/dev/null"])]
        for option in (f"paths.state_dir={self.state_dir}", f"paths.run_dir={self.run_dir}", *options):
            command += ["-o", option]
        if url:
            command += ["-o", f"redis.url={url}"]
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TICKGATE_") and k not in ("REDIS_URL", "JOURNAL_STREAM")}
        self.log = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                                        errors="surrogateescape", env={**clean, **dict(env)})
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True)
        self.reader.start()

    def until_log(self, *words):
        return until(lambda: next((line for line in list(self.log) if all(w in line for w in words)), None), f"logged: {words}")

    def logged(self, *words):
        return sum(all(w in line for w in words) for line in list(self.log))

    def state(self):
        try:
            return json.loads((self.run_dir / "state.json").read_text())
        except FileNotFoundError:
            return None

    def until_state(self, condition, what):
        def look():
            state = self.state()
            return state if state and condition(state) else None
        return until(look, what)

    def subscribed(self):
        return self.until_state(lambda s: all(c["subscribed"] for c in s["channels"]), "every channel is subscribed")

    def rows(self, sql, *values):
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.state_dir}/tickgate.db?mode=ro", uri=True)) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.OperationalError as e:  # not made yet, or being made
            if "no such table" in str(e) or "unable to open" in str(e) or "locked" in str(e):
                return []
            raise

    def log_of_events(self):
        """[(seq, "gap" or the symbol)]"""
        return [(seq, "gap" if kind == KINDS["gap"] else symbol)
                for seq, kind, symbol in self.rows("SELECT seq, kind, symbol FROM events ORDER BY seq")]

    def names(self):
        return [name for _, name in self.log_of_events()]

    def has(self, symbol):
        return until(lambda: self.rows("SELECT seq FROM events WHERE symbol = ?", symbol), f"{symbol} is in the log")

    def gaps(self):
        return [json.loads(body) for (body,) in self.rows("SELECT body FROM events WHERE kind = ? ORDER BY seq", KINDS["gap"])]

    def wait(self):
        status = self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        assert "Sanitizer" not in "".join(self.log) and "runtime error" not in "".join(self.log), "".join(self.log)
        return status

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        assert self.wait() == 0, "".join(self.log)

    def everything_written(self):
        """All it left behind, as bytes: logs and files."""
        files = [p for d in (self.state_dir, self.run_dir) for p in d.iterdir() if p.is_file()]
        return "".join(self.log).encode(errors="surrogateescape") + b"".join(p.read_bytes() for p in files)


@pytest.fixture(name="subscribe")
def subscribe_fixture(tmp_path):
    started = []

    def subscribe(url, *options, directory=tmp_path, **more):
        started.append(Subscriber(directory, url, *options, **more))
        return started[-1]
    yield subscribe
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


def fake(*scripts):
    server = FakeRedis(*scripts)
    return server, f"redis://127.0.0.1:{server.port}"


def good(*symbols, n=1):
    def script(peer):
        peer.subscribe(n)
        for symbol in symbols:
            peer.send(message(symbol))
        peer.serve()
    return script


def then(data, *symbols):
    """Messages, then `data`, then the end."""
    def script(peer):
        peer.subscribe(1)
        peer.send(b"".join(message(s) for s in symbols) + data)
    return script


class RealRedis:
    def __init__(self, directory):
        self.directory = directory
        self.path = str(directory / "redis.sock")
        self.url = f"unix://{self.path}"
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", str(self.directory)],
            stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if "Ready to accept" in line or "now ready" in line:
                break
        self.client = redis.Redis.from_url(self.url)

    def stop(self):
        self.process.terminate()
        self.process.communicate()


@pytest.fixture(name="real")
def real_fixture(tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server")
    server = RealRedis(tmp_path)
    yield server
    if server.process.poll() is None:
        server.stop()


# ---- what Redis does ----

@pytest.mark.parametrize("data", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe\r\n", b"*1000000000\r\n", b"$99999999999\r\n", b":5\r\n", array("message", "a", 5),
    message("CUT")[:1], message("CUT")[:20], message("CUT")[:-2], message("CUT")[:-1], b"",
])
def test_events_before_the_break_are_kept_and_one_gap_tells_of_it(subscribe, data):
    server, url = fake(then(data, "ONE", "TWO"), good("THREE"))
    s = subscribe(url, *ONE, *QUICK)
    s.has("THREE")
    s.stop()
    assert s.names() == ["ONE", "TWO", "gap", "THREE"]
    (gap,) = s.gaps()
    assert gap["reason"] == "redis_disconnected" and gap["from"] <= gap["to"]
    assert server.connections == 2
    assert s.state()["redis"]["reconnects"] == 1


def test_ids_are_never_used_again(subscribe):
    """Over cut connections, a kill and a restart the sequence only grows."""
    _, url = fake(then(b"*3\r\n$7\r\nmess", "ONE"), then(b"", "TWO"), good("THREE"), good("FOUR"), good("FIVE"))
    s = subscribe(url, *ONE, *QUICK)
    s.has("THREE")
    seen = s.log_of_events()
    s.process.kill()
    s.process.wait()
    s = subscribe(url, *ONE, *QUICK)
    s.has("FOUR")
    s.stop()
    s = subscribe(url, *ONE, *QUICK)
    s.has("FIVE")
    s.stop()
    events = s.log_of_events()
    assert events[:len(seen)] == seen
    assert [seq for seq, _ in events] == sorted({seq for seq, _ in events})
    assert [n for _, n in events] == ["ONE", "gap", "TWO", "gap", "THREE", "gap", "FOUR", "gap", "FIVE"]
    assert [g["reason"] for g in s.gaps()] == ["redis_disconnected"] * 2 + ["subscriber_down"] * 2


def test_silence_is_noticed_and_told(subscribe):
    def deaf(peer):
        peer.subscribe(1)
        peer.send(message("ONE"))
        while True:
            peer.command()
    _, url = fake(deaf, good("TWO"))
    s = subscribe(url, *ONE, "redis.ping_interval=1s", "redis.read_timeout=1s", "redis.backoff_min=1s", "redis.backoff_max=1s")
    s.has("TWO")
    s.stop()
    assert s.names() == ["ONE", "gap", "TWO"]
    assert s.logged("redis_down", "no answer to PING for 1000 ms") == 1


def test_a_live_connection_is_pinged_and_kept(subscribe):
    server, url = fake(good("ONE"))
    s = subscribe(url, *ONE, "redis.ping_interval=1s")
    until(lambda: server.peers and server.peers[0].commands.count(["PING"]) >= 2, "two PINGs")
    assert s.until_state(lambda st: st["redis"]["ping_ms"] >= 0, "the PING's time")["redis"]["connected"]
    s.stop()
    assert server.connections == 1 and s.gaps() == []


@pytest.mark.parametrize("how", ["url", "setting", "environment", "real"])
def test_the_password_is_written_nowhere(subscribe, how, request):
    def refuse(peer):
        args = peer.command()
        peer.send(b"-WRONGPASS invalid username-password pair or user is disabled: %s\r\n" % " ".join(args).encode())
    server, plain = fake(refuse, good("IN"))
    url, options, env = plain.replace("//", f"//me:{SECRET}@"), [], {}
    if how == "setting":
        url, options = plain, [f"redis.password={SECRET}"]
    if how == "environment":
        url, env = None, {"REDIS_URL": plain.replace("//", f"//:{SECRET}@")}
    real = request.getfixturevalue("real") if how == "real" else None
    if real:
        real.client.acl_setuser("me", enabled=True, passwords=["+other"], commands=["+@all"], channels=["*"])
        url = real.url.replace("//", f"//me:{SECRET}@")
    s = subscribe(url, *ONE, *options, "redis.backoff_min=10ms", "redis.backoff_max=1500ms", env=env)
    s.until_log("redis_down", "AUTH refused")
    state = s.until_state(lambda st: "AUTH refused" in st["redis"]["error"], "the state says why")
    assert not state["redis"]["connected"] and not state["channels"][0]["subscribed"]
    assert SECRET.encode() not in s.everything_written()
    if real:
        real.client.acl_setuser("me", enabled=True, passwords=[f"+{SECRET}"])
    s.subscribed()
    if real:
        real.client.publish("a", pattern("IN"))
    s.has("IN")
    s.stop()
    assert s.logged("redis_down") == 1
    pause = int(s.until_log("redis_down").split("retry_ms=")[1].split()[0])
    assert 1200 <= pause <= 1800, "the slow end of the back-off"
    assert SECRET.encode() not in s.everything_written()
    if not real:
        assert any(SECRET in args for p in server.peers for args in p.commands)


def test_a_refused_channel_does_not_harm_the_others(subscribe):
    def script(peer):
        peer.subscribe(2, refuse=("b",))
        peer.send(message("ONE"))
        peer.serve(refuse=("b",))
    _, url = fake(script)
    s = subscribe(url, *EMPTY, "channels.pattern=a", "channels.alert=b", *QUICK)
    s.has("ONE")
    state = s.until_state(lambda st: st["channels"][1]["error"], "the refusal is told")
    a, b = state["channels"]
    assert (a["channel"], a["subscribed"], a["error"]) == ("a", True, "")
    assert b["channel"] == "b" and not b["subscribed"] and b["error"].startswith("NOPERM")
    assert state["redis"]["connected"]
    s.stop()
    assert s.logged("channel_refused", "channel=b") == 1


def test_a_refused_channel_of_the_real_one(subscribe, real):
    real.client.acl_setuser("reader", enabled=True, passwords=["+pw"], commands=["+subscribe", "+ping"], channels=["a"])
    s = subscribe(real.url.replace("//", "//reader:pw@"), *EMPTY, "channels.pattern=a", "channels.alert=b", *QUICK)
    s.until_state(lambda st: st["channels"][0]["subscribed"] and st["channels"][1]["error"].startswith("NOPERM"), "b is refused")
    real.client.publish("a", pattern("ONE"))
    s.has("ONE")
    real.client.acl_setuser("reader", enabled=True, channels=["b"])
    s.subscribed()
    s.stop()
    (gap,) = s.gaps()
    assert gap["channels"] == ["b"]


def test_the_state_follows_the_real_one(subscribe, real):
    s = subscribe(real.url, *ONE, *QUICK)
    first = s.subscribed()
    assert first["redis"]["connected"] and first["redis"]["error"] == ""
    real.client.publish("a", pattern("ONE"))
    s.has("ONE")
    real.stop()
    down = s.until_state(lambda st: not st["redis"]["connected"], "down")
    assert down["redis"]["error"] and not down["channels"][0]["subscribed"]
    assert down["redis"]["since_us"] > first["redis"]["since_us"]
    s.until_state(lambda st: st["updated_us"] > down["updated_us"] + 1000000, "it goes on telling")
    real.start()
    up = s.subscribed()
    assert up["redis"]["reconnects"] == 1 and up["redis"]["error"] == ""
    real.client.publish("a", pattern("TWO"))
    s.has("TWO")
    real.client.client_kill_filter(_type="pubsub")
    s.until_state(lambda st: st["redis"]["reconnects"] == 2 and st["channels"][0]["subscribed"], "it came back")
    real.client.publish("a", pattern("THREE"))
    s.has("THREE")
    s.stop()
    assert s.names() == ["ONE", "gap", "TWO", "gap", "THREE"]
    last = s.state()
    assert not last["redis"]["connected"] and last["redis"]["error"] == "the subscriber was stopped"
    assert last["channels"][0]["accepted"] == 3 and not last["channels"][0]["subscribed"]


def test_a_stop_while_redis_is_away_is_told_too(subscribe):
    """Down, stopped, started, up: no hole between the gaps."""
    _, url = fake(then(b"", "ONE"), lambda peer: None, lambda peer: None)
    s = subscribe(url, *ONE, "redis.backoff_min=20s")
    s.has("ONE")
    s.until_state(lambda st: st["redis"]["error"] and st["redis"]["reconnects"] == 0, "down")
    s.stop()
    _, url = fake(good("TWO"))
    s = subscribe(url, *ONE)
    s.has("TWO")
    s.stop()
    assert s.names() == ["ONE", "gap", "gap", "TWO"]
    down, stopped = s.rows("SELECT gap_from_us, body FROM events WHERE kind = ? ORDER BY seq", KINDS["gap"])
    one = s.rows("SELECT received_us FROM events WHERE symbol = 'ONE'")[0][0]
    assert down[0] == one and json.loads(down[1])["reason"] == "redis_disconnected"
    assert json.loads(stopped[1])["reason"] == "subscriber_down"
    assert json.loads(down[1])["to"] >= json.loads(stopped[1])["from"] - 0.2


# ---- places and settings ----

def fails(s, status, *words):
    assert s.wait() == status, "".join(s.log)
    assert s.logged("failed", *words) == 1, "".join(s.log)


def test_a_state_directory_that_is_not_one(subscribe, tmp_path):
    _, url = fake(good())
    (tmp_path / "file").write_text("")
    fails(subscribe(url, *ONE, f"paths.state_dir={tmp_path}/file"), os.EX_OSERR, f"{tmp_path}/file", "Not a directory")
    fails(subscribe(url, *ONE, f"paths.state_dir={tmp_path}/nowhere"), os.EX_OSERR, f"{tmp_path}/nowhere", "No such file")
    fails(subscribe(url, *ONE, f"paths.run_dir={tmp_path}/nowhere"), os.EX_OSERR, f"{tmp_path}/nowhere", "No such file")


def test_a_state_directory_without_permission(subscribe, tmp_path):
    _, url = fake(good())
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    if os.access(closed, os.W_OK):  # root may write wherever the file system lets anybody: sysfs lets nobody
        closed = "/sys"
    s = subscribe(url, *ONE, f"paths.state_dir={closed}")
    fails(s, os.EX_OSERR, f"{closed}/tickgate.lock")


def test_a_second_subscriber_leaves_the_first_alone(subscribe, tmp_path):
    _, url = fake(good("ONE"))
    first = subscribe(url, *ONE)
    first.has("ONE")
    pid = first.subscribed()["pid"]
    fails(subscribe(url, *ONE), os.EX_TEMPFAIL, "another subscriber")
    (tmp_path / "other").mkdir()
    fails(subscribe(url, *ONE, f"paths.run_dir={tmp_path}/other"), os.EX_TEMPFAIL, "another subscriber holds the log")
    assert first.state()["pid"] == pid == first.process.pid
    assert (first.run_dir / "bell").is_socket()
    first.stop()


@pytest.mark.parametrize("text, words", [
    ("[redis]\nread_timeout = 5 apples\n", (":2", "read_timeout")), ("[redis]\n\nread_timeot = 5s\n", (":3", "read_timeout")),
    ("[nowhere]\nx = 1\n", (":2",)), ("[redis]\nping_interval = 1ms\n", (":2", "1s")),
])
def test_bad_settings_stop_the_start(subscribe, tmp_path, text, words):
    config = tmp_path / "bad.conf"
    config.write_text(text)
    fails(subscribe("redis://127.0.0.1:1", config=config), os.EX_CONFIG, *(f"{config}{w}" if w[0] == ":" else w for w in words))


def test_overlapping_channels_stop_the_start(subscribe):
    fails(subscribe("redis://127.0.0.1:1", *EMPTY, "channels.pattern=a* ab"), os.EX_CONFIG, "overlap")


def test_the_receive_thread_goes_first(subscribe, real):
    """It alone is a real-time thread, where that is permitted: Redis cuts off who comes too late."""
    if subprocess.run(["chrt", "-r", "1", "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        pytest.skip("not permitted here")
    s = subscribe(real.url, *ONE)
    s.subscribed()
    tasks = [int(tid) for tid in os.listdir(f"/proc/{s.process.pid}/task")]
    # Whoever it starts, to look up a name, is a usual one.
    first = os.SCHED_RR | os.SCHED_RESET_ON_FORK
    assert sorted(os.sched_getscheduler(tid) for tid in tasks) == [os.SCHED_OTHER] * (len(tasks) - 1) + [first]
    assert max(os.sched_getparam(tid).sched_priority for tid in tasks) == 1


def test_sighup(subscribe, tmp_path):
    config = tmp_path / "tickgate.conf"
    config.write_text("[retention]\nevents = 1000\n")
    server, url = fake(good(*(f"S{i}" for i in range(600))))
    s = subscribe(url, *ONE, config=config)
    until(lambda: len(s.names()) == 600, "all are there")
    config.write_text("[retention]\nevents = 100\n[log]\nlevel = debug\n[redis]\npassword = sEcretWord\nping_interval = 9s\n")
    s.process.send_signal(signal.SIGHUP)
    line = s.until_log("reloaded")
    assert "redis.password" in line and "redis.ping_interval" in line and "retention" not in line and "log.level" not in line
    until(lambda: len(s.names()) == 100, "retention follows")
    config.write_text("[retention]\nevents = many\n")
    s.process.send_signal(signal.SIGHUP)
    assert f"{config}:2" in s.until_log("reload_refused")
    config.write_text("[retention]\nevents = 100\n[log]\nlevel = error\n")
    s.process.send_signal(signal.SIGHUP)
    s.stop()  # the kernel hands out SIGHUP first
    assert s.logged("stopped") == 0, "log.level = error was taken over"
    assert server.connections == 1
    assert SECRET not in "".join(s.log)


# ---- load ----

def test_sigterm_under_load_stores_what_was_received(subscribe):
    def flood(peer):
        peer.subscribe(1)
        while True:
            peer.send(b"".join(message(f"S{i}") for i in range(100)))
    _, url = fake(flood)
    s = subscribe(url, *ONE)
    until(lambda: len(s.rows("SELECT 1 FROM events LIMIT 2000")) == 2000, "load")
    s.stop()
    (channel,) = s.state()["channels"]
    stored = s.rows("SELECT count(*) FROM events WHERE kind = ?", KINDS["pattern"])[0][0]
    assert channel["messages"] == channel["received"] == channel["accepted"] == stored >= 2000
    assert s.gaps() == [] and s.state()["queue"]["bytes"] == 0


def test_sigterm_under_load_of_the_real_one(subscribe, real):
    s = subscribe(real.url, *ONE)
    s.subscribed()
    stop = threading.Event()

    def publish():
        client = redis.Redis.from_url(real.url)
        while not stop.is_set():
            with client.pipeline(transaction=False) as pipe:
                for i in range(200):
                    pipe.publish("a", pattern(f"S{i}"))
                pipe.execute()
    thread = threading.Thread(target=publish)
    thread.start()
    try:
        until(lambda: len(s.rows("SELECT 1 FROM events LIMIT 2000")) == 2000, "load")
        s.stop()
    finally:
        stop.set()
        thread.join()
    (channel,) = s.state()["channels"]
    stored = s.rows("SELECT count(*) FROM events WHERE kind = ?", KINDS["pattern"])[0][0]
    assert channel["messages"] == channel["received"] == stored >= 2000
    assert s.gaps() == []


@contextlib.contextmanager
def locked(s):
    """The database is another's for as long as this goes on."""
    with contextlib.closing(sqlite3.connect(s.state_dir / "tickgate.db", isolation_level=None, timeout=PATIENCE)) as db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def test_overflow_while_the_database_is_locked(subscribe):
    count, go, sent = 3000, threading.Event(), threading.Event()

    def script(peer):
        peer.subscribe(1)
        peer.send(message("FIRST"))
        assert go.wait(PATIENCE)
        for i in range(count):
            peer.send(message(f"S{i}", pad=1000))
        sent.set()
        while True:
            args = peer.command()
            peer.send(message("LAST") if args == ["PING"] and not locked_now.is_set() else b"")
            peer.send(peer.reply(args))
    locked_now = threading.Event()
    _, url = fake(script)
    s = subscribe(url, *ONE, "subscriber.queue_limit=1MiB", "redis.ping_interval=1s")
    s.has("FIRST")
    with locked(s):
        locked_now.set()
        go.set()
        assert sent.wait(PATIENCE)
        full = s.until_state(lambda st: st["channels"][0]["messages"] == count + 1, "everything was received")
        assert full["queue"]["dropped"] > 0 and full["queue"]["bytes"] <= full["queue"]["limit"] == 1 << 20
        assert s.names() == ["FIRST"], "readers go on"
        assert "locked" in s.until_state(lambda st: st["store"]["error"], "the store's trouble is told")["store"]["error"]
        assert s.state()["redis"]["connected"]
    locked_now.clear()
    s.has("LAST")
    s.until_state(lambda st: not st["store"]["error"] and st["queue"]["bytes"] == 0, "recovered")
    s.stop()
    dropped = s.state()["queue"]["dropped"]
    stored = [n for n in s.names() if n.startswith("S")]
    assert stored == [f"S{i}" for i in range(len(stored))], "what was there first is kept, in order"
    assert len(stored) + dropped == count
    (gap,) = s.gaps()
    assert gap["reason"] == "overflow" and gap["dropped"] == dropped
    assert s.names()[len(stored) + 1] == "gap", "the gap stands where the messages are missing"
    assert s.logged("store_failed") == 1 and s.logged("store_recovered") == 1


def test_sigterm_while_the_database_is_locked(subscribe):
    """It cannot store what it holds: it says so, ends within its time, and the next start tells of the hole."""
    go = threading.Event()

    def script(peer):
        peer.subscribe(1)
        peer.send(message("ONE"))
        assert go.wait(PATIENCE)
        peer.send(message("TWO"))
        peer.serve()
    _, url = fake(script, good("THREE"))
    s = subscribe(url, *ONE)
    s.has("ONE")
    with locked(s):
        go.set()
        s.until_state(lambda st: st["channels"][0]["messages"] == 2, "received")
        stopped_at = time.monotonic()
        s.process.send_signal(signal.SIGTERM)
        assert s.wait() == os.EX_IOERR
        assert time.monotonic() - stopped_at < 11, "within its time"
    assert s.logged("failed", "could not be stored") == 1
    s = subscribe(url, *ONE)
    s.has("THREE")
    s.stop()
    assert s.names() == ["ONE", "gap", "THREE"] and s.gaps()[0]["reason"] == "subscriber_down"
