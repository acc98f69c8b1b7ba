"""What benchmarks stand on: processes that are watched and always ended, the load generator, and figures with their verdicts."""

import ctypes
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "bench/reference"
TICKS = os.sysconf("SC_CLK_TCK")
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


class BenchError(Exception):
    """A benchmark could not be made, or what was measured was wrong: it has no figures."""


def say(text):
    print(f"bench: {text}", flush=True)


def until(condition, what, seconds=60):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise BenchError(f"after {seconds} s still not: {what}")
        select.select([], [], [], 0.005)


def raise_limits():
    """Descriptors for thousands of streams, for us and all we start."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if os.getuid() == 0 and hard < 65536:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (65536, 65536))
        except (ValueError, OSError):
            pass
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def program(name):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin")
    if path is None:
        raise BenchError(f"{name} is not installed")
    return path


# ---- processes ----


def stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, or None."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None


def session_members(session):
    members = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat_fields(entry)
            if fields and int(fields[3]) == session and fields[0] != "Z":
                members.append(int(entry))
    return members


def name_of(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe"))
    except OSError:
        return None


def cpu_of(pid):
    """User and system time of a process so far, its reaped children included, in seconds."""
    fields = stat_fields(pid)
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICKS if fields else 0.0


def rss_of(pid, field="VmRSS"):
    """Bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


class Process:
    """One program in a session of its own; what it starts is counted and ended with it."""

    def __init__(self, argv, log, env=None, **more):
        self.log = log
        clean = {k: v for k, v in os.environ.items() if not k.startswith("TICKGATE_") and k not in ("REDIS_URL", "XDG_RUNTIME_DIR")}
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                [str(a) for a in argv], env={**clean, "TMPDIR": "/tmp", **(env or {})}, cwd=ROOT, start_new_session=True,
                preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),
                **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": out, **more})

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def pids(self, *names):
        """Of the session, those with these program names; all without."""
        return [p for p in session_members(self.pid) if not names or name_of(p) in names]

    def cpu(self, *names):
        return sum(cpu_of(p) for p in self.pids(*names))

    def tail(self):
        return pathlib.Path(self.log).read_text(errors="replace")[-2000:]

    def stop(self, patience=30):
        if self.running():
            self.popen.terminate()
        try:
            self.popen.wait(patience)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        for pid in session_members(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for stream in (self.popen.stdin, self.popen.stdout):
            if stream:
                stream.close()


class Load(Process):
    """A command of tickgate-bench: wait_ready(), then result() when it ends by itself, or stop_and_result()."""

    def __init__(self, bench, *argv):
        super().__init__([bench.build / "bench/tickgate-bench", *argv], bench.dir / "load.log", stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE)
        bench.started(self)
        self.argv = argv
        self.lines = b""

    def _line(self, seconds):
        deadline = time.monotonic() + seconds
        while b"\n" not in self.lines:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.popen.stdout], [], [], left)[0]:
                raise BenchError(f"{' '.join(map(str, self.argv))}: nothing said within {seconds} s")
            got = os.read(self.popen.stdout.fileno(), 65536)
            if not got:
                raise BenchError(f"{' '.join(map(str, self.argv))} failed: {self.tail()}")
            self.lines += got
        line, self.lines = self.lines.split(b"\n", 1)
        return line.decode()

    def wait_ready(self, seconds=120):
        line = self._line(seconds)
        if line != "ready":
            raise BenchError(f"not ready but {line}")
        return self

    def result(self, seconds=300):
        figures = json.loads(self._line(seconds))
        self.popen.wait(30)
        return figures

    def stop_and_result(self):
        self.popen.stdin.close()
        self.popen.stdin = None
        return self.result()

    def allow(self, n):
        try:
            os.write(self.popen.stdin.fileno(), f"{n}\n".encode())
        except BrokenPipeError:
            pass  # it has sent all and ended


# ---- figures ----


class Figure:
    """One line of the table: what came in every round, ours and the reference's, and what must be reached."""

    def __init__(self, bench, name, unit, must=None, at_least=None, at_most=None, reference=""):
        self.bench, self.name, self.unit, self.reference = bench, name, unit, reference
        self.at_least, self.at_most = at_least, at_most
        self.must = must or (f">= {at_least:g}" if at_least is not None else f"<= {at_most:g}" if at_most is not None else "")
        self.ours, self.theirs, self.values = [], [], []

    def add(self, ours, theirs=None, value=None):
        """A round. `value` is what is judged: the ratio, unless it is said, or ours when there is no reference."""
        self.ours.append(ours)
        if theirs is not None:
            self.theirs.append(theirs)
        if value is None:
            value = ours if theirs is None else ours / theirs if theirs else float("inf")
        self.values.append(value)

    @property
    def value(self):
        return statistics.median(self.values)

    @property
    def met(self):
        if self.at_least is None and self.at_most is None:
            return None
        return (self.at_least is None or self.value >= self.at_least) and (self.at_most is None or self.value <= self.at_most)

    def as_json(self):
        return {"bench": self.bench, "name": self.name, "unit": self.unit, "reference": self.reference, "ours": self.ours,
                "theirs": self.theirs, "values": self.values, "median": self.value, "must": self.must, "met": self.met}

    def cells(self):
        median = statistics.median
        spread = f"{min(self.values):.3g}–{max(self.values):.3g}" if len(self.values) > 1 else ""
        return [self.bench, f"{self.name} ({self.unit})", f"{median(self.ours):,.4g}",
                f"{median(self.theirs):,.4g} {self.reference}" if self.theirs else "", f"{self.value:.3g}", spread, self.must,
                {True: "yes", False: "NO", None: ""}[self.met]]


HEADINGS = ["bench", "measure", "tickgate", "reference", "judged", "spread", "must", "met"]


def table(figures):
    rows = [HEADINGS, *(f.cells() for f in figures)]
    widths = [max(len(r[i]) for r in rows) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() for row in rows)


# ---- a benchmark ----


class Bench:
    """What one benchmark is given: a directory, the build, and the promise that what it started is ended."""

    def __init__(self, name, build, quick):
        self.name, self.build, self.quick = name, build, quick
        self.rounds = 1 if quick else 3
        self.figures = []
        self.processes = []
        self.dir = None

    def __enter__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="tgb-", dir="/tmp"))
        self.dir.chmod(0o755)  # web servers may run as another user
        return self

    def __exit__(self, *_):
        self.stop_all()
        shutil.rmtree(self.dir, ignore_errors=True)

    def started(self, process):
        self.processes.append(process)
        return process

    def stop_all(self):
        while self.processes:
            self.processes.pop().stop()

    def stop(self, *processes):
        for p in processes:
            p.stop()
            if p in self.processes:
                self.processes.remove(p)

    def subdir(self, name):
        path = self.dir / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        path.chmod(0o755)
        return path

    def figure(self, name, unit, **more):
        f = Figure(self.name, name, unit, **more)
        self.figures.append(f)
        return f

    def scaled(self, n, quick):
        return quick if self.quick else n


def check(condition, what):
    """What is measured must be right, or it is no figure."""
    if not condition:
        raise BenchError(what)
