"""What an administrator reads when something is set up wrong: one line that says what it is, and where. Each is provoked for real."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from ports import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILDDIR", ROOT / "build"))
SLOW = 4 if re.search("asan|tsan|cover", BUILD.name) else 1
PATTERN = '{"pattern_name":"doji","symbol":"AAPL","timeframe":"1min","confidence":85.5,"detected_at":1234567890.123,"filler":"%s"}'
EX_CONFIG, EX_TEMPFAIL = 78, 75
NOBODY = 65534


def until(condition, what, seconds=15):
    deadline = time.monotonic() + seconds * SLOW
    while not (value := condition()):
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.02)
    return value


class Program:
    """One of ours with a directory of its own, and what it logged."""

    def __init__(self, directory, name, *options, user=None, url="redis://127.0.0.1:1/0"):
        self.log = directory / f"{name}.log"
        env = {k: v for k, v in os.environ.items() if not k.startswith("TICKGATE_")} | {"REDIS_URL": url}
        command = [BUILD / name, "-c", os.devnull, "-o", f"paths.state_dir={directory}/state", "-o", f"paths.run_dir={directory}/run",
                   *options]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(c) for c in command], env=env, stderr=log, stdout=log, stdin=subprocess.DEVNULL,
                                            user=user, group=user)

    def line(self, *words):
        """The first line with all of these words."""
        lines = self.log.read_text(errors="replace").splitlines()
        return next((line for line in lines if all(w in line for w in words)), None)

    def says(self, *words):
        return until(lambda: self.line(*words), f"{words} in:\n{self.log.read_text(errors='replace')}")

    def ends(self):
        return self.process.wait(15 * SLOW)


@pytest.fixture
def directory():
    with tempfile.TemporaryDirectory(prefix="tg-") as d:
        path = pathlib.Path(d)
        (path / "state").mkdir()
        (path / "run").mkdir()
        yield path


@pytest.fixture
def start(directory):
    started = []

    def go(name, *options, **more):
        p = Program(directory, name, *options, **more)
        started.append(p)
        return p

    yield go
    for p in started:
        if p.process.poll() is None:
            p.process.kill()
            p.process.wait()


@pytest.fixture
def redis(directory):
    """A redis-server with users: who may do everything, and who may hear of patterns only."""
    port = free_port()
    config = directory / "redis.conf"
    config.write_text(f'bind 127.0.0.1\nport {port}\nsave ""\ndir {directory}\nuser default on >secret ~* &* +@all\n'
                      "user narrow on >pw resetchannels &tickstock:patterns:* -@all +subscribe +ping\n")
    with open(directory / "redis.log", "wb") as log:
        process = subprocess.Popen(["redis-server", str(config)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def cli(*words):
        return subprocess.run(["redis-cli", "-p", str(port), "-a", "secret", "--no-auth-warning", *words], capture_output=True,
                              text=True, timeout=30, check=False).stdout.strip()

    cli.port = port
    until(lambda: cli("PING") == "PONG", "redis-server answers")
    yield cli
    process.terminate()
    process.wait(10)


def url(redis, user_and_password):
    return f"redis://{user_and_password}@127.0.0.1:{redis.port}/0"


def test_redis_unreachable(start):
    port = free_port()
    p = start("tickgate-subscriber", url=f"redis://:secret@127.0.0.1:{port}/0")
    line = p.says("warning redis_down")
    assert f"127.0.0.1:{port}" in line and "Connection refused" in line and "retry_ms=" in line
    assert "secret" not in p.log.read_text()


def test_redis_whose_name_nobody_knows(start):
    assert "nowhere.invalid" in start("tickgate-subscriber", url="redis://nowhere.invalid/0").says("warning redis_down", "look up")


@pytest.mark.parametrize("credentials, words", [(":wrong", "WRONGPASS"), ("nobody:secret", "WRONGPASS"), (None, "NOAUTH")])
def test_wrong_password(start, redis, credentials, words):
    address = url(redis, credentials) if credentials else f"redis://127.0.0.1:{redis.port}/0"
    line = start("tickgate-subscriber", url=address).says("warning redis_down")
    assert words in line and "refused" in line
    # At the slow end: a wrong password does not get better, and Redis counts.
    assert int(re.search(r"retry_ms=(\d+)", line).group(1)) > 30_000


def test_no_permission_for_a_channel(start, redis):
    p = start("tickgate-subscriber", url=url(redis, "narrow:pw"))
    assert "NOPERM" in p.says("warning channel_refused", "channel=tickstock:errors")
    p.says("redis_subscribed", "channels=2 of=10")
    assert p.line("channel_refused", "tickstock:patterns:streaming") is None


def documented_user(redis, name):
    """Makes the user `name` of Redis as docs/deploy.md says it."""
    line = re.search(rf"\bACL SETUSER {name} [^\n`]*", (ROOT / "docs/deploy.md").read_text()).group(0)
    assert redis(*line.split()) == "OK", line


@pytest.mark.parametrize("database", [0, 1])
def test_the_permissions_of_the_deployment_guide_let_it_listen(start, redis, database):
    documented_user(redis, "tickgate")
    p = start("tickgate-subscriber", url=f"redis://tickgate:PASSWORD@127.0.0.1:{redis.port}/{database}")
    assert "channels=10 of=10" in p.says("redis_subscribed")
    assert p.line("channel_refused") is None and p.line("redis_down") is None


def test_the_permissions_of_the_deployment_guide_let_it_publish_and_nothing_else(redis):
    documented_user(redis, "tickgate-pub")
    commands = "MULTI\nDISCARD\nPING\nMULTI\nPUBLISH tickstock:market:ticks a\nPUBLISH tickstock:errors b\nEXEC\nPUBLISH tickstock:x c\nKEYS *\n"
    said = subprocess.run(["redis-cli", "-p", str(redis.port), "--user", "tickgate-pub", "--pass", "PASSWORD", "--no-auth-warning"],
                          input=commands, capture_output=True, text=True, timeout=30, check=True).stdout.split("\n")
    assert said[:8] == ["OK", "OK", "PONG", "OK", "QUEUED", "QUEUED", "0", "0"], said
    refused = [line for line in said[8:] if line]
    assert len(refused) == 2 and all(line.startswith("NOPERM") for line in refused), said


def as_nobody():
    if os.geteuid() != 0:
        pytest.skip("root is needed to run a program as another user")
    if not all(path.stat().st_mode & 0o001 for path in BUILD.resolve().parents):
        pytest.skip("the build is where only root gets")
    return NOBODY


def test_a_state_directory_that_cannot_be_written(start, directory):
    user = as_nobody()
    directory.chmod(0o755)
    (directory / "run").chmod(0o777)
    p = start("tickgate-subscriber", user=user)
    line = p.says("error failed")
    assert f"{directory}/state" in line and "Permission denied" in line
    assert p.ends() != 0


def test_a_database_that_cannot_be_written(start, directory, redis):
    user = as_nobody()
    first = start("tickgate-subscriber", url=url(redis, ":secret"))
    first.says("log_open")
    first.process.terminate()
    assert first.ends() == 0
    directory.chmod(0o755)
    for path in ("state", "run"):
        (directory / path).chmod(0o777)
    for path in (directory / "run").iterdir():
        path.unlink()
    (directory / "state/tickgate.lock").unlink()
    for path in (directory / "state").iterdir():
        path.chmod(0o644)
    p = start("tickgate-subscriber", user=user, url=url(redis, ":secret"))
    line = p.says("readonly database")
    assert f"{directory}/state" in line and "error" in line


@contextlib.contextmanager
def small_disk(path, size):
    """A file system of its own on `path`."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path], check=False).returncode != 0:
        pytest.skip("no permission to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk(start, directory, redis):
    with small_disk(directory / "state", "500k"):
        p = start("tickgate-subscriber", url=url(redis, ":secret"))
        p.says("redis_subscribed")
        for _ in range(40):
            redis("PUBLISH", "tickstock:patterns:streaming", PATTERN % ("x" * 20000))
        line = p.says("error store_failed")
        assert "full" in line and f"dir={directory}/state" in line and "make room" in line
        subprocess.run(["mount", "-o", "remount,size=16m", directory / "state"], check=True)
        p.says("notice store_recovered")
        p.process.terminate()
        assert p.ends() == 0


def test_a_socket_in_use(start, directory):
    path = directory / "fcgi.sock"
    first = start("tickgate.fcgi", "--listen", path)
    first.says("notice ready")
    second = start("tickgate.fcgi", "--listen", path)
    assert str(path) in second.says("error failed", "is in use by another process")
    assert second.ends() == EX_TEMPFAIL
    assert first.process.poll() is None and path.is_socket()


def test_a_stale_socket_is_replaced_and_said_so(start, directory):
    path = directory / "fcgi.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))  # closed without unlink: what a killed process leaves
    p = start("tickgate.fcgi", "--listen", path)
    p.says("notice ready")
    assert str(path) in p.says("stale_socket_replaced")
    p.process.send_signal(signal.SIGTERM)
    assert p.ends() == 0


def test_a_socket_path_that_is_something_else(start, directory):
    path = directory / "file"
    path.write_text("precious")
    p = start("tickgate.fcgi", "--listen", path)
    assert f"{path} exists and is not a socket" in p.says("error failed")
    assert p.ends() == EX_CONFIG and path.read_text() == "precious"


@pytest.mark.parametrize("program", ["tickgate.fcgi", "tickgate-subscriber"])
@pytest.mark.parametrize("text, words", [
    ("[gateway]\nworkes = 3\n", ("bad.conf", "gateway.workes", "gateway.workers")),
    ("[retention]\nage = seven\n", ("bad.conf", "retention.age", "seven")),
    ("nonsense\n", ("bad.conf",)),
])
def test_bad_configuration(start, directory, program, text, words):
    path = directory / "bad.conf"
    path.write_text(text)
    p = start(program, "-c", path)
    p.says("error failed", *words)
    assert p.ends() == EX_CONFIG


def test_a_configuration_that_is_not_there(start):
    p = start("tickgate-subscriber", "-c", "/nonexistent/tickgate.conf")
    assert "No such file" in p.says("error failed", "/nonexistent/tickgate.conf")
    assert p.ends() != 0
