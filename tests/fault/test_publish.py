"""POST against Redises that break off: what is told is what is known."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pytest

import fcgi_client as fcgi
from fake_redis import FakeRedis, array

BUILD = os.path.abspath(os.environ.get("BUILDDIR", "build"))
TOOL = pathlib.Path(__file__).resolve().parents[2] / "tools/tickgate-token"
TICK = {"symbol": "AAPL", "price": 150.2, "volume": 100, "timestamp": 1234567890.123}


class Gateway:
    """tickgate.fcgi alone, that publishes to the Redis at `url`."""

    def __init__(self, directory, url, *settings):
        self.where, tokens = directory + "/s", directory + "/tokens"
        self.token = subprocess.run([TOOL, "-f", tokens, "t", "publish"], capture_output=True, text=True, check=True).stdout.strip()
        self.log = directory + "/log"
        options = [f"paths.state_dir={directory}", f"paths.run_dir={directory}", f"access.token_file={tokens}", f"redis.url={url}",
                   # Where silence is tested it is waited for; a busy machine stays below it.
                   "publish.command_timeout=1s", "publish.connect_timeout=1s", *settings]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([f"{BUILD}/tickgate.fcgi", "--listen", self.where, "--workers", "1",
                                             *(word for o in options for word in ("-o", o))], stderr=log)
        deadline = time.monotonic() + 20
        while not self.is_up():
            assert time.monotonic() < deadline and self.process.poll() is None, pathlib.Path(self.log).read_text()

    def is_up(self):
        try:
            return fcgi.request(self.where)[0] == 200
        except OSError:
            return False

    def post(self, *ticks):
        more = [("HTTP_AUTHORIZATION", f"Bearer {self.token}"), ("CONTENT_TYPE", "application/json")]
        status, headers, body = fcgi.request(self.where, "/v1/ticks", "POST", "", json.dumps(ticks).encode(), more)
        return status, json.loads(body), headers

    def close(self):
        self.process.terminate()
        assert self.process.wait(20) == 0
        report = pathlib.Path(self.log).read_text()
        assert "Sanitizer" not in report and "runtime error" not in report, report


@pytest.fixture
def gateway():
    """Starts a gateway for a list of scripts."""
    with tempfile.TemporaryDirectory() as d:
        made = []

        def make(*scripts, settings=()):
            server = FakeRedis(*scripts)
            directory = f"{d}/{len(made)}"
            os.mkdir(directory)
            made.append((Gateway(directory, f"redis://:hunter2@127.0.0.1:{server.port}/0", *settings), server))
            return made[-1]

        yield make
        for one, server in made:
            one.close()
            server.close()


def greet(peer):
    """Up to and with the trial transaction of a new connection."""
    while True:
        args = peer.command()
        peer.send(b"+OK\r\n")
        if args == ["DISCARD"]:
            return


def exchange(peer, answer=None, queued=b"+QUEUED\r\n"):
    """One transaction; `answer` to EXEC, by default that each message had two receivers."""
    n = 0
    while (args := peer.command())[0] != "EXEC":
        peer.send(b"+OK\r\n" if args[0] == "MULTI" else queued)
        n += args[0] == "PUBLISH"
    peer.send(array(*[2] * n) if answer is None else answer)


def good(peer):
    greet(peer)
    while True:
        exchange(peer)


def test_a_good_one(gateway):
    g, server = gateway(good)
    assert g.post(TICK, TICK)[:2] == (202, {"accepted": 2, "receivers": 2})
    assert server.peers[0].commands[0] == ["AUTH", "hunter2"]
    assert [c[0] for c in server.peers[0].commands[-4:]] == ["MULTI", "PUBLISH", "PUBLISH", "EXEC"]


def test_the_least_number_of_receivers(gateway):
    g, _ = gateway(lambda peer: (greet(peer), exchange(peer, array(3, 0, 5))))
    assert g.post(TICK, TICK, TICK)[:2] == (202, {"accepted": 3, "receivers": 0})


def lost(peer):
    greet(peer)
    while peer.command()[0] != "EXEC":
        pass


def test_exec_sent_and_its_answer_lost(gateway):
    g, _ = gateway(lost, good)
    status, body, headers = g.post(TICK)
    assert (status, body["code"]) == (503, "unknown_outcome") and "retry-after" not in headers
    assert g.post(TICK)[0] == 202


def silent(peer):
    greet(peer)
    while True:
        peer.command()


def test_exec_sent_and_never_answered(gateway):
    g, _ = gateway(silent, good)
    assert g.post(TICK)[1]["code"] == "unknown_outcome"
    assert g.post(TICK)[0] == 202


def half(peer):
    greet(peer)
    exchange(peer, b"*2\r\n:1\r\n")


def test_half_an_answer(gateway):
    g, _ = gateway(half, good)
    assert g.post(TICK, TICK)[1]["code"] == "unknown_outcome"


@pytest.mark.parametrize("answer", [b"*1\r\n:1\r\n", b"*-1\r\n", b"*2\r\n:1\r\n-ERR no\r\n", b"+OK\r\n"])
def test_an_answer_that_cannot_be(gateway, answer):
    """Less than everything was confirmed: never a 202."""
    g, _ = gateway(lambda peer: (greet(peer), exchange(peer, answer)))
    status, body, _ = g.post(TICK, TICK)
    assert status == 503 and body["code"] in ("unknown_outcome", "redis_unavailable")
    assert body["code"] == "unknown_outcome" or b":" not in answer


def test_a_channel_that_is_not_permitted(gateway):
    refused = b"-NOPERM this user has no permissions to access one of the channels used as arguments\r\n"
    g, server = gateway(lambda peer: (greet(peer), exchange(
        peer, b"-EXECABORT Transaction discarded because of previous errors.\r\n", refused)), good)
    status, body, _ = g.post(TICK, TICK)
    assert (status, body["code"]) == (503, "redis_unavailable") and "NOPERM" not in json.dumps(body)
    assert "Redis refused: NOPERM" in pathlib.Path(g.log).read_text()
    # A connection that has heard an error is not trusted again.
    assert g.post(TICK)[0] == 202 and server.connections == 2


def no_transactions(peer):
    while True:
        peer.send(b"-NOPERM this user has no permissions to run the 'multi' command\r\n" if peer.command()[0] == "MULTI" else b"+OK\r\n")


def test_without_transactions_nothing_is_published(gateway):
    g, server = gateway(no_transactions)
    assert g.post(TICK, TICK)[1]["code"] == "redis_unavailable"
    assert not any(c[0] == "PUBLISH" for p in server.peers for c in p.commands)


def multi_is_forbidden_later(peer):
    greet(peer)
    while (args := peer.command())[0] != "EXEC":
        peer.send(b"-NOPERM no\r\n" if args[0] == "MULTI" else b":1\r\n")
    peer.send(b"-ERR EXEC without MULTI\r\n")


def test_a_multi_that_is_forbidden_on_a_living_connection(gateway):
    """The messages went out one by one: they are out, but not as promised."""
    g, _ = gateway(multi_is_forbidden_later)
    assert g.post(TICK, TICK)[1]["code"] == "unknown_outcome"


def idle_death(peer):
    greet(peer)
    exchange(peer)


def test_a_connection_that_redis_closed_meanwhile(gateway):
    g, server = gateway(idle_death, good)
    assert g.post(TICK)[0] == 202
    assert g.post(TICK)[0] == 202 and server.connections == 2


def asks_no_more(peer):
    """Dead without a FIN: does not even answer a PING."""
    greet(peer)
    exchange(peer)
    while True:
        peer.command()


def test_an_idle_connection_is_asked_before_it_is_trusted(gateway):
    g, server = gateway(asks_no_more, good, settings=["publish.health_check=1s"])
    assert g.post(TICK)[0] == 202
    # The condition is that it was idle for a second; nothing but time brings it about.
    idle_since = time.monotonic()
    while time.monotonic() < idle_since + 1.05:
        assert fcgi.request(g.where)[0] == 200
    assert g.post(TICK)[0] == 202
    assert server.peers[0].commands[-1] == ["PING"] and server.connections == 2


def wrong_password(peer):
    while True:
        peer.send(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n" if peer.command()[0] == "AUTH" else b"+OK\r\n")


def test_a_wrong_password_is_said_in_the_log_and_not_shown(gateway):
    g, server = gateway(wrong_password)
    assert g.post(TICK)[1]["code"] == "redis_unavailable"
    log = pathlib.Path(g.log).read_text()
    assert "WRONGPASS" in log and "hunter2" not in log
    # While the back-off lasts nobody is asked again, and nobody waits.
    connections = server.connections
    for _ in range(3):
        assert g.post(TICK)[1]["code"] == "redis_unavailable"
    assert server.connections <= connections + 1


def test_garbage(gateway):
    g, _ = gateway(lambda peer: peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    assert g.post(TICK)[1]["code"] == "redis_unavailable"


def test_no_more_than_the_connections_there_are(gateway):
    g, _ = gateway(silent, settings=["publish.connections=1", "gateway.threads=4", "publish.command_timeout=1s"])
    first = subprocess.Popen([sys.executable, "-c", "import json,sys; sys.path.insert(0, sys.argv[1]); import fcgi_client as f\n"
                              "print(json.loads(f.request(sys.argv[2], '/v1/ticks', 'POST', '', sys.argv[4].encode(), "
                              "[('HTTP_AUTHORIZATION', 'Bearer ' + sys.argv[3]), ('CONTENT_TYPE', 'application/json')])[2])['code'])",
                              str(pathlib.Path(__file__).resolve().parents[1] / "flow"), g.where, g.token, json.dumps(TICK)],
                             stdout=subprocess.PIPE, text=True)
    assert g.post(TICK)[0] == 503
    assert first.communicate(timeout=20)[0].strip() in ("unknown_outcome", "redis_unavailable")
    assert fcgi.request(g.where)[0] == 200


def as_cgi(directory, url, token, body, **more):
    """tickgate.fcgi as a plain CGI program."""
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "SCRIPT_NAME": "", "PATH_INFO": "/v1/ticks", "QUERY_STRING": "",
           "REMOTE_ADDR": "192.0.2.1", "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
           "HTTP_AUTHORIZATION": f"Bearer {token}", "TICKGATE_PATHS_STATE_DIR": directory, "TICKGATE_PATHS_RUN_DIR": directory,
           "TICKGATE_ACCESS_TOKEN_FILE": directory + "/tokens", "TICKGATE_REDIS_URL": url, **more}
    done = subprocess.run([f"{BUILD}/tickgate.fcgi"], env=env, input=body, capture_output=True, timeout=60, check=True)
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(rest), done.stderr.decode()


def test_as_a_plain_cgi_program():
    server = FakeRedis(good)
    with tempfile.TemporaryDirectory() as d:
        token = subprocess.run([TOOL, "-f", d + "/tokens", "t", "publish"], capture_output=True, text=True, check=True).stdout.strip()
        url, body = f"redis://:hunter2@127.0.0.1:{server.port}/0", json.dumps([TICK, TICK]).encode()
        assert as_cgi(d, url, token, body)[:2] == (202, {"accepted": 2, "receivers": 2})
        status, answer, log = as_cgi(d, url, token + "x", body)
        assert (status, answer["code"]) == (401, "unauthorized") and "hunter2" not in log
        assert as_cgi(d, url, token, body, TICKGATE_ACCESS_TOKEN_FILE="")[0] == 403
    server.close()


HEADERS = ["HTTP_AUTHORIZATION", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_CONTENT_ENCODING", "HTTP_ACCEPT", "HTTP_ORIGIN", "HTTP_LAST_EVENT_ID"]


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_came_twice(gateway, name):
    """Some servers make one variable of X-Foo and X_Foo: of two tokens, which one would count?"""
    g, server = gateway(good)
    token = ("HTTP_AUTHORIZATION", f"Bearer {g.token}")
    more = [token, ("CONTENT_TYPE", "application/json"), (name, token[1] if name == token[0] else "1")]
    if name not in (token[0], "CONTENT_TYPE"):
        more.append((name, "1"))
    if name == "CONTENT_LENGTH":
        more.pop()  # the client's own is the other one
    status, _, body = fcgi.request(g.where, "/v1/ticks", "POST", "", json.dumps(TICK).encode(), more)
    assert (status, json.loads(body)["code"]) == (400, "malformed_request"), body
    assert server.connections == 0


@pytest.mark.parametrize("value", ["Bearer a\rb", "Bearer a\nX: y", "Bearer \x01", "Bearer " + "x" * 9000])
def test_a_header_with_control_characters_or_too_long(gateway, value):
    g, _ = gateway(good)
    status, headers, body = fcgi.request(g.where, "/v1/ticks", "POST", "", b"{}", [("HTTP_AUTHORIZATION", value)])
    assert (status, json.loads(body)["code"]) == (400, "malformed_request") and "x" not in headers


def test_forwarded_for_that_came_twice_where_it_counts(gateway):
    twice = [("HTTP_X_FORWARDED_FOR", "192.0.2.1"), ("HTTP_X_FORWARDED_FOR", "127.0.0.1")]
    g, _ = gateway(good)
    assert fcgi.request(g.where, "/v1/rejects", more=twice)[0] == 401, "who it is for does not count here, but that it was passed on"
    h, _ = gateway(good, settings=["access.trusted_proxies=127.0.0.1"])
    assert fcgi.request(h.where, "/v1/rejects", more=twice)[0] == 400
    assert fcgi.request(h.where, "/v1/rejects", more=twice[:1])[0] == 401
