"""What a worker has given up: provoked violations in the running service, and what is left in its memory."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

import pytest

import fcgi_client as fcgi
from conftest import BUILD, SLOW, until
from test_writes import TICK, make_token, post, tokens, writable  # noqa: F401

SECRET = "correct-horse-battery"


def workers(pid):
    return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def has_landlock():
    with tempfile.TemporaryDirectory() as d:
        g = Gateway(d)
        try:
            return "sandbox_on" in g.text()
        finally:
            g.close()


AS_ANYBODY = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def can_be_read(pid):
    """By a process of the same user, with no more rights than it."""
    return subprocess.run([*AS_ANYBODY, "cat", f"/proc/{pid}/environ"], capture_output=True).returncode == 0


class Gateway:
    """tickgate.fcgi alone."""

    def __init__(self, directory, *settings, env=None, arguments=(), under=()):
        self.where, self.log = directory + "/s", directory + "/log"
        options = [f"paths.state_dir={directory}/state", f"paths.run_dir={directory}/run", *settings]
        for name in ("state", "run"):
            os.makedirs(f"{directory}/{name}", exist_ok=True)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*under, f"{BUILD}/tickgate.fcgi", "--listen", self.where, "--workers", "1",
                                             *(word for o in options for word in ("-o", o)), *arguments], stderr=log, env={**os.environ, **(env or {})})
        deadline = time.monotonic() + 20 * SLOW
        while not self.is_up():
            assert time.monotonic() < deadline and self.process.poll() is None, self.text()

    def is_up(self):
        try:
            return fcgi.request(self.where)[0] == 200
        except OSError:
            return False

    def text(self):
        return pathlib.Path(self.log).read_text()

    def worker(self):
        return until(lambda: workers(self.process.pid), "it has a worker")[0]

    def close(self):
        self.process.terminate()
        assert self.process.wait(20) == 0


@pytest.fixture
def alone():
    with tempfile.TemporaryDirectory() as d:
        made = []

        def make(*settings, **more):
            made.append(Gateway(d, *settings, **more))
            return made[-1]

        yield make
        for g in made:
            g.close()


def knows_the_subscriber(service):
    return service.json("/v1/health")["subscriber"]["age"] is not None


def test_a_file_outside_cannot_be_read(launch, redis_server, tmp_path):
    """The same trick with the sandbox and without: a state file that leads out of its directory."""
    if not has_landlock():
        pytest.skip("this kernel has no Landlock")
    for sandbox, readable in (("yes", False), ("no", True)):
        service = launch("--redis", redis_server.url, "--state", tmp_path / f"state-{sandbox}", "--no-demo", "-o", f"gateway.sandbox={sandbox}")
        until(lambda: knows_the_subscriber(service), "the state is read")
        assert ("sandbox_on" if sandbox == "yes" else "sandbox_off") in service.log.read_text()
        [run_dir] = {line.split("=", 1)[1].split("\0")[0] for line in
                     pathlib.Path(f"/proc/{service.pid('tickgate.fcgi')}/cmdline").read_text().split("\0") if line.startswith("paths.run_dir=")}
        state, elsewhere = pathlib.Path(run_dir) / "state.json", tmp_path / f"elsewhere-{sandbox}"
        subscriber = service.pid("tickgate-subscriber")
        os.kill(subscriber, signal.SIGSTOP)
        try:
            elsewhere.write_bytes(state.read_bytes())
            state.unlink()
            state.symlink_to(elsewhere)
            until(lambda: knows_the_subscriber(service) == readable, f"with sandbox={sandbox} it is {'read' if readable else 'refused'}")
        finally:
            os.kill(subscriber, signal.SIGCONT)


def test_what_the_kernel_says_of_a_worker(alone):
    g = alone()
    status = pathlib.Path(f"/proc/{g.worker()}/status").read_text()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    for pid in (g.worker(), g.process.pid):
        assert re.search(r"^Max core file size\s+0\s+0\s", pathlib.Path(f"/proc/{pid}/limits").read_text(), re.M)


@pytest.mark.parametrize("setting, readable", [("redis.password=" + SECRET, False), ("publish.url=redis://:x@127.0.0.1/0", False), ("log.level=info", True)])
def test_the_parent_with_a_password_cannot_be_read(alone, setting, readable):
    """Neither by core dump, which systemd takes whatever the limit says, nor by another process of its user."""
    g = alone(setting, under=AS_ANYBODY)
    assert can_be_read(g.process.pid) == readable


@pytest.mark.parametrize("setting, readable", [("publish.password=" + SECRET, False), ("log.level=info", True)])
def test_the_subscriber_with_a_password_cannot_be_read(tmp_path, setting, readable):
    """Its own errors may go out with another password than that by which it listens."""
    words = [word for o in (f"paths.state_dir={tmp_path}", f"paths.run_dir={tmp_path}", "redis.url=redis://127.0.0.1:1/0", setting) for word in ("-o", o)]
    with subprocess.Popen([*AS_ANYBODY, f"{BUILD}/tickgate-subscriber", "-c", "/dev/null", *words], stderr=subprocess.DEVNULL) as subscriber:
        try:
            until((tmp_path / "state.json").exists, "it has started")
            assert can_be_read(subscriber.pid) == readable
        finally:
            subscriber.terminate()


def test_it_is_never_off_silently(alone):
    assert 'sandbox_off program=tickgate.fcgi why="gateway.sandbox = no"' in alone("gateway.sandbox=no").text()


@pytest.mark.parametrize("later", ["later", "not/yet/there"])
def test_directories_that_are_made_later(redis_server, later):
    """A worker that starts before there is a log still sees it come."""
    with tempfile.TemporaryDirectory() as d:
        os.mkdir(f"{d}/here")
        g = Gateway(d, f"paths.state_dir={d}/here/{later}", f"paths.run_dir={d}/run")
        try:
            assert fcgi.request(g.where, "/v1/patterns")[0] == 503
            os.makedirs(f"{d}/here/{later}")
            subscriber = subprocess.Popen([f"{BUILD}/tickgate-subscriber", "-o", f"paths.state_dir={d}/here/{later}", "-o", f"paths.run_dir={d}/run",
                                           "-o", f"redis.url={redis_server.url}"], stderr=subprocess.DEVNULL)
            try:
                until(lambda: fcgi.request(g.where, "/v1/patterns")[0] == 200, "the log is read")
            finally:
                subscriber.terminate()
                subscriber.wait(20 * SLOW)
        finally:
            g.close()


def memory_of(pid):
    """Everything that the process could write, which is where secrets are."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, mode, *_ = line.split()
            if not mode.startswith("rw"):
                continue
            begin, end = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(begin)
                found.append(mem.read(end - begin))
            except (OSError, ValueError):
                pass
    return b"".join(found)


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another's memory needs root")
@pytest.mark.skipif(re.search("asan|tsan", BUILD.name) is not None, reason="sanitizers keep what was freed, and map terabytes")
def test_a_worker_that_does_not_publish_knows_no_password(alone, tmp_path):
    config = tmp_path / "conf"
    config.write_text(f"[redis]\npassword = {SECRET}-file\n")
    config.chmod(0o600)
    g = alone(arguments=["-c", str(config)], env={"REDIS_URL": f"redis://:{SECRET}-url@127.0.0.1:6379/0", "TICKGATE_PUBLISH_PASSWORD": SECRET + "-env"})
    memory = memory_of(g.worker())
    assert memory.count(b"REDIS_URL") >= 1, "this looks at the right place"
    assert SECRET.encode() not in memory
    environ = pathlib.Path(f"/proc/{g.worker()}/environ").read_bytes()
    assert b"REDIS_URL=" in environ and SECRET.encode() not in environ


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another's memory needs root")
def test_the_tokens_cannot_be_written_by_a_worker(writable, tokens):  # noqa: F811
    for pid in writable.workers():
        mapped = [line.split()[1] for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines() if "tickgate-tokens" in line]
        assert mapped == ["r--s"], mapped
        assert not any("tickgate-tokens" in os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    late = make_token(tokens.file, "late", "publish")
    until(lambda: post(writable, "/v1/ticks", TICK, late).status_code == 202, "and yet they see what the parent writes")
