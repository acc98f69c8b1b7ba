"""The programs as services of Type=notify: what they tell systemd, played here by a datagram socket, and when."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile

import pytest

from conftest import BUILD, SLOW, until


class Manager:
    """The notify socket of a systemd; `said` is all that it was told."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        self.socket.setblocking(False)
        self.address, self.said = address, []

    def heard(self, word):
        """How often a line that begins with `word` has come so far."""
        try:
            while True:
                self.said += self.socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            pass
        return sum(line.startswith(word) for line in self.said)


@pytest.fixture(params=["path", "abstract"])
def manager(request):
    with tempfile.TemporaryDirectory(prefix="tg-") as directory:
        m = Manager(directory + "/notify" if request.param == "path" else f"@tickgate-test-{os.getpid()}")
        m.directory = pathlib.Path(directory)
        yield m
        m.socket.close()


@pytest.fixture
def start(manager):
    """Starts a program as systemd would: NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS."""
    started = []

    def go(program, *options, watchdog_s=2, listener=None, **environment):
        env = {k: v for k, v in os.environ.items() if not k.startswith("TICKGATE_") and k != "REDIS_URL"}
        env |= {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": str(watchdog_s * 1_000_000), **environment}
        command = [str(BUILD / program), "-c", "/dev/null", "-o", f"paths.state_dir={manager.directory}",
                   "-o", f"paths.run_dir={manager.directory}", *options]
        script = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$0" "$@"'
        if listener is not None:
            env["LISTEN_FDS"] = "1"
            script = f"exec 3<&{listener.fileno()}; {script}"
        with open(manager.directory / "log", "ab") as log:
            p = subprocess.Popen(["bash", "-c", script, *command], env=env, stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                                 pass_fds=() if listener is None else [listener.fileno()])
        started.append(p)
        return p

    yield go
    for p in started:
        if p.poll() is None:
            p.kill()
            p.wait()


def lives_as_a_service(manager, process, seconds=12):
    """Ready, watched, reloaded, stopped."""
    until(lambda: manager.heard("READY=1") == 1, "ready is told")
    until(lambda: manager.heard("WATCHDOG=1") >= 3, "the watchdog is fed again and again")
    process.send_signal(signal.SIGHUP)
    until(lambda: manager.heard("RELOADING=1") == 1 and manager.heard("READY=1") == 2, "a reload is told, and its end")
    assert manager.said[manager.said.index("RELOADING=1") + 1].startswith("MONOTONIC_USEC=")
    process.terminate()
    until(lambda: manager.heard("STOPPING=1") == 1, "the stop is told")
    assert process.wait(seconds * SLOW) == 0


def test_the_subscriber(manager, start, redis_server):
    process = start("tickgate-subscriber", REDIS_URL=redis_server.url)
    until(lambda: manager.heard("STATUS=Redis connected, 10 of 10 channels; log writable"), "how it is is told")
    redis_server.stop()
    until(lambda: manager.heard("STATUS=Redis not connected, 0 of 10 channels"), "and what has changed")
    lives_as_a_service(manager, process)


def test_the_gateway_with_a_socket_of_systemds(manager, start):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(manager.directory / "fcgi.sock"))
        listener.listen()
        lives_as_a_service(manager, start("tickgate.fcgi", listener=listener))


def test_a_refused_reload_goes_on_and_says_so(manager, start, redis_server):
    settings = manager.directory / "tickgate.conf"
    settings.write_text("")
    process = start("tickgate-subscriber", "-c", str(settings), REDIS_URL=redis_server.url)
    until(lambda: manager.heard("READY=1") == 1, "ready")
    settings.write_text("[log]\nlevel = loud\n")
    process.send_signal(signal.SIGHUP)
    until(lambda: manager.heard("READY=1") == 2, "the reload has ended")
    assert "log.level" in (manager.directory / "log").read_text()
    assert process.poll() is None
