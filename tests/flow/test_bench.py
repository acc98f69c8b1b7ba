"""tickgate-bench must see what is wrong: a server that leaves out, repeats, disorders or breaks off is told from one that does not."""

import json
import os
import socket
import subprocess
import threading

import pytest

from conftest import BUILD, free_port, own_redis, until


@pytest.fixture(scope="session")
def tickgate_bench():
    subprocess.run(["make", "-s", "-C", BUILD, "bench/tickgate-bench"], check=True, stdout=subprocess.DEVNULL)
    return BUILD / "bench/tickgate-bench"


@pytest.fixture
def bench(tickgate_bench):
    """Runs a command to its end and returns its figures."""

    def run(*argv, status=0):
        done = subprocess.run([tickgate_bench, *map(str, argv)], stdin=open_pipe(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60)
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout.splitlines()[-1]) if status == 0 else done.stderr

    pipes = []

    def open_pipe():
        # An end of stdin would end the command.
        reading, writing = os.pipe()
        pipes.extend((reading, writing))
        return reading

    yield run
    for fd in pipes:
        os.close(fd)


class Server:
    """Answers each connection's request with what `answer(request)` gives, in pieces, and then closes it."""

    def __init__(self, answer, piece=7):
        self.answer, self.piece, self.requests = answer, piece, []
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            request = b""
            while b"\r\n\r\n" not in request:
                got = connection.recv(4096)
                if not got:
                    return
                request += got
            self.requests.append(request.decode())
            bytes_ = self.answer(request.decode())
            for i in range(0, len(bytes_), self.piece):
                connection.sendall(bytes_[i:i + self.piece])


def chunked(*parts):
    """A stream's answer; the chunks cut lines anywhere."""
    body = "".join(parts).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in (body[i:i + 33] for i in range(0, len(body), 33))) + b"0\r\n\r\n"


def event(n, seq=None):
    return f'id: q7k2m9xa-{seq or n}\nevent: indicator\ndata: {{"symbol":"S0000","bench":{{"n":{n},"us":1}}}}\n\n'


HELLO = 'retry: 3000\nevent: hello\nid: q7k2m9xa-0\ndata: {"epoch":"q7k2m9xa"}\n\n'
EXPECTED = {
    "right": ([1, 2, 3], {"complete": 1, "missing": 0, "repeated": 0, "disordered": 0, "deliveries": 3}),
    "left out": ([1, 3], {"complete": 0, "missing": 1, "repeated": 0, "disordered": 0, "deliveries": 2}),
    "repeated": ([1, 2, 2, 3], {"complete": 1, "missing": 0, "repeated": 1, "disordered": 1, "deliveries": 3}),
    "late": ([1, 3, 2], {"complete": 0, "missing": 1, "repeated": 1, "disordered": 1, "deliveries": 2}),
}


@pytest.mark.parametrize("piece", [7, 65536])
@pytest.mark.parametrize("name", EXPECTED)
def test_follow_counts_what_is_wrong(bench, name, piece):
    marks, want = EXPECTED[name]
    server = Server(lambda _: chunked(HELLO, *(event(n) for n in marks)), piece)
    got = bench("follow", "--connect", server.address, "--events", 3)
    assert {k: got[k] for k in want} == want
    assert got["controls"]["hello"] == 1 and got["opened"] == 1 and got["refused"] == 0


def test_follow_sees_ids_that_go_back(bench):
    server = Server(lambda _: chunked(HELLO, event(1, 10), event(2, 9), event(3, 11)))
    got = bench("follow", "--connect", server.address, "--events", 3)
    assert (got["missing"], got["disordered"]) == (0, 1)


def test_follow_comes_back_by_id_and_checks_over_the_break(bench):
    def answer(request):
        return chunked(HELLO, event(3), event(4)) if "Last-Event-ID: q7k2m9xa-2\r\n" in request else chunked(HELLO, event(1), event(2))

    server = Server(answer)
    got = bench("follow", "--connect", server.address, "--events", 4, "--reconnect")
    assert (got["complete"], got["missing"], got["repeated"], got["reconnects"]) == (1, 0, 0, 1)
    assert len(server.requests) == 2


def test_follow_reads_lines_of_json(bench):
    lines = ['{"control":"hello"}\n', *('{"id":"q7k2m9xa-%d","bench":{"n":%d,"us":1}}\n' % (n, n) for n in (1, 2, 4))]
    server = Server(lambda _: chunked(*lines))
    got = bench("follow", "--connect", server.address, "--events", 3, "--framing", "ndjson")
    assert (got["deliveries"], got["missing"], got["disordered"], got["controls"]["hello"]) == (3, 1, 0, 1)
    assert "Accept: application/x-ndjson\r\n" in server.requests[0]


