"""Tickgate as ./dev run serves it, and the references, each as a sensible user of it would run it."""

import http.client
import json
import os
import pathlib
import socket
import sqlite3
import subprocess
import sys
import time

from harness import REFERENCE, ROOT, BenchError, Process, program, until

sys.path.insert(0, str(ROOT / "tools"))
import web  # noqa: E402
from ports import free_port  # noqa: E402

PYTHON = "/usr/bin/python3"


def fetch(port, path, headers=None, timeout=10):
    """(status, headers, body), or None while nobody answers."""
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        c.request("GET", path, headers=headers or {})
        r = c.getresponse()
        return r.status, dict(r.getheaders()), r.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        c.close()


class Redis(Process):
    """A redis-server of the benchmark's own, with its default limits."""

    def __init__(self, bench):
        self.port = free_port()
        super().__init__([program("redis-server"), "--bind", "127.0.0.1", "--port", self.port, "--save", "", "--appendonly", "no",
                          "--dir", bench.dir], bench.dir / "redis.log")
        bench.started(self)
        until(self.answers, "redis-server answers")

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                s.sendall(b"PING\r\n")
                return s.recv(16).startswith(b"+PONG")
        except OSError:
            return False


class Tickgate(Process):
    """tools/run.py: subscriber, gateway, lighttpd."""

    def __init__(self, bench, redis, state, *settings, workers=2, log="tickgate.log"):
        self.port = free_port()
        self.state = pathlib.Path(state)
        options = [x for s in settings for x in ("-o", s)]
        self.began = time.monotonic()
        super().__init__([PYTHON, ROOT / "tools/run.py", "--build", bench.build, "--redis", redis.url, "--state", state, "--port",
                          self.port, "--workers", workers, "--no-demo", *options], bench.dir / log, stdout=subprocess.PIPE)
        bench.started(self)
        line = self.popen.stdout.readline()
        if not line.startswith(b"tickgate: ready"):
            raise BenchError("tickgate does not start: " + self.tail())

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def subscriber(self):
        return self.pids("tickgate-subscriber")[0]

    @property
    def workers(self):
        """The gateway's workers, without their parent."""
        pids = self.pids("tickgate.fcgi")
        parents = {int(pathlib.Path(f"/proc/{p}/stat").read_text().rsplit(")", 1)[1].split()[1]) for p in pids}
        return [p for p in pids if p not in parents]

    def server_cpu(self):
        """Of everything that serves: subscriber, gateway, lighttpd."""
        return self.cpu("tickgate-subscriber", "tickgate.fcgi", "lighttpd")

    def json(self, path):
        answer = fetch(self.port, path)
        if answer is None or answer[0] not in (200, 503):
            raise BenchError(f"{path}: {answer and answer[0]}")
        return json.loads(answer[2])

    def stored(self):
        return Stored(self.state / "tickgate.db", "SELECT next_seq - 1 FROM log")


class Stored:
    """How many events a database holds so far, asked again and again from outside."""

    def __init__(self, path, query):
        until(pathlib.Path(path).exists, f"{path} is there")
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=5)
        self.query = query

    def count(self):
        return self.db.execute(self.query).fetchone()[0] or 0

    def close(self):
        self.db.close()


class PythonSubscriber(Process):
    """reference/subscriber.py"""

    def __init__(self, bench, redis, cap, path):
        self.path = path
        super().__init__([PYTHON, REFERENCE / "subscriber.py", redis.url, self.path, cap], bench.dir / "python.log")
        bench.started(self)

    def stored(self):
        stored = Stored(self.path, "SELECT max(id) FROM events")

        def has_table():
            try:
                return stored.count() >= 0
            except sqlite3.OperationalError:
                return False

        until(lambda: self.path.exists() and has_table(), "the Python subscriber has a table")
        return stored


# ---- web servers and what stands behind them ----


def listener(path):
    pathlib.Path(path).unlink(missing_ok=True)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(str(path))
    s.listen(4096)
    return s


class Lighttpd(Process):
    """Before a FastCGI program at `socket`, configured by the very files that tickgate ships."""

    def __init__(self, bench, directory):
        self.port = free_port()
        site = web.Web("lighttpd", "/", self.port, str(directory), program)
        self.socket = site.socket
        super().__init__(site.argv("", {}), directory / "lighttpd.log")
        bench.started(self)

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class PhpLighttpd(Lighttpd):
    """Before php-fpm, sized the same."""

    def __init__(self, bench, directory, socket_path):
        self.port, conf = free_port(), directory / "lighttpd.conf"
        text = (REFERENCE / "php-lighttpd.conf.in").read_text()
        values = {"port": self.port, "address": "127.0.0.1", "www": REFERENCE, "socket": socket_path, "max_fds": 65535,
                  "max_connections": 32767}
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        conf.write_text(text)
        Process.__init__(self, [program("lighttpd"), "-D", "-f", conf], directory / "lighttpd.log")
        bench.started(self)


