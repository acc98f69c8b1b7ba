"""The subscription against Redises that break every rule, and against the real one."""
import json
import os
import queue
import shutil
import socket
import subprocess
import threading

import pytest
import redis

from fake_redis import FakeRedis, array

BUILD = os.environ.get("BUILDDIR", "build")
DRIVER = os.path.join(BUILD, "tests/fault/subscription_driver")
PATIENCE = 60
SILENCE_MS = 1000  # the read time-out where silence is what is tested: a busy machine stays below it


class Driver:
    def __init__(self, url, *channels, connect=10000, read=10000, ping=60000, low=20, high=100):
        self.process = subprocess.Popen(
            [DRIVER, url, *map(str, (connect, read, ping, low, high)), *channels],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = queue.Queue()
        self.items = []
        self.log = []
        self.readers = [threading.Thread(target=self.read_out), threading.Thread(target=self.read_err)]
        for reader in self.readers:
            reader.start()

    def read_out(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def read_err(self):
        self.log.extend(self.process.stderr)

    def until(self, want):
        """Items up to the first for which want(item); they stay in self.items."""
        while True:
            item = self.lines.get(timeout=PATIENCE)
            self.items.append(item)
            if want(item):
                return item

    def message(self, payload):
        return self.until(lambda i: i["type"] == "message" and i["payload"] == payload)

    def subscribed(self):
        return self.until(lambda i: i["type"] == "state" and all(r["acknowledged"] for r in i["rows"]))

    def gaps(self):
        return [i for i in self.items if i["type"] == "disconnected"]

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0, "".join(self.log)
        for reader in self.readers:
            reader.join()
        while not self.lines.empty():
            self.items.append(self.lines.get())
        assert self.items[-1]["type"] == "stopped"
        return self.items[-1]["ms"]


@pytest.fixture(name="drive")
def drive_fixture():
    drivers = []

    def drive(url, *channels, **options):
        drivers.append(Driver(url, *channels, **options))
        return drivers[-1]
    yield drive
    for driver in drivers:
        if driver.process.poll() is None:
            driver.process.stdin.close()
            driver.process.wait(PATIENCE)


def good(payload, n=1, channel="a"):
    def script(peer):
        peer.subscribe(n)
        peer.send(array("message", channel, payload))
        peer.serve()
    return script


def fake(*scripts, **options):
    server = FakeRedis(*scripts, **options)
    return server, f"redis://127.0.0.1:{server.port}"


def after_subscribing(data):
    def script(peer):
        peer.subscribe(1)
        peer.send(array("message", "a", "before") + data)
        peer.serve()
    return script


def test_first_connect_leaves_no_gap(drive):
    _, url = fake(good("hello"))
    d = drive(url, "a")
    d.message("hello")
    d.stop()
    assert d.gaps() == []


@pytest.mark.parametrize("data", [
    b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe", b"$99999999999\r\n", b"*1000000000\r\n", b"*3\r\n$7\r\nmessage\r\n*1\r\n",
    b"*2\r\n$7\r\nmessage\r\n$1\r\na\r\n", array("message", "a", 5), array("message", None, "x"), array("message", "a", None),
    array(1, 2, 3), b"*0\r\n", b"*-1\r\n", b"$-1\r\n", b":5\r\n", b"+OK\r\n", b"-ERR what\r\n", b"-NOAUTH Authentication required.\r\n",
    array("subscribe", "b", 1), array("pong", ""), b"%1\r\n+a\r\n+b\r\n", b"$3\r\nabcdef\r\n",
])
def test_wrong_bytes_reconnect_with_a_gap(drive, data):
    server, url = fake(after_subscribing(data), good("after"))
    d = drive(url, "a")
    before = d.message("before")
    after = d.message("after")
    d.stop()
    (gap,) = d.gaps()
    assert gap["from_us"] == before["received_us"] and gap["channel"] == ""
    assert gap["from_us"] < gap["to_us"] <= after["received_us"]
    assert d.items.index(gap) < d.items.index(after)
    assert server.connections == 2


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_half_a_reply_and_the_end(drive, cut):
    def script(peer):
        peer.subscribe(1)
        peer.send(array("message", "a", "before") + array("message", "a", "half")[:cut])
    _, url = fake(script, good("after"))
    d = drive(url, "a")
    d.message("after")
    d.stop()
    assert len(d.gaps()) == 1
    assert not any(i.get("payload") == "half" for i in d.items)


def test_messages_in_single_bytes(drive):
    def script(peer):
        peer.subscribe(1)
        for byte in array("message", "a", "slow") * 2 + array("message", "a", "last"):
            peer.send(bytes([byte]))
        peer.serve()
    _, url = fake(script)
    d = drive(url, "a")
    d.message("last")
    d.stop()
    assert [i["payload"] for i in d.items if i["type"] == "message"] == ["slow", "slow", "last"]


def test_silence_is_noticed_by_ping(drive):
    def deaf(peer):
        peer.subscribe(1)
        while True:
            peer.command()
    server, url = fake(deaf, good("after"))
    d = drive(url, "a", ping=50, read=SILENCE_MS)
    d.message("after")
    d.stop()
    assert ["PING"] in server.peers[0].commands
    assert any("no answer to PING" in line for line in d.log)
    assert len(d.gaps()) == 1


def test_a_reply_that_drips_in_without_end_counts_as_dead(drive):
    """Never silent for the read time-out, but never whole: 2 x ping + read after the last whole reply it is given up."""
    def drip(peer):
        peer.subscribe(1)
        peer.send(b"*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1000000\r\n")
        while not cut.wait(0.01):
            peer.send(b"x")
    cut = threading.Event()
    server, url = fake(drip, good("after"))
    d = drive(url, "a", ping=250, read=SILENCE_MS)
    d.message("after")
    cut.set()
    d.stop()
    assert any("no whole reply for 1500 ms" in line for line in d.log)
    assert server.connections == 2 and len(d.gaps()) == 1


def test_slow_messages_are_not_a_drip(drive):
    """For two seconds whole replies keep coming, each of them slow, and no PING is answered: that is a connection that works."""
    def slow(peer):
        peer.subscribe(1)
        for i in range(50):
            for byte in array("message", "a", str(i)):
                peer.send(bytes([byte]))
            gap.wait(0.04)
        peer.serve()
    gap = threading.Event()
    server, url = fake(slow)
    d = drive(url, "a", ping=50, read=SILENCE_MS)
    d.message("49")
    d.stop()
    assert server.connections == 1 and d.gaps() == []


@pytest.mark.parametrize("served", [0, 1])
def test_silence_while_connecting(drive, served):
    """Never answers CLIENT SETNAME, or never SUBSCRIBE."""
    def deaf(peer):
        for _ in range(served):
            peer.send(peer.reply(peer.command()))
        while True:
            peer.command()
    _, url = fake(deaf, good("after"))
    d = drive(url, "a", read=SILENCE_MS)
    d.message("after")
    d.stop()
    (gap,) = d.gaps()
    assert gap["to_us"] - gap["from_us"] >= SILENCE_MS * 1000


def test_huge_message_costs_only_itself(drive):
    def script(peer):
        peer.subscribe(1)
        peer.send(array("message", "a", "x" * (6 << 20)) + array("message", "a", "next"))
        peer.serve()
    server, url = fake(script)
    d = drive(url, "a")
    d.message("next")
    d.stop()
    assert [i["size"] for i in d.items if i["type"] == "message"] == [(4 << 20) + 1, 4]
    assert server.connections == 1 and d.gaps() == []


def test_refused_password_is_logged_once_and_never_shown(drive):
    def refuse(peer):
        assert peer.command() == ["AUTH", "me", "sEcret"]
        peer.send(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")

    def repeat(peer):
        peer.command()
        peer.send(b"-ERR unknown command 'AUTH', with args beginning with: 'me' 'sEcret'\r\n")
    server, _ = fake(refuse, refuse, refuse, repeat, good("in"))
    d = drive(f"redis://me:sEcret@127.0.0.1:{server.port}/3", "a")
    d.message("in")
    d.stop()
    log = "".join(d.log)
    assert log.count("WRONGPASS") == 1
    assert "sEcret" not in log and "sEcret" not in json.dumps(d.items)
    assert [c[:2] for c in server.peers[4].commands[:3]] == [["AUTH", "me"], ["SELECT", "3"], ["CLIENT", "SETNAME"]]
    assert len(d.gaps()) == 1


@pytest.mark.parametrize("answer, slow", [
    (b"-WRONGPASS invalid username-password pair or user is disabled.\r\n", True), (b"-ERR invalid password\r\n", True),
    (b"-NOAUTH Authentication required.\r\n", True), (b"-NOPERM this user has no permissions to run the 'auth' command\r\n", True),
    (b"-ERR max number of clients reached\r\n", False), (b"-LOADING Redis is loading the dataset in memory\r\n", False),
])
def test_a_refused_password_is_tried_again_at_the_slow_end(drive, answer, slow):
    def refuse(peer):
        peer.command()
        peer.send(answer)
    server, _ = fake(refuse, good("in"))
    d = drive(f"redis://:pw@127.0.0.1:{server.port}", "a", low=10, high=1000)
    d.message("in")
    d.stop()
    (line,) = [line for line in d.log if "redis_down" in line]
    pause = int(line.split("retry_ms=")[1].split()[0])
    assert (800 <= pause <= 1200) if slow else pause <= 12


def test_noauth_on_the_subscribed_connection_is_slow_too(drive):
    def refuse(peer):
        peer.send(peer.reply(peer.command()))
        peer.command()
        peer.send(b"-NOAUTH Authentication required.\r\n")
    _, url = fake(refuse, good("in"))
    d = drive(url, "a", low=10, high=1000)
    d.message("in")
    d.stop()
    (line,) = [line for line in d.log if "redis_down" in line]
    assert 800 <= int(line.split("retry_ms=")[1].split()[0]) <= 1200


def test_refused_channel_is_named_once_and_regained(drive):
    def script(peer):
        peer.subscribe(2, refuse=("b",))
        for _ in range(2):
            peer.subscribe(1, refuse=("b",))
        peer.send(array("message", "a", "fine"))
        peer.subscribe(1)
        peer.send(array("message", "b", "back"))
        peer.serve()
    server, url = fake(script)
    d = drive(url, "a", "b")
    d.message("fine")
    d.message("back")
    d.stop()
    assert sum("channel_refused" in line for line in d.log) == 1
    assert server.connections == 1
    (gap,) = d.gaps()
    assert gap["channel"] == "b" and gap["row"] == 1
    states = [i["rows"] for i in d.items if i["type"] == "state"]
    assert any(r[0]["acknowledged"] and r[1]["error"].startswith("NOPERM") for r in states)


def test_unsubscribed_by_the_server(drive):
    def script(peer):
        peer.subscribe(1)
        peer.send(array("message", "a", "1") + array("unsubscribe", "a", 0) + array("unsubscribe", None, 0) +
                  array("unsubscribe", "other", 0))
        peer.subscribe(1)
        peer.send(array("message", "a", "2"))
        peer.serve()
    server, url = fake(script)
    d = drive(url, "a")
    d.message("2")
    d.stop()
    (gap,) = d.gaps()
    assert gap["channel"] == "a" and server.connections == 1


def test_gap_goes_before_a_message_that_comes_before_the_last_acknowledgement(drive):
    def cut(peer):
        peer.subscribe(2)

    def early(peer):
        peer.subscribe(1)
        peer.send(array("message", "a", "early"))
        peer.subscribe(1)
        peer.send(array("message", "b", "late"))
        peer.serve()
    _, url = fake(cut, early)
    d = drive(url, "a", "b")
    early_item = d.message("early")
    late = d.message("late")
    d.stop()
    whole, rest = d.gaps()
    assert whole["channel"] == "" and d.items.index(whole) < d.items.index(early_item)
    assert rest["channel"] == "b" and rest["from_us"] == whole["to_us"] and d.items.index(rest) < d.items.index(late)


def test_stop_is_quick_while_pausing_and_connecting(drive):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        d = drive(f"redis://127.0.0.1:{port}", "a", low=60000, high=60000)
        d.until(lambda i: i["type"] == "state" and i["error"])
        assert d.stop() < 10000, "of the minute that it pauses or waits"
    accepted = threading.Event()

    def deaf(peer):
        accepted.set()
        peer.file.read()
    _, url = fake(deaf)
    d = drive(url, "a", read=60000)
    assert accepted.wait(PATIENCE)
    assert d.stop() < 10000, "of the minute that it pauses or waits"


def test_a_stop_while_redis_is_away_leaves_the_gap(drive):
    _, url = fake(lambda peer: (peer.subscribe(1), peer.send(array("message", "a", "before"))), lambda peer: None)
    d = drive(url, "a")
    before = d.message("before")
    d.until(lambda i: i["type"] == "state" and i["error"])
    d.stop()
    (gap,) = d.gaps()
    assert gap["channel"] == "" and gap["from_us"] == before["received_us"] < gap["to_us"]


def test_a_stop_with_a_refused_channel_leaves_its_gap(drive):
    _, url = fake(lambda peer: (peer.subscribe(2, refuse=("b",)), peer.send(array("message", "a", "in")), peer.serve(("b",))))
    d = drive(url, "a", "b")
    d.message("in")
    d.stop()
    (gap,) = d.gaps()
    assert gap["channel"] == "b" and gap["from_us"] < gap["to_us"]


def test_localhost_on_ipv6_only(drive):
    try:
        server = FakeRedis(good("six"), family=socket.AF_INET6, address="::1")
    except OSError:
        pytest.skip("no IPv6 on this machine")
    d = drive(f"redis://localhost:{server.port}", "a")
    d.message("six")
    d.stop()


@pytest.fixture(name="real")
def real_fixture(tmp_path):
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server")
    path = str(tmp_path / "redis.sock")
    with subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", str(tmp_path)],
                          stdout=subprocess.PIPE, text=True) as server:
        for line in server.stdout:
            if "Ready to accept" in line or "now ready" in line:
                break
        yield f"unix://{path}"
        server.terminate()


def test_the_real_one(drive, real):
    client = redis.Redis.from_url(real)
    d = drive(real, "a", "p:*", ping=20)
    d.subscribed()
    assert client.client_list(_type="pubsub")[0]["name"] == "tickgate-subscriber"
    client.publish("a", b"x\0\xff")
    client.publish("p:1", "two")
    two = d.message("two")
    assert (two["row"], two["channel"]) == (1, "p:1")
    client.client_kill_filter(_type="pubsub")
    d.until(lambda i: i["type"] == "state" and i["reconnects"] == 1 and all(r["acknowledged"] for r in i["rows"]))
    client.publish("a", "again")
    d.message("again")
    d.stop()
    assert len(d.gaps()) == 1


def test_the_real_one_with_rights_for_one_channel(drive, real):
    client = redis.Redis.from_url(real)
    client.acl_setuser("reader", enabled=True, passwords=["+pw"], commands=["+subscribe"], channels=["a"])
    d = drive(real.replace("unix://", "unix://reader:pw@"), "a", "b", ping=20)
    d.until(lambda i: i["type"] == "state" and i["rows"][0]["acknowledged"] and "NOPERM" in i["rows"][1]["error"])
    client.publish("a", "mine")
    d.message("mine")
    client.acl_setuser("reader", enabled=True, passwords=["+pw"], commands=["+subscribe"], channels=["a", "b"])
    d.subscribed()
    d.stop()