def test_follow_counts_refusals(bench):
    server = Server(lambda _: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno")
    got = bench("follow", "--connect", server.address, "--n", 3)
    assert (got["opened"], got["refused"]) == (0, 3)


def listing(symbol, n, tag):
    body = '{"data":[%s]}' % ",".join('{"id":"q7k2m9xa-%d","symbol":"%s"}' % (i, symbol) for i in range(n))
    return f'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: W/"{tag}"\r\nContent-Length: {len(body)}\r\n\r\n{body}'.encode()


def test_get_checks_bodies_and_statuses(bench):
    def answer(request):
        symbol = request.split()[1].rsplit("/", 1)[1]
        if f'If-None-Match: W/"{symbol}"\r\n' in request:
            return b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\nConnection: close\r\n\r\n"  # has no body whatever its header says
        return listing("S0000", 3, symbol)

    server = Server(answer, piece=11)
    options = ("--connect", server.address, "--path", "/{symbol}", "--symbols", 2, "--n", 1, "--check", 3, "--etags")
    got = bench("get", *options, "--count", 4, "--expect", 304)
    assert got["wrong_bodies"] == 1  # S0001 was answered with S0000's
    assert got["statuses"] == {"304": 4} and got["wrong"] == 0
    got = bench("get", *options, "--count", 4, "--expect", 200)
    assert got["wrong"] == 4


def test_wait_tells_answers_from_time_outs(bench):
    answers = iter([b'{"data":[{"bench":{"n":1,"us":1}}]}', b'{"data":[]}', b"{"])

    def answer(_):
        body = next(answers)
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body) + (body == b"{"), body)

    server = Server(answer)
    got = bench("wait", "--connect", server.address, "--n", 3)
    assert (got["answered"], got["empty"], got["wrong"], got["unanswered"]) == (1, 1, 1, 0)
    assert not any("close" in request.lower() for request in server.requests)  # as pollers do, who ask again on the same connection


def test_wait_keeps_answered_connections_until_all_are_answered(bench):
    first, order = threading.Event(), []

    def serve(self, connection):
        with connection:
            connection.recv(4096)
            last = first.is_set()
            first.set()
            if last:  # the other one has its answer now, or soon, and must not leave before we have ours
                order.append("answered")
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"data\":[]}")
            connection.recv(1)
            order.append("closed")

    server = Server(None)
    server.serve = serve.__get__(server)
    got = bench("wait", "--connect", server.address, "--n", 2)
    assert got["empty"] == 2
    until(lambda: order.count("closed") == 2, "both are closed")
    assert order[0] == "answered"


def test_what_is_published_is_received(bench, tickgate_bench, tmp_path):
    # It ends with its stdin, which the block closes, or with its Redis.
    with own_redis(tmp_path) as server, subprocess.Popen([tickgate_bench, "subscribe", "--redis", server.url, "--events", "500"],
                                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as subscriber:
        assert subscriber.stdout.readline() == "ready\n"
        got = bench("publish", "--redis", server.url, "--symbols", 7, "--count", 500, "--rate", 5000)
        assert (got["published"], got["unconfirmed"], got["receivers"]) == (500, 0, 1)
        assert 0.09 < (got["end_us"] - got["start_us"]) / 1e6  # an even rate, not flat out
        out = json.loads(subscriber.communicate(timeout=20)[0])
        assert out["events"] == 500 and out["latency"]["n"] == 500 and out["latency"]["p50_us"] > 0


@pytest.mark.alone
def test_thousands_a_second_are_sent_together(bench):
    """A producer of thousands pipelines; below, each message goes by itself."""

    def sendings(count, rate):
        with socket.create_server(("127.0.0.1", free_port())) as listener:
            sizes = []

            def serve():
                c = listener.accept()[0]
                with c:
                    while sum(sizes) < count and (chunk := c.recv(1 << 20)):
                        sizes.append(chunk.count(b"PUBLISH"))
                        c.sendall(b":1\r\n" * sizes[-1])

            server = threading.Thread(target=serve)
            server.start()
            got = bench("publish", "--redis", f"redis://127.0.0.1:{listener.getsockname()[1]}", "--count", count, "--rate", rate)
            server.join()
        assert got["published"] == sum(sizes) == count
        return len(sizes)

    assert sendings(500, 5000) <= 100  # of ten and more
    assert sendings(50, 500) >= 25


def test_wrong_options_are_told(bench):
    assert "--n does not take" in bench("follow", "--n", "many", status=64)
    assert "no command" in bench("swallow", status=64)