class Null:
    """reference/null.c behind lighttpd: answers `answer`, head and body, to everything."""

    def __init__(self, bench, answer, name="null"):
        directory = bench.subdir(name)
        file = directory / "answer"
        file.write_bytes(answer)
        self.lighttpd = Lighttpd(bench, directory)
        with listener(self.lighttpd.socket) as s:
            self.program = bench.started(Process([bench.build / "bench/null", file, 2, 8], directory / "null.log", stdin=s))
        until(lambda: (fetch(self.lighttpd.port, "/v1/x") or [503])[0] != 503, f"{name} answers")

    @property
    def address(self):
        return self.lighttpd.address


class Php:
    """php-fpm and reference/list.php behind lighttpd."""

    def __init__(self, bench, database):
        directory = bench.subdir("php")
        path, conf = directory / "php.sock", directory / "php-fpm.conf"
        conf.write_text(
            f"[global]\nerror_log = {directory}/php-error.log\ndaemonize = no\n[www]\nlisten = {path}\nlisten.backlog = 4096\n"
            "listen.mode = 0666\npm = static\npm.max_children = 16\n"
            f"env[BENCH_DATABASE] = {database}\n" + ("user = root\ngroup = root\n" if os.getuid() == 0 else ""))
        argv = [program("php-fpm8.2"), "--fpm-config", conf, "--nodaemonize", "-d", "opcache.enable=1"]
        if os.getuid() == 0:
            argv.append("--allow-to-run-as-root")
        self.program = bench.started(Process(argv, directory / "php.log"))
        until(path.exists, "php-fpm listens")
        self.lighttpd = PhpLighttpd(bench, directory, path)
        answer = until(lambda: fetch(self.lighttpd.port, "/list.php?symbol=S0000&limit=1"), "PHP answers")
        if answer[0] != 200:
            raise BenchError(f"PHP answers {answer}")

    @property
    def address(self):
        return self.lighttpd.address


class Nchan(Process):
    """nginx with nchan, by reference/nchan.conf.in."""

    def __init__(self, bench, workers=2):
        self.port = free_port()
        text = (REFERENCE / "nchan.conf.in").read_text()
        for key, value in {"dir": bench.dir, "port": self.port, "workers": workers, "max_fds": 60000}.items():
            text = text.replace(f"@{key}@", str(value))
        if os.getuid() == 0:
            text = "user root;\n" + text
        conf = bench.dir / "nginx.conf"
        conf.write_text(text)
        super().__init__([program("nginx"), "-c", conf, "-p", bench.dir], bench.dir / "nginx.log")
        bench.started(self)
        until(lambda: fetch(self.port, "/status"), "nginx answers")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def server_cpu(self):
        return self.cpu("nginx")

    def subscribers(self):
        status = fetch(self.port, "/status")[2].decode()
        return int(next(line.split(":")[1] for line in status.splitlines() if line.startswith("subscribers:")))


class SocketIo(Process):
    """reference/rooms.py"""

    def __init__(self, bench, redis):
        self.port = free_port()
        super().__init__([PYTHON, REFERENCE / "rooms.py", redis.url, self.port], bench.dir / "socketio.log")
        bench.started(self)
        until(lambda: fetch(self.port, "/socket.io/?EIO=4&transport=polling"), "Flask-SocketIO answers")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def server_cpu(self):
        return self.cpu()


def versions():
    """What is compared with what."""

    def first_line(*argv):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).splitlines()[0].strip() if done.returncode == 0 else "?"

    packages = ["redis-server", "lighttpd", "nginx-light", "libnginx-mod-nchan", "php8.2-fpm", "python3-flask-socketio", "python3-gevent",
                "python3-redis", "python3-hiredis", "libsqlite3-0", "libfcgi0ldbl", "libhiredis0.14", "gcc"]
    found = {}
    for package in packages:
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=False)
        found[package] = done.stdout or "-"
    model = next((line.split(":")[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), "?")
    return {"kernel": os.uname().release, "cpu": model, "cores": os.cpu_count(), "compiler": first_line("gcc", "--version"),
            "commit": first_line("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"), "packages": found}

