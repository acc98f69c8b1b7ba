"""The service as users run it: private redis-server, subscriber, gateway and lighttpd, started by tools/run.py on free ports.

BUILDDIR names the build under test. `--web=SERVER:MOUNT` puts another web server before it (lighttpd:/ by default), with which the
tests marked `web` pass too: they are all that a client can see. Nothing here sleeps: `until` polls a condition that must come true by a deadline.
A service whose log shows a sanitizer's report fails its test.
"""

import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
import redis
import requests

from contract import contract_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from ports import free_port  # noqa: E402

BUILD = pathlib.Path(os.environ.get("BUILDDIR", ROOT / "build"))
SLOW = 4 if re.search("asan|tsan|cover", BUILD.name) else 1  # such builds take longer
PATTERNS, DETECTED = "tickstock:patterns:streaming", "tickstock:patterns:detected"
DOCUMENTED = (
    '{"pattern_name":"doji","symbol":"AAPL","timeframe":"1min","confidence":85.5,"detected_at":1234567890.123,'
    '"bar_count":5,"metadata":{"open":150.0,"high":151.0,"low":149.5,"close":150.2}}'
)
REPORTS = re.compile(r"(AddressSanitizer|LeakSanitizer|ThreadSanitizer|UndefinedBehaviorSanitizer|runtime error:).*")


def pytest_addoption(parser):
    parser.addoption("--web", default="lighttpd:/", metavar="SERVER:MOUNT", help="the web server, and where it has the API")


def pytest_configure(config):
    config.addinivalue_line("markers", "web: what clients see; passes behind every web server")
    config.addinivalue_line("markers", "alone: its promise is so many seconds; ./dev test runs it when nothing else does")
    Service.server, Service.at = config.getoption("--web").split(":")


def until(condition, what, seconds=15):
    """Polls until `condition()` is true, and returns what it returned."""
    deadline = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"after {seconds * SLOW} s still not: {what}"
        select.select([], [], [], 0.02)


class Redis:
    """A redis-server of the test's own, that can be stopped, started on the same port, and fed."""

    def __init__(self, directory):
        self.directory, self.port, self.process = directory, free_port(), None
        self.client = redis.Redis(host="127.0.0.1", port=self.port, socket_timeout=10)
        self.start()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self):
        with open(self.directory / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no",
                 "--dir", str(self.directory)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self.answers, "redis-server answers")

    def answers(self):
        assert self.process.poll() is None, (self.directory / "redis.log").read_text()
        try:
            return self.client.ping()
        except redis.exceptions.ConnectionError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def publish(self, channel, message):
        assert self.client.publish(channel, message) == 1, "nobody listens"


