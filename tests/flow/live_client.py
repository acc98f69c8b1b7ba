"""A reader of streams over a plain socket: chunked transfer, events as the HTML standard reads them, or lines."""

import http.client
import json
import select
import socket
import types

from conftest import SLOW


def ask(port, path, headers, seconds, receive_buffer=None, pieces=False):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(seconds * SLOW)
    s.connect(("127.0.0.1", port))
    lines = [f"GET {path} HTTP/1.1", "Host: test", *(f"{k}: {v}" for k, v in (headers or {}).items()), "", ""]
    request = "\r\n".join(lines).encode()
    if pieces:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.sendall(request[:9])
        select.select([s], [], [], 0.2)
        request = request[9:]
    s.sendall(request)
    return s


class Waiting:
    """A request whose answer is read when it is first looked at."""

    def __init__(self, port, path, headers=None, seconds=60, pieces=False):
        self.socket = ask(port, path, headers, seconds, pieces=pieces)
        self.answer = None

    def read(self):
        if self.answer is None:
            self.answer = http.client.HTTPResponse(self.socket)
            self.answer.begin()
            self.content = self.answer.read()
        return self.answer

    @property
    def status(self):
        return self.read().status

    @property
    def headers(self):
        return {k.lower(): v for k, v in self.read().getheaders()}

    @property
    def body(self):
        self.read()
        return self.content

    def json(self):
        assert self.status == 200, self.body
        return json.loads(self.body)

    def close(self):
        self.socket.close()


class Stream:
    def __init__(self, port, path, headers=None, seconds=20, receive_buffer=None):
        self.socket = ask(port, path, headers, seconds, receive_buffer)
        self.raw, self.body, self.ended, self.taken = b"", b"", False, 0
        while b"\r\n\r\n" not in self.raw:
            self.raw += self.receive()
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        first, *rest = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
        self.chunked = self.headers.get("transfer-encoding") == "chunked"

    def close(self):
        self.socket.close()

    def receive(self):
        data = self.socket.recv(65536)
        assert data, "the connection was cut"
        return data

    def more(self):
        """Reads on; False at the body's end."""
        if self.ended:
            return False
        if not self.chunked:
            left = int(self.headers.get("content-length", 1 << 40)) - self.taken
            data = self.raw or (self.socket.recv(65536) if left > 0 else b"")
            self.raw, self.ended = b"", not data
            self.taken += len(data)
            self.body += data
            return not self.ended
        while b"\r\n" not in self.raw:
            self.raw += self.receive()
        size, rest = self.raw.split(b"\r\n", 1)
        n = int(size, 16)
        while len(rest) < n + 2:
            rest += self.receive()
        self.body, self.raw, self.ended = self.body + rest[:n], rest[n + 2:], n == 0
        return not self.ended

    def until(self, mark):
        while mark not in self.body:
            if not self.more():
                assert self.body == b"", "the stream ends in the midst of something"
                return None
        part, self.body = self.body.split(mark, 1)
        return part.decode()

    def line(self):
        return self.until(b"\n")

    def next(self):
        """The next event, with event, id, retry, data and json; None at the end."""
        block = self.until(b"\n\n")
        if block is None:
            return None
        event = types.SimpleNamespace(event="message", id=None, retry=None, data=None)
        for line in block.split("\n"):
            name, value = line.split(": ", 1)
            setattr(event, name, value)
        event.retry = int(event.retry) if event.retry else None
        event.json = json.loads(event.data)
        return event

    def take(self, n):
        return [self.next() for _ in range(n)]
