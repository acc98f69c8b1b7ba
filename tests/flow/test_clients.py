"""Clients that people have follow a stream through restarts: Chromium by EventSource and by fetch-event-source, npm's eventsource, curl, requests.

Each says what it got; in the end that is, id by id, what the log has.
"""

import json
import os
import subprocess
import threading

import pytest
import requests

from conftest import BUILD, PATTERNS, ROOT, SLOW, until

NPM = ROOT / "build/npm"
QUERY = "/v1/stream?symbols=AAPL&kinds=pattern"
NEWS = ("pattern", "gap")


class Program:
    """A client that is a process of its own and says what it gets, an event a line."""

    def __init__(self, url, *argv):
        self.process = subprocess.Popen(["node", str(ROOT / "tests/browser" / argv[0]), str(NPM), url, *argv[1:]], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, "NO_PROXY": "*"})
        self.got = []
        threading.Thread(target=lambda: self.got.extend(self.events()), daemon=True).start()

    def events(self):
        for line in self.process.stdout:
            said = json.loads(line)
            yield said["event"], said["id"]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Resuming:
    """A client without a memory of its own: asks again with the last id, whenever an answer ends."""

    def __init__(self, url):
        self.url, self.got, self.last, self.stopped, self.failed = url, [], None, False, None
        self.thread = threading.Thread(target=self.follow, daemon=True)
        self.thread.start()

    def follow(self):
        while not self.stopped:
            event = id_ = None
            for line in self.lines({"Last-Event-ID": self.last} if self.last else {}):
                name, _, value = line.partition(": ")
                event, id_ = (value, id_) if name == "event" else (event, value) if name == "id" else (event, id_)
                if line == "":
                    self.got.append((event, id_))
                    self.last, event, id_ = id_ or self.last, None, None

    def close(self):
        self.stopped = True
        self.cut()
        self.thread.join(20)
        assert not self.thread.is_alive() and self.failed is None, self.failed


class Curl(Resuming):
    process = None

    def lines(self, headers):
        more = [part for k, v in headers.items() for part in ("-H", f"{k}: {v}")]
        self.process = subprocess.Popen(["curl", "-N", "-s", "--fail", "--noproxy", "*", "-H", "Accept: text/event-stream", *more, self.url],
                                        stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            yield line.rstrip("\n")
        # 18: the answer broke off, its worker was killed.
        if (status := self.process.wait()) not in (0, 18) and not self.stopped:
            self.failed, self.stopped = f"curl ended with {status}", True

    def cut(self):
        self.process.terminate()


class Python(Resuming):
    answer = None

    def lines(self, headers):
        session = requests.Session()
        session.trust_env = False
        try:
            self.answer = session.get(self.url, stream=True, headers={"Accept": "text/event-stream", **headers}, timeout=(20, 60 * SLOW))
            if self.answer.status_code != 200:
                self.failed, self.stopped = f"{self.answer.status_code}", True
            yield from self.answer.iter_lines(chunk_size=None, decode_unicode=True)
        except requests.exceptions.ChunkedEncodingError:
            pass  # the answer broke off, its worker was killed

    def cut(self):
        self.answer.raw._connection.sock.shutdown(2)


CLIENTS = {
    "chromium": lambda url: Program(url, "chromium.mjs", "eventsource"),
    "fetch-event-source": lambda url: Program(url, "chromium.mjs", "fetch"),
    "eventsource": lambda url: Program(url, "npm-eventsource.mjs"),
    "curl": Curl,
    "requests": Python,
}


@pytest.fixture
def clients(service):
    started = {}
    for name, start in CLIENTS.items():
        started[name] = start(service.url + QUERY)
    yield started
    for client in started.values():
        client.close()


def publish(redis_server, first, n):
    for i in range(first, first + n):
        redis_server.publish(PATTERNS, json.dumps({"pattern_name": "doji", "symbol": "AAPL" if i % 3 else "MSFT", "timeframe": "1min",
                                                   "confidence": 50, "detected_at": 1234567890 + i}))


def test_everybody_resumes_across_restarts(service, redis_server, clients):
    def stored():
        return [e["id"] for e in service.data("/v1/events?kinds=pattern,gap&limit=1000&after=oldest") if e["symbol"] in ("AAPL", None)]

    def everybody_has(n):
        wanted = until(lambda: (ids := stored()) and len(ids) >= n and ids, f"{n} are stored")
        for name, client in clients.items():
            until(lambda: sum(e in NEWS for e, _ in client.got) >= n, f"{name} has {n}", 40)
            got = list(client.got)
            assert [id_ for e, id_ in got if e in NEWS] == wanted, name
            assert not {e for e, _ in got} & {"reset", "dropped", "overload", "dead"}, name

    for name, client in clients.items():
        until(lambda: client.got, f"{name} is there", 40)
        assert client.got[0][0] == "hello"
    publish(redis_server, 0, 60)
    everybody_has(40)
    for worker in service.workers():
        os.kill(worker, 15)
    publish(redis_server, 60, 60)
    everybody_has(80)
    for worker in service.workers():
        os.kill(worker, 9)
    publish(redis_server, 120, 30)
    everybody_has(100)
    redis_server.stop()
    redis_server.start()
    until(lambda: all(c["subscribed"] for c in service.data("/v1/channels")) and service.json("/v1/health")["redis"]["connected"], "subscribed again")
    until(lambda: redis_server.client.pubsub_numsub(PATTERNS)[0][1], "Redis has a subscriber")
    publish(redis_server, 150, 30)
    everybody_has(121)
    hellos = {name: sum(e == "hello" for e, _ in client.got) for name, client in clients.items()}
    assert all(n == 3 for n in hellos.values()), hellos
