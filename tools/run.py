#!/usr/bin/python3
"""The supervisor behind `./dev run`: a private Redis, the subscriber, the gateway, a web server (web.py) and the simulator.

It stays in the foreground, and everything it starts is in its session and dies with it (PR_SET_PDEATHSIG). Children
get process groups of their own, so that a terminal's Ctrl-C reaches the supervisor alone, which then stops them in
order: those who feed first, the log last. It holds the FastCGI socket itself and hands it to the gateway as systemd
would (LISTEN_FDS), so that connections wait in the backlog while a dead gateway is replaced.

What ends it: SIGINT or SIGTERM (exit 0), the web server or the private redis-server dying, a program that cannot start (exit 1).
The tests in tests/flow run the service through this file too.
"""

import argparse
import ctypes
import http.client
import json
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time

import web
from ports import free_port

SOCKET_PATH_MAX = 100  # sockaddr_un has 108
STOP_SECONDS = 12  # the programs promise 10
PR_SET_PDEATHSIG = 1
EX_USAGE, EX_CONFIG = 64, 78
EXAMPLE = (
    '{"pattern_name":"doji","symbol":"AAPL","timeframe":"1min","confidence":85.5,"detected_at":1234567890.123,'
    '"bar_count":5,"metadata":{"open":150.0,"high":151.0,"low":149.5,"close":150.2}}'
)
libc = ctypes.CDLL(None, use_errno=True)
SIGNALS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}


class Failure(Exception):
    """Ends the run with a sentence."""


def say(text):
    print("dev run: " + text, file=sys.stderr, flush=True)


