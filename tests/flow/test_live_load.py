"""Many at once: a gateway that is replaced under 500 followers, and ten thousand who come and go. tickgate-bench holds the streams."""

import collections
import json
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import fcgi_client as fcgi
from conftest import BUILD, SLOW, until
from live_client import ask

FOLLOWERS = 500
EVENTS = 600
CONNECTION_KB = 512  # of memory that a thread takes for its connection to the log at most: pages of its cache, statements


@pytest.fixture(scope="session")
def tickgate_bench():
    subprocess.run(["make", "-s", "-C", BUILD, "bench/tickgate-bench"], check=True, stdout=subprocess.DEVNULL)
    return BUILD / "bench/tickgate-bench"


@pytest.fixture
def bench(tickgate_bench):
    """Starts commands of tickgate-bench, which end with the test at the latest: by the end of their stdin."""
    started = []

    def start(*argv):
        started.append(subprocess.Popen([tickgate_bench, *map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for p in started:
        p.stdin.close()
        p.wait(30)


def ready(p):
    assert p.stdout.readline() == b"ready\n"
    return p


def figures(p):
    return json.loads(p.stdout.readline())


def clients(service):
    """None while nobody answers."""
    answer = service.session.get(service.url + "/v1/health", timeout=30, hooks={"response": []})
    return answer.json()["streams"]["clients"] if answer.status_code == 200 else None


@pytest.mark.parametrize("what", ["gateway", "workers"])
def test_a_restart_under_followers_loses_nothing_and_ends_nobody(service, redis_server, bench, what):
    """The listener outlives the gateway, so nobody is refused: what an EventSource would not come back from."""
    followers = ready(bench("follow", "--connect", f"127.0.0.1:{service.port}", "--path", "/v1/stream?symbols={symbol}&after=oldest", "--n", FOLLOWERS,
                            "--symbols", 1, "--reconnect", "--events", EVENTS, "--first-mark", 1))
    publisher = ready(bench("publish", "--redis", redis_server.url, "--symbols", 1, "--rate", 150, "--count", EVENTS))
    stored = "/v1/symbols/S0000/indicators?limit=1000&after=oldest"
    for part in (1, 2, 3):
        until(lambda part=part: len(service.data(stored)) > part * EVENTS / 5, "events come in", 60)
        if what == "gateway":
            old = service.pid("tickgate.fcgi")
            os.kill(old, signal.SIGTERM)
            until(lambda old=old: service.pids("tickgate.fcgi") not in ([], [old]), "the gateway is replaced", 60)
        else:
            for pid in service.workers():
                os.kill(pid, signal.SIGTERM)
    assert figures(publisher)["published"] == EVENTS
    got = figures(followers)
    assert {k: got[k] for k in ("opened", "refused", "bad_status", "complete", "deliveries", "missing", "repeated", "disordered")} == {
        "opened": FOLLOWERS, "refused": 0, "bad_status": 0, "complete": FOLLOWERS, "deliveries": FOLLOWERS * EVENTS, "missing": 0, "repeated": 0,
        "disordered": 0}
    assert got["controls"]["bye"] >= FOLLOWERS and got["reconnects"] >= FOLLOWERS and got["controls"]["reset"] == 0


def of_process(pid):
    """(sockets and the like, threads that have opened the log, KB of anonymous memory)"""
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line)
    files = collections.Counter(os.readlink(fd) for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir())
    threads = len(os.listdir(f"/proc/{pid}/task"))
    # A thread opens the log and the state file when it first has to read them: once each, and that may be at any time.
    for name, n in files.items():
        assert not name.startswith("/") or n <= threads, (name, files)
    logs = sum(n for name, n in files.items() if name.endswith("/tickgate.db"))
    return sum(n for name, n in files.items() if not name.startswith("/")), logs, int(status["RssAnon"].split()[0])


def test_ten_thousand_come_and_go_and_leave_nothing(service):
    """Streams through lighttpd, which tells a close at once (heartbeats of 55 s would notice it long after the test has given up). Waits by FastCGI itself:
    of a client that closes before the head of its answer came lighttpd does not always tell, and then the place is free at the end of the wait."""
    arguments = pathlib.Path(f"/proc/{service.pid('tickgate.fcgi')}/cmdline").read_text().split("\0")
    where = next(a.split("=", 1)[1] for a in arguments if a.startswith("paths.run_dir=")) + "/fcgi.sock"
    streams = ("/v1/stream?symbols=AAPL,MSFT&heartbeat=55", "/v1/stream?min_confidence=80&batch=250&heartbeat=55")
    waits = ("symbols=AAPL&wait=55", "after=now&wait=55&linger=100")

    def come(i):
        if i % 4 < 2:
            return ask(service.port, streams[i % 2], None, 30)
        s = fcgi.connect(where)
        s.sendall(fcgi.head("/v1/poll", query=waits[i % 2]) + fcgi.record(fcgi.STDIN))
        return s

    def turn(n):
        for i in range(0, n, 100):
            opened = [come(k) for k in range(100)]
            for k, s in enumerate(opened):
                if k % 4 < 2 and k % 8 < 4:  # the others go before they have had a byte
                    assert s.recv(17, socket.MSG_WAITALL) == b"HTTP/1.1 200 OK\r\n"
                s.close()
        until(lambda: not any(service.json("/v1/health")["streams"][k] for k in ("clients", "waiters")),
              "all are gone", 20)
        return [of_process(pid) for pid in service.workers()]

    workers = service.workers()
    turn(2000)
    before = turn(6000)  # the threads' parts of the allocator have grown to what they need
    after = turn(6000)
    assert service.workers() == workers
    for (fds, logs, kb), (fds_after, logs_after, kb_after) in zip(before, after):
        assert fds_after <= fds + 1, (before, after)
        # A byte that each leaves would be 6 KB; the allocator's own ups and downs are some hundred. A sanitizer keeps what is freed, and tells leaks itself.
        assert SLOW > 1 or kb_after <= kb + 512 + CONNECTION_KB * (logs_after - logs), (before, after)
    print(before, after)
