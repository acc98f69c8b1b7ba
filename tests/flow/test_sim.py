"""tickgate-sim against a private redis-server: counts, pace, replay, refusals, the clean end."""
import json
import os
import signal
import subprocess
import time

import pytest
import redis

from conftest import BUILD, SLOW, until

SIM = str(BUILD / "tickgate-sim")


@pytest.fixture
def server(tmp_path):
    sock = str(tmp_path / "redis.sock")
    with subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", sock, "--save", "", "--dir", str(tmp_path)],
                          stdout=subprocess.DEVNULL) as proc:
        try:
            until(lambda: answers(sock), "redis-server answers")
            yield sock
        finally:
            proc.terminate()


def answers(sock):
    try:
        return redis.Redis(unix_socket_path=sock).ping()
    except redis.ConnectionError:
        return False


def sim(*args, **kw):
    return subprocess.run([SIM, *args], capture_output=True, text=True, timeout=60, **kw)


def listen(sock):
    sub = redis.Redis(unix_socket_path=sock).pubsub()
    sub.psubscribe("tickstock*")
    assert sub.get_message(timeout=5)["type"] == "psubscribe"
    return sub


def test_count_is_exact(server):
    sub = listen(server)
    out = sim("--redis", f"unix://{server}", "--rate", "0", "--count", "5000", "--form", "mixed")
    assert out.returncode == 0, out.stderr
    assert out.stdout.startswith("published 5000 messages, receivers at the last: 1,")
    got = [sub.get_message(timeout=5) for _ in range(5000)]
    assert got[0]["channel"] == b"tickstock:streaming:session_started"
    assert got[-1]["channel"] == b"tickstock:streaming:session_stopped"
    assert all(isinstance(json.loads(m["data"]), dict) for m in got)
    assert sub.get_message(timeout=0.1) is None


@pytest.mark.alone
def test_rate(server):
    began = time.monotonic()
    out = sim("--redis", f"unix://{server}", "--rate", "1000", "--count", "5000")
    assert out.returncode == 0, out.stderr
    assert 4.75 <= time.monotonic() - began <= 5.25


def test_record_and_replay(server, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    args = ["--count", "3000", "--rate", "500", "--start", "2026-11-23T09:30:00Z", "--form", "wire", "--record"]
    assert sim(*args, str(first)).returncode == 0
    assert sim(*args, str(second)).returncode == 0
    assert first.read_bytes() == second.read_bytes()
    sub = listen(server)
    assert sim("--redis", f"unix://{server}", "--rate", "0", "--replay", str(first)).returncode == 0
    for line in first.read_text().splitlines():
        got, want = sub.get_message(timeout=5), json.loads(line)
        assert (got["channel"].decode(), got["data"].decode()) == (want["channel"], want["message"])


def test_bad_line_is_named(server, tmp_path):
    path = tmp_path / "bad"
    path.write_text('{"channel":"c","message":"m","expect":1}\n{"channel":"c"}\n')
    out = sim("--redis", f"unix://{server}", "--rate", "0", "--replay", str(path))
    assert out.returncode == 65 and "line 2" in out.stderr


def test_no_redis(tmp_path):
    out = sim("--redis", f"unix://{tmp_path}/none", "--count", "1")
    assert out.returncode == 69 and "none" in out.stderr


@pytest.mark.parametrize("args", [["--rate", "x"], ["--symbols", "0"], ["--form", "odd"], ["--nope"], ["extra"]])
def test_usage(args):
    assert sim(*args).returncode == 64


def test_sigterm_ends_the_session(server):
    sub = listen(server)
    with subprocess.Popen([SIM, "--redis", f"unix://{server}", "--rate", "100"], stdout=subprocess.DEVNULL) as proc:
        try:
            assert sub.get_message(timeout=5 * SLOW)["channel"] == b"tickstock:streaming:session_started"
            proc.send_signal(signal.SIGTERM)
            assert proc.wait(timeout=5 * SLOW) == 0
        finally:
            proc.kill()
    last = None
    while last != b"tickstock:streaming:session_stopped":
        last = sub.get_message(timeout=5)["channel"]
    assert sub.get_message(timeout=0.1) is None, "nothing comes behind it"