class Service:
    """One `tools/run.py`, its programs, and its API."""

    server, at = "lighttpd", "/"
    whose = "this test"

    def __init__(self, directory, *options, command=None, server=None, at=None):
        self.server, self.at = server or self.server, at or self.at
        self.mount = self.at.rstrip("/")
        self.port = free_port()
        self.log = directory / "service.log"
        self.state = directory / "state"
        command = command or [sys.executable, ROOT / "tools/run.py", "--build", BUILD]
        env = {**os.environ, "TMPDIR": "/tmp"}
        for name in list(env):
            if name.startswith("TICKGATE_") or name in ("REDIS_URL", "XDG_RUNTIME_DIR"):
                del env[name]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(a) for a in (*command, "--port", self.port, "--server", self.server, "--mount", self.at, *options)], env=env, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        self.url = f"http://127.0.0.1:{self.port}{self.mount}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.hooks["response"].append(contract_of(BUILD / "tickgate.fcgi").hook_at(self.mount))
        self.output = []

    def wait_ready(self, seconds=30):
        """Reads stdout until the ready line and what follows it at once; returns the lines."""
        # A thread reads, since stdout may stay open and silent.
        done = threading.Event()

        def read():
            for line in self.process.stdout:
                self.output.append(line.decode().rstrip("\n"))
                if len(self.output) >= 4:
                    done.set()
            done.set()

        threading.Thread(target=read, daemon=True).start()
        assert done.wait(seconds * SLOW), "not ready: " + self.log.read_text()[-4000:]
        assert self.output and self.output[0] == f"tickgate: ready on {self.url}/", self.log.read_text()[-4000:]
        return self.output

    def get(self, path, **more):
        """`path` begins below the mount point, or at it, as links in answers do."""
        if self.mount:
            path = path.removeprefix(self.mount)
        try:
            return self.session.get(self.url + path, timeout=30, **more)
        except requests.exceptions.ConnectionError as e:
            raise AssertionError(f"{path}: {e}\n" + self.log.read_text(errors="replace")[-4000:]) from e

    def json(self, path):
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def data(self, path):
        return self.json(path)["data"]

    def channel(self, name):
        return next(c for c in self.data("/v1/channels") if c["channel"] == name)

    def received(self):
        """The sum of what the channels have received; every channel's own sums must be right at any time."""
        channels = self.data("/v1/channels")
        for c in channels:
            assert c["received"] == c["accepted"] + c["duplicates"] + sum(c["rejected"].values()), c
        return sum(c["received"] for c in channels)

    def pids(self, name):
        """The supervisor's children with this program name."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(pid) for pid in children if program(pid) == name]

    def pid(self, name):
        found = until(lambda: self.pids(name), f"{name} runs")
        assert len(found) == 1
        return found[0]

    def workers(self):
        parent = self.pid("tickgate.fcgi")
        return [int(p) for p in pathlib.Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def stop(self, signum=signal.SIGTERM):
        """Ends it; returns its exit status. Every program must have ended with it."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        status = self.process.wait(60)
        until(lambda: not session_members(self.process.pid), "everything that was started has ended")
        text = self.log.read_text(errors="replace")
        report = REPORTS.search(text)
        if report is not None:
            # Not only the end, which the shutdown writes: the report itself, and what led to it.
            around = text[max(0, report.start() - 2000):report.end() + 6000]
            raise AssertionError(f"{report.group()}\nin {self.log}, of {self.whose}:\n{around}")
        return status

    def kill(self):
        """For teardown after a failure."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def program(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def session_members(session):
    """Living processes of a session, as /proc tells."""
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = pathlib.Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                members.append(int(entry))
    return members


@contextlib.contextmanager
def simulating(url, *options):
    """The simulator as a load generator, for as long as the block lasts at most."""
    with subprocess.Popen([str(BUILD / "tickgate-sim"), *map(str, options)], env={**os.environ, "REDIS_URL": url},
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as sim:
        try:
            yield sim
        finally:
            sim.kill()


def simulate(url, *options):
    """Has the simulator send all that it has to (--count)."""
    with simulating(url, *options) as sim:
        out, _ = sim.communicate(timeout=60 * SLOW)
        assert sim.returncode == 0, out


def walk(service, path, link):
    """All pages from `path` on, by `next` or `follow`, as one list; ends when a page says that there is no more."""
    events, pages = [], 0
    while path:
        page = service.json(path)
        assert page["count"] == len(page["data"])
        events += page["data"]
        path = page[link] if page["has_more"] else None
        pages += 1
        assert pages < 5000
    return events


def seq(event):
    return int(event["id"].rsplit("-", 1)[1])


@contextlib.contextmanager
def own_redis(directory):
    server = Redis(directory)
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def launching(directory, whose=Service.whose):
    """Starts services that end with the block, and fails it if one of them leaves a sanitizer's report. `whose` says in that who may have caused it."""
    services = []

    def start(*options, ready=True, **more):
        place = directory / f"service{len(services)}"
        place.mkdir()
        service = Service(place, *options, **more)
        service.whose = whose
        services.append(service)
        if ready:
            service.wait_ready()
        return service

    try:
        yield start
    finally:
        for service in services:
            service.kill()
    for service in services:
        service.stop()


def usual(launch, redis_server, directory):
    """A service on this Redis, without the simulator."""
    # A CGI program runs as www-data, who may not enter pytest's directories: then the log is where the sockets are.
    state = () if "cgi" in Service.server else ("--state", directory / "state")
    return launch("--redis", redis_server.url, *state, "--no-demo")


@pytest.fixture
def redis_server(tmp_path):
    with own_redis(tmp_path) as server:
        yield server


@pytest.fixture
def launch(tmp_path):
    with launching(tmp_path) as start:
        yield start


@pytest.fixture
def service(launch, redis_server, tmp_path):
    """The usual one: on the test's own Redis."""
    return usual(launch, redis_server, tmp_path)


# What all tests of a module have together: for those that only read, or that are refused, or that look at what is new only.
# A start costs more than most of them.


@pytest.fixture(scope="module")
def shared_redis(tmp_path_factory):
    with own_redis(tmp_path_factory.mktemp("shared")) as server:
        yield server


@pytest.fixture(scope="module")
def shared_launch(request, tmp_path_factory):
    # It ends with the module's last test, which is blamed.
    with launching(tmp_path_factory.mktemp("shared"), f"all tests of {request.module.__name__}") as start:
        yield start


@pytest.fixture(scope="module")
def shared_service(shared_launch, shared_redis, tmp_path_factory):
    """The usual one, on the module's Redis."""
    return usual(shared_launch, shared_redis, tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def programs():
    missing = [p for p in ("tickgate-subscriber", "tickgate.fcgi", "tickgate-sim") if not (BUILD / p).exists()]
    assert not missing, f"not built: {missing}"