class Process:
    """One program that we keep running.

    `essential` ones end the run when they die; the others are started again, at once after a good while,
    then after longer and longer pauses up to `pause_max` seconds.
    """

    def __init__(self, name, argv, env=None, listener=None, essential=False, pause_max=1.0, log=None,
                 user=None):
        self.name, self.argv, self.env = name, argv, env or {}
        self.listener, self.essential, self.pause_max, self.log = listener, essential, pause_max, log
        self.user = user  # (uid, gid) to run as
        self.pid, self.started, self.pause, self.start_at = None, 0.0, 0.0, None

    def start(self):
        self.started, self.start_at = time.monotonic(), None
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            try:
                self._become(parent)
            except BaseException as e:  # nothing may return into the parent's code
                os.write(2, f"dev run: {self.argv[0]}: {e}\n".encode())
            os._exit(127)
        self.pid = pid

    def _become(self, parent):
        os.setpgid(0, 0)
        if self.user is not None:
            os.setgroups([])
            os.setgid(self.user[1])
            os.setuid(self.user[0])
        # After setuid, which takes it back.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)
        out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if self.log else 2
        os.dup2(out, 1)  # our stdout belongs to the ready line
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        env = {**os.environ, **self.env}
        first = 3
        if self.listener is not None:
            if self.listener.fileno() == 3:
                os.set_inheritable(3, True)
            else:
                os.dup2(self.listener.fileno(), 3)
            env.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="fcgi")
            first = 4
        os.closerange(first, 4096)
        for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(s, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.execve(self.argv[0], self.argv, env)

    def reap(self):
        """None while it runs, else how it ended, in words; counts as not running afterwards."""
        if self.pid is None:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid == 0:
            return None
        self.pid = None
        code = os.waitstatus_to_exitcode(status)
        self.code = code
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"

    def schedule(self):
        """Sets the time of the next start: soon after a good run, doubling after bad ones."""
        if time.monotonic() - self.started > 10:
            self.pause = 0.0
        self.start_at = time.monotonic() + self.pause
        self.pause = min(self.pause_max, max(0.1, self.pause * 2))

    def kill(self, signum):
        if self.pid is not None:
            os.kill(self.pid, signum)


def find_program(name):
    """Servers live in sbin, which is not in everybody's PATH."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin")
    if path is None:
        raise Failure(f"{name} is not installed; ./dev run installs it on Debian")
    return path


def check_port(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as e:
            raise Failure(f"port {port} of 127.0.0.1 cannot be used: {e.strerror}; try --port with another") from None


def make_run_dir():
    """A directory for sockets, whose paths have to be short."""
    for base in (os.environ.get("XDG_RUNTIME_DIR"), os.environ.get("TMPDIR"), "/tmp"):
        if base and os.path.isdir(base) and os.access(base, os.W_OK) and len(base) < SOCKET_PATH_MAX - 40:
            return tempfile.mkdtemp(prefix="tickgate-", dir=base)
    raise Failure("no writable directory with a short path for the sockets: neither $XDG_RUNTIME_DIR nor $TMPDIR nor /tmp")


def redis_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as s:
            s.sendall(b"PING\r\n")
            return s.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def fetch(port, path, timeout=2):
    """(status, parsed JSON or None) of a GET, or (None, None)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        try:
            return answer.status, json.loads(body)
        except ValueError:
            return answer.status, None
    except (OSError, http.client.HTTPException):
        return None, None
    finally:
        connection.close()


class Run:
    """One `./dev run`, from its options to its end."""

    def __init__(self, options):
        self.options = options
        self.processes = []
        self.run_dir = None
        self.web = None
        self.redis_port = None
        self.stopping = False

    # ---- starting ----

    def start(self):
        o = self.options
        check_port(o.port)
        self.run_dir = make_run_dir()
        self.web = web.Web(o.server, o.mount, o.port, self.run_dir, find_program)
        state = self.state_dir()
        url = o.redis or self.start_redis()
        settings = {"paths.state_dir": state, "paths.run_dir": self.run_dir, "gateway.workers": str(o.workers)}
        settings.update(setting.split("=", 1) for setting in o.settings)
        # Not /etc/tickgate/tickgate.conf: what is tried here must not depend on what is installed. The URL goes by the
        # environment, since it may hold a password and anyone can read a command line.
        arguments = ["-c", os.devnull]
        for name, value in settings.items():
            arguments += ["-o", f"{name}={value}"]
        env = {"REDIS_URL": url}
        os.environ.pop("TICKGATE_REDIS_URL", None)  # it would stand over REDIS_URL

        self.add(Process("tickgate-subscriber", [self.built("tickgate-subscriber"), *arguments], env, pause_max=10.0))
        gateway = self.built("tickgate.fcgi")
        if not self.web.starts_gateway:
            self.add(Process("tickgate.fcgi", [gateway, *arguments], env, listener=self.listen(), pause_max=0.8))
        environment = {"TICKGATE_" + name.replace(".", "_").upper(): value for name, value in settings.items()}
        user = (self.web.uid, self.web.gid) if self.web.uid is not None else None
        self.add(Process(o.server, self.web.argv(gateway, environment), essential=True, user=user))
        if o.demo if o.demo is not None else not o.redis:
            simulator = [self.built("tickgate-sim"), "--symbols", "10", "--rate", "50", *o.sim]
            self.add(Process("tickgate-sim", simulator, env, pause_max=10.0))

    def state_dir(self):
        """Where the log is; the web server's group gets at it, and at the run directory, only to read."""
        o = self.options
        state = os.path.abspath(o.state) if o.state else os.path.join(self.run_dir, "state")
        try:
            os.makedirs(state, mode=0o750, exist_ok=True)
        except OSError as e:
            raise Failure(f"--state {state}: {e.strerror}") from None
        if self.web.gid is not None:
            for path, mode in ((self.run_dir, 0o2710), (state, 0o2750)):
                os.chown(path, -1, self.web.gid)
                os.chmod(path, mode)
        return state

    def add(self, process):
        process.start()
        self.processes.append(process)

    def built(self, name):
        path = os.path.join(os.path.abspath(self.options.build), name)
        if not os.access(path, os.X_OK):
            raise Failure(f"{path} is not built")
        return path

    def start_redis(self):
        """A redis-server of our own on a free port; the port may be snatched away before it binds: then another."""
        server = find_program("redis-server")
        log = os.path.join(self.run_dir, "redis.log")
        for _ in range(5):
            port = free_port()
            argv = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no",
                    "--daemonize", "no", "--dir", self.run_dir]
            process = Process("redis-server", argv, essential=True, log=log)
            process.start()
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and process.reap() is None:
                if redis_answers(port):
                    self.processes.append(process)
                    self.redis_port = port
                    return f"redis://127.0.0.1:{port}/0"
                self.wait_signal(0.02)
            process.kill(signal.SIGKILL)
        with open(log, errors="replace") as f:
            raise Failure("redis-server does not start: " + (f.read().strip().splitlines() or ["no log"])[-1])

    def listen(self):
        """The gateway's socket, ours for the whole run."""
        path = os.path.join(self.run_dir, "fcgi.sock")
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        os.chmod(path, 0o660)
        if self.web.gid is not None:
            os.chown(path, -1, self.web.gid)
        listener.listen(4096)
        self.listener = listener
        return listener

    # ---- running ----

    def wait_signal(self, seconds):
        """Sleeps until a signal or for `seconds`; returns True when the run shall end."""
        info = signal.sigtimedwait(SIGNALS, max(0.0, seconds))
        if info is not None and info.si_signo != signal.SIGCHLD:
            self.stopping = True
        return self.stopping

    def tend(self, ready):
        """Notices the dead and starts them again. Before we are ready, a program that ends has failed."""
        for p in self.processes:
            ended = p.reap()
            if ended is not None:
                if p.essential:
                    raise Failure(f"{p.name} {ended}")
                if not ready or p.code in (EX_USAGE, EX_CONFIG):
                    raise Failure(f"{p.name} {ended}: it cannot run like this")
                say(f"{p.name} {ended}; starting it again")
                p.schedule()
            if p.pid is None and p.start_at is not None and time.monotonic() >= p.start_at:
                p.start()

    def next_start(self):
        times = [p.start_at for p in self.processes if p.start_at is not None]
        return max(0.0, min(times) - time.monotonic()) if times else 5.0

    def serves(self):
        return all(fetch(self.options.port, self.options.mount + path)[0] == 200 for path in ("livez", "readyz"))

    def unacknowledged(self):
        """The channels that Redis has not acknowledged; None when the answer is not to be had."""
        status, answer = fetch(self.options.port, self.options.mount + "v1/channels")
        if status == 401:
            return []  # access.read=token: it is told to others only, and no waiting makes it known to us
        if status != 200 or answer is None:
            return None
        return [c["channel"] for c in answer["data"] if not c["subscribed"]] if answer["data"] else None

    def wait_ready(self):
        """Until everything answers, and every channel is acknowledged or Redis has had its five seconds."""
        serving_since, deadline = None, time.monotonic() + 60
        while not self.stopping:
            self.tend(ready=False)
            if serving_since is None and self.serves():
                serving_since = time.monotonic()
            if serving_since is not None:
                missing = self.unacknowledged()
                if missing == []:
                    return
                if time.monotonic() - serving_since > 5:
                    what = "no channel" if missing is None else "not acknowledged: " + ", ".join(missing)
                    say(f"Redis does not answer as it should ({what}); serving what there is, and trying on")
                    return
            elif time.monotonic() > deadline:
                raise Failure("nothing answered within 60 s")
            self.wait_signal(0.03)

    def announce(self):
        base = f"http://127.0.0.1:{self.options.port}{self.options.mount}"
        print(f"tickgate: ready on {base}")
        print(f"curl -s '{base}v1/patterns?limit=3'")
        print(f"curl -s '{base}v1/symbols/AAPL/patterns?limit=3'")
        print(f"curl -s '{base}v1/health'")
        if self.redis_port is not None:
            print(f"redis-cli -p {self.redis_port} PUBLISH tickstock:patterns:streaming {shlex.quote(EXAMPLE)}")
        sys.stdout.flush()

    def serve(self):
        while not self.wait_signal(self.next_start()):
            self.tend(ready=True)

    # ---- ending ----

    def stop(self):
        """Those who feed first, then the web side, then the subscriber (it drains and says clean), Redis last."""
        for name in ("tickgate-sim", self.options.server, "tickgate.fcgi", "tickgate-subscriber", "redis-server"):
            for p in self.processes:
                if p.name == name:
                    self.end(p)
        if self.run_dir is not None:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def end(self, process):
        process.kill(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while process.pid is not None and process.reap() is None:
            if time.monotonic() > deadline:
                say(f"{process.name} does not end; killing it")
                process.kill(signal.SIGKILL)
                os.waitpid(process.pid, 0)
                process.pid = None
            else:
                signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev run", allow_abbrev=False, description="Serves tickgate until it is interrupted.")
    parser.add_argument("--port", type=int, default=8080, metavar="P", help="of 127.0.0.1 (8080)")
    parser.add_argument("--redis", metavar="URL", help="an own Redis; without it a private one is started")
    parser.add_argument("--state", metavar="DIR", help="keeps the database in DIR; without it, it goes at the end")
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes of the gateway (2)")
    parser.add_argument("--server", choices=web.SERVERS, default="lighttpd", help="the web server (lighttpd)")
    parser.add_argument("--mount", choices=web.MOUNTS, default="/", help="where it has the page and the API (/)")
    demo = parser.add_mutually_exclusive_group()
    demo.add_argument("--demo", action="store_true", default=None, help="run the simulator (default without --redis)")
    demo.add_argument("--no-demo", action="store_false", dest="demo", help="do not")
    parser.add_argument("-o", action="append", default=[], dest="settings", metavar="section.key=value", help="a setting")
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--sim", action="append", default=[], help=argparse.SUPPRESS)  # further arguments of the simulator
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # only the options
    options = parser.parse_args(argv)
    if not 1 <= options.port <= 65535:
        parser.error("--port: 1 to 65535")
    if not 1 <= options.workers <= 64:
        parser.error("--workers: 1 to 64")
    for setting in options.settings:
        if "=" not in setting or "." not in setting.split("=")[0]:
            parser.error(f"-o {setting}: section.key=value is wanted")
    return options


def main(argv):
    options = parse(argv)
    if options.check:
        return 0
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    run, status = Run(options), 0
    try:
        run.start()
        run.wait_ready()
        if not run.stopping:
            run.announce()
            run.serve()
    except Failure as e:
        say(str(e))
        status = 1
    finally:
        run.stop()
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
