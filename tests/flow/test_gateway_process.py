"""tickgate.fcgi as a process: where its listener comes from, hostile peers, and workers that die."""
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time

import pytest
import requests

import fcgi_client as fcgi
from conftest import DOCUMENTED, PATTERNS, SLOW, free_port, program

BUILD = os.path.abspath(os.environ.get("BUILDDIR", "build"))


def until(what, seconds=20):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.01)
    raise AssertionError("not in time")


def workers(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def up(where):
    try:
        return fcgi.request(where)[0] == 200
    except OSError:
        return False


started = []


def spawn(*args, **kw):
    started.append(subprocess.Popen(*args, **kw))
    return started[-1]


@pytest.fixture(autouse=True)
def nothing_is_left():
    """What a failed test leaves behind is ended."""
    yield
    while started:
        p = started.pop()
        if p.poll() is None:
            p.kill()
            p.wait()


def start(d, *args, **kw):
    return spawn([f"{BUILD}/tickgate.fcgi", "-o", f"paths.state_dir={d}", "-o", f"paths.run_dir={d}", *args],
                 stderr=subprocess.DEVNULL, **kw)


@pytest.fixture
def gateway():
    yield from running("--workers", "2")


@pytest.fixture
def patient_gateway(request):
    """One that waits for the rest of a request longer than a busy machine takes to look whether it does."""
    yield from running("--workers", str(getattr(request, "param", 2)), "-o", "gateway.receive_timeout=60s")


def running(*args):
    with tempfile.TemporaryDirectory() as d:
        p = start(d, "--listen", d + "/s", *args)
        p.where = d + "/s"
        until(lambda: up(p.where))
        yield p
        p.kill()
        p.wait()


def test_plain(gateway):
    status, headers, body = fcgi.request(gateway.where)
    assert status == 200 and int(headers["content-length"]) == len(body)


def test_passed_listener():
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as s:
        s.bind(d + "/s")
        s.listen()
        script = f'exec 3<&{s.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"'
        p = spawn(["bash", "-c", script, f"{BUILD}/tickgate.fcgi", "-o", f"paths.state_dir={d}"],
                  pass_fds=[s.fileno()], stderr=subprocess.DEVNULL)
        until(lambda: up(d + "/s"))
        p.terminate()
        assert p.wait(10) == 0


def test_listener_on_fd_0():
    with tempfile.TemporaryDirectory() as d, socket.socket(socket.AF_UNIX) as s:
        s.bind(d + "/s")
        s.listen()
        p = start(d, stdin=s)
        until(lambda: up(d + "/s"))
        p.terminate()
        assert p.wait(10) == 0


def web_server(d, config):
    """A lighttpd of the test's own, ended by SIGTERM; `config` is what it has besides the usual."""
    port = free_port()
    with open(d + "/lighttpd.conf", "w") as f:
        f.write(f'server.bind = "127.0.0.1"\nserver.port = {port}\nserver.document-root = "{d}"\n'
                f'server.errorlog = "{d}/lighttpd.log"\n{config}\n')
    p = spawn(["lighttpd", "-D", "-f", d + "/lighttpd.conf"], stderr=subprocess.DEVNULL)
    p.url = f"http://127.0.0.1:{port}"
    return p


def fetch(url):
    """(status, body), or None while nobody listens."""
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(url, timeout=20)
    except requests.ConnectionError:
        return None
    return answer.status_code, answer.text


def children_of(pid, name):
    return [p for p in workers(pid) if program(int(p)) == name]


def test_started_by_spawn_fcgi():
    with tempfile.TemporaryDirectory() as d:
        p = spawn(["spawn-fcgi", "-n", "-s", d + "/s", "--", f"{BUILD}/tickgate.fcgi", "--workers", "1",
                   "-o", f"paths.state_dir={d}"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until(lambda: up(d + "/s"))
        assert program(p.pid) == "tickgate.fcgi" and len(workers(p.pid)) == 1
        p.terminate()
        assert p.wait(10) == 0


def test_started_by_lighttpd_and_ended_with_it():
    with tempfile.TemporaryDirectory() as d:
        p = web_server(d, 'server.modules = ("mod_fastcgi")\n'
                          f'fastcgi.server = ("/" => (("socket" => "{d}/s", "check-local" => "disable", "max-procs" => 1,'
                          f' "bin-path" => "{BUILD}/tickgate.fcgi --workers 2 -o paths.state_dir={d} -o paths.run_dir={d}")))')
        until(lambda: fetch(p.url + "/livez") == (200, '{"status":"ok"}'))
        assert json.loads(fetch(p.url + "/v1/patterns")[1])["code"] == "starting"
        gateways = children_of(p.pid, "tickgate.fcgi")
        assert len(gateways) == 1
        everyone = gateways + until(lambda: len(w := workers(gateways[0])) == 2 and w)
        p.terminate()
        p.wait(10)  # its status is no matter of ours: 1 where it has not reaped its child yet, whatever program that is
        until(lambda: not any(program(int(pid)) for pid in everyone))


def test_as_a_plain_cgi_program(service, redis_server, tmp_path):
    redis_server.publish(PATTERNS, DOCUMENTED)
    until(lambda: service.data("/v1/patterns"))
    with tempfile.TemporaryDirectory() as d:
        os.symlink(f"{BUILD}/tickgate.fcgi", d + "/tickgate.fcgi")
        p = web_server(d, 'server.modules = ("mod_setenv", "mod_cgi")\ncgi.assign = (".fcgi" => "")\n'
                          f'setenv.add-environment = ("TICKGATE_PATHS_STATE_DIR" => "{tmp_path}/state",'
                          f' "TICKGATE_PATHS_RUN_DIR" => "{d}", "TICKGATE_GATEWAY_BASE_PATH" => "/tickgate.fcgi")')
        answer = until(lambda: fetch(p.url + "/tickgate.fcgi/v1/symbols/aapl/patterns?limit=1"))
        assert answer[0] == 200, answer
        page = json.loads(answer[1])
        assert page["data"] == service.data("/v1/patterns")
        assert page["follow"].startswith("/tickgate.fcgi/v1/symbols/aapl/patterns?limit=1&after=")
        assert json.loads(fetch(p.url + page["follow"])[1])["data"] == []
        assert fetch(p.url + "/tickgate.fcgi/v1/nothing")[0] == 404
        assert "gateway" not in json.loads(fetch(p.url + "/tickgate.fcgi/v1/health")[1])
        p.terminate()
        p.wait(10)


@pytest.mark.parametrize("words", [["--version"], ["--print-config"], ["-o", "gateway.base_path=/x"], ["--no-such-option"]])
def test_a_cgi_program_takes_no_orders_from_a_query(words):
    """A server hands a query without '=' to a CGI program as its command line."""
    with tempfile.TemporaryDirectory() as d:
        env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/livez",
               "QUERY_STRING": "", "REMOTE_ADDR": "192.0.2.1", "TICKGATE_PATHS_STATE_DIR": d, "TICKGATE_PATHS_RUN_DIR": d}
        done = subprocess.run([f"{BUILD}/tickgate.fcgi", *words], env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=20, check=True)
    assert done.stdout.startswith(b"Status: 200 OK\r\n") and done.stdout.endswith(b'{"status":"ok"}'), done.stdout


def test_a_stale_socket_is_replaced_and_a_file_is_not():
    with tempfile.TemporaryDirectory() as d:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(d + "/s")
        p = start(d, "--listen", d + "/s", "-o", "gateway.socket_mode=0600")
        until(lambda: up(d + "/s"))
        assert os.stat(d + "/s").st_mode & 0o777 == 0o600
        p.terminate()
        assert p.wait(10) == 0
        with open(d + "/file", "w") as f:
            f.write("precious")
        assert start(d, "--listen", d + "/file").wait(10) != 0
        with open(d + "/file") as f:
            assert f.read() == "precious"


def test_live_socket_is_not_stolen(gateway):
    p = start("/nonexistent", "--listen", gateway.where)
    assert p.wait(5) != 0
    assert up(gateway.where)


@pytest.mark.parametrize("bytes_sent", [b"", fcgi.head()[:20], b"GET / HTTP/1.0\r\n\r\n", fcgi.head(), random.Random(7).randbytes(64),
                                        fcgi.head(method="POST") + fcgi.record(fcgi.ABORT)])
def test_broken_peers_end_and_harm_nobody(gateway, bytes_sent):
    with fcgi.connect(gateway.where) as s:
        s.sendall(bytes_sent)
        fcgi.read_all(s)
    assert up(gateway.where)


def test_64_idle_connections_block_nobody(patient_gateway):
    """Did they hold the 16 threads, there would be no answer for a minute; fcgi_client waits eight seconds."""
    idle = [fcgi.connect(patient_gateway.where) for _ in range(64)]
    assert up(patient_gateway.where)
    for s in idle:
        s.close()


def test_workers_share_out_what_comes(patient_gateway):
    """The kernel would wake the same one each time that both sleep, and streams stay where they were accepted."""
    where, pids = patient_gateway.where, workers(patient_gateway.pid)
    until(lambda: len(loops(pids, where)) == 2 and connections(pids, where) == 2)
    silent = []
    # So many, since on a busy machine one of them may not sleep when its turn is.
    for _ in range(192):
        silent.append(fcgi.connect(where))
        until(lambda: connections(pids, where) == 2 + len(silent))
    assert min(connections([pid], where) for pid in pids) > 16
    for s in silent:
        s.close()


def test_large_bodies_are_drained(gateway):
    assert fcgi.request(gateway.where, body=b"x" * 200000)[0] == 200
    assert fcgi.request(gateway.where, body=b"x" * 2000000)[0] == 413


def test_a_killed_worker_is_replaced(gateway):
    before = workers(gateway.pid)
    os.kill(int(before[0]), signal.SIGKILL)
    until(lambda: before[0] not in workers(gateway.pid) and len(workers(gateway.pid)) == 2)
    assert up(gateway.where)


def health(where):
    return json.loads(fcgi.request(where, "/v1/health")[2])["gateway"]


def test_what_killed_workers_counted_stays(gateway):
    for _ in range(50):
        assert fcgi.request(gateway.where)[0] == 200
    # Without a log health is a 503, which is an error of ours.
    until(lambda: health(gateway.where)["errors"] >= 3)
    before = health(gateway.where)
    assert before["requests"] >= 50 + before["errors"] and before["worker_restarts"] == 0
    for pid in workers(gateway.pid):
        os.kill(int(pid), signal.SIGKILL)
        until(lambda: pid not in workers(gateway.pid) and len(workers(gateway.pid)) == 2)
        until(lambda: up(gateway.where))
    after = until(lambda: (h := health(gateway.where))["workers"] == 2 and h)
    assert after["worker_restarts"] == 2
    assert before["requests"] < after["requests"] and before["errors"] <= after["errors"]
    assert list(after) == ["workers", "requests", "errors", "worker_restarts"]


def descriptors(pid):
    """What a process has open, as {fd: link}; nothing when it is gone."""
    found = {}
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            found[fd] = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
        pass
    return found


def watched_by(pid, fd):
    """The descriptors that an epoll of this process watches."""
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}") as f:
            return [line.split()[1] for line in f if line.startswith("tfd:")]
    except FileNotFoundError:
        return []


def connections(pids, where):
    """The sockets that a peer of the FastCGI listener at `where` is behind, in these processes; and the listener, in each."""
    with open("/proc/net/unix") as f:
        ours = {f"socket:[{words[6]}]" for words in map(str.split, f) if words[-1] == where}
    return sum(link in ours for pid in pids for link in descriptors(pid).values())


def loops(pids, where):
    """The epoll of each process that watches the listener, as (pid, fd)."""
    with open("/proc/net/unix") as f:
        listener = {f"socket:[{words[6]}]" for words in map(str.split, f) if words[-1] == where and words[3] == "00010000"}
    found = []
    for pid in pids:
        there = descriptors(pid)
        found += [(pid, fd) for fd, link in there.items() if link == "anon_inode:[eventpoll]"
                  and any(there.get(t) in listener for t in watched_by(pid, fd))]
    return found


def watched(polls):
    return sum(len(watched_by(*poll)) for poll in polls)


@pytest.mark.parametrize("patient_gateway", [1], indirect=True)
def test_sighup_lets_a_worker_finish(patient_gateway):
    p, whole = patient_gateway, fcgi.head() + fcgi.record(fcgi.STDIN)
    before = workers(p.pid)
    [poll] = until(lambda: loops(before, p.where))
    until(lambda: connections(before, p.where) == 1)
    peers = [(fcgi.connect(p.where), n) for n in (5, 30, len(whole) - 1)]
    for s, n in peers:
        s.sendall(whole[:n])
    # In the hands of threads: the loop watches the listener and the signal only.
    until(lambda: connections(before, p.where) == 1 + len(peers) and watched([poll]) == 2)
    p.send_signal(signal.SIGHUP)
    until(lambda: watched([poll]) == 0)
    for s, n in peers:
        s.sendall(whole[n:])
    for s, _ in peers:
        out, ended, _ = fcgi.read_all(s)
        assert ended and out.startswith(b"Status: 200"), out
        s.close()
    until(lambda: len(w := workers(p.pid)) == 1 and w != before)
    assert up(p.where)
    p.terminate()
    assert p.wait(10) == 0


def test_sighup_replaces_the_workers_and_loses_no_request(gateway):
    before, failures, done, stop = workers(gateway.pid), [], [0] * 4, threading.Event()

    def ask(i):
        while not stop.is_set():
            try:
                if fcgi.request(gateway.where)[0] != 200:
                    failures.append("status")
                done[i] += 1
            except (OSError, AssertionError, KeyError) as e:
                failures.append(repr(e))

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    try:
        until(lambda: min(done) > 10)
        gateway.send_signal(signal.SIGHUP)
        until(lambda: len(w := workers(gateway.pid)) == 2 and not set(w) & set(before))
        settled = min(done)
        until(lambda: min(done) > settled + 10)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert failures == []
    assert health(gateway.where)["worker_restarts"] == 2


def test_sigterm_finishes_what_was_begun(patient_gateway):
    gateway = patient_gateway
    pids, whole = workers(gateway.pid), fcgi.head() + fcgi.record(fcgi.STDIN)
    polls = until(lambda: len(found := loops(pids, gateway.where)) == 2 and found)
    until(lambda: connections(pids, gateway.where) == 2)  # nothing but the listener, in each
    # Some have said nothing yet, some are in the middle of their request.
    peers = [(fcgi.connect(gateway.where), n) for n in (0, 0, 5, 30, len(whole) - 1)]
    for s, n in peers:
        s.sendall(whole[:n])
    until(lambda: connections(pids, gateway.where) == 2 + len(peers))
    gateway.terminate()
    # They have heard of it when they watch no listener any more, nor for the signal: only the two that are silent.
    until(lambda: watched(polls) == 2)
    for s, n in peers:
        s.sendall(whole[n:])
    for s, _ in peers:
        out, ended, _ = fcgi.read_all(s)
        assert ended and out.startswith(b"Status: 200"), out
        s.close()
    assert gateway.wait(10) == 0


def test_a_killed_parent_takes_its_workers_along(gateway):
    pids = workers(gateway.pid)
    gateway.kill()
    gateway.wait()
    until(lambda: not any(os.path.exists(f"/proc/{p}/fd/0") for p in pids))
