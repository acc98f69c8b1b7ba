"""docs/examples, run as they are."""

import json
import shutil
import socket
import subprocess
import threading

from conftest import BUILD, ROOT, free_port, simulate, until, walk

POLLS = 20


class Meter:
    """A relay before the service that counts the bytes which the client gets, heads and all."""

    def __init__(self, port):
        self.to, self.bytes = port, 0
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.to))
            threading.Thread(target=self.copy, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, True), daemon=True).start()

    def copy(self, source, sink, counts):
        try:
            while data := source.recv(65536):
                if counts:
                    self.bytes += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def run(service, *more):
    node = shutil.which("node")
    assert node, "./dev test installs nodejs"
    meter = Meter(service.port)
    done = subprocess.run([node, ROOT / "docs/examples/poll.mjs", meter.url, *map(str, more)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    meter.listener.close()
    *lines, last = done.stdout.splitlines()
    return lines, json.loads(last), meter.bytes


def test_polling_with_tags_saves_what_it_should(service, redis_server):
    simulate(redis_server.url, "--count", 4000, "--rate", 0, "--seed", 5, "--symbols", 5)
    until(lambda: service.received() >= 4000, "all are in")
    day = walk(service, "/v1/patterns?limit=1000", "next")
    assert len(day) > 200, "several pages"
    sums = {}
    for mode in ((), ("plain",)):
        until(lambda: len({service.get("/v1/patterns?limit=50").headers["ETag"] for _ in range(20)}) == 1, "quiet")
        lines, result, sums[mode] = run(service, POLLS, *mode)
        _, _, without_polls = run(service, 0, *mode)
        sums[mode] -= without_polls
        assert result["day"] == len(day) and result["polls"] == POLLS
        assert result["unchanged"] == (0 if mode else POLLS - 1)
        assert len(lines) == 50 and all(line.endswith(" % ") for line in lines), "each is shown once"
    with_tags, plain = sums[()], sums["plain",]
    (BUILD / "polling.md").write_text(f"{POLLS} polls of 50 unchanged patterns: {with_tags} bytes with ETag, {plain} without\n")
    assert with_tags < plain / 5, sums

