"""Writes and access: who may do what, and that what was accepted has been published, all of it, once, in order."""

import contextlib
import json
import sqlite3
import subprocess
import threading

import pytest
import requests

from conftest import ROOT, until

TICKS, ERRORS = "tickstock:market:ticks", "tickstock:errors"
TICK = {"symbol": "AAPL", "price": 150.2, "volume": 100, "timestamp": 1234567890.123}
JSON, LINES = "application/json", "application/x-ndjson"


def make_token(file, name, role):
    done = subprocess.run([ROOT / "tools/tickgate-token", "-f", file, name, role], capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Tokens:
    def __init__(self, directory):
        self.file = directory / "tokens"
        self.read, self.publish, self.admin = (make_token(self.file, r, r) for r in ("read", "publish", "admin"))


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path)


def writable_service(launch, redis_server, directory, tokens):
    return launch("--redis", redis_server.url, "--state", directory / "state", "--no-demo", "-o", f"access.token_file={tokens.file}")


@pytest.fixture
def writable(launch, redis_server, tmp_path, tokens):
    return writable_service(launch, redis_server, tmp_path, tokens)


@pytest.fixture(scope="module")
def shared_tokens(tmp_path_factory):
    return Tokens(tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="module")
def shared_writable(shared_launch, shared_redis, tmp_path_factory, shared_tokens):
    """For what leaves nothing behind: it is refused, or whoever waits for it takes all of it."""
    return writable_service(shared_launch, shared_redis, tmp_path_factory.mktemp("writable"), shared_tokens)


def post(service, path, body, token=None, content_type=JSON, **headers):
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if content_type is not None:
        headers["Content-Type"] = content_type
    data = body if isinstance(body, (bytes, str)) or not hasattr(body, "keys") and not isinstance(body, list) else json.dumps(body)
    return service.session.post(service.url + path, data=data, headers=headers, timeout=30)


def listens(service, headers):
    """`./dev run` cannot see it where reading wants a token."""
    def subscribed():
        answer = service.get("/v1/channels", headers=headers)
        return answer.status_code == 200 and answer.json()["data"] and all(c["subscribed"] for c in answer.json()["data"])

    until(subscribed, "it listens")


def problem(answer, status, code):
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == code, answer.text
    return answer.json()


class Listener:
    """A subscriber of the test's own."""

    def __init__(self, server, channel):
        self.pubsub = server.client.pubsub()
        self.pubsub.subscribe(channel)
        assert self.pubsub.get_message(timeout=5)["type"] == "subscribe"

    def take(self, n):
        got = []
        while len(got) < n:
            message = self.pubsub.get_message(timeout=5)
            assert message is not None, f"{len(got)} of {n}"
            got.append(json.loads(message["data"]))
        return got

    def nothing_came(self, server):
        """What would have come, came before this marker."""
        server.client.publish(self.pubsub.channels.copy().popitem()[0], '"marker"')
        assert self.take(1) == ["marker"]

    def close(self):
        """Redis has forgotten it then: the next test counts its own receivers only."""
        self.pubsub.unsubscribe()
        while self.pubsub.subscribed:
            assert self.pubsub.get_message(timeout=5) is not None
        self.pubsub.close()


@pytest.fixture
def listen():
    """Subscribers that end with the test."""
    opened = []

    def start(server, channel):
        opened.append(Listener(server, channel))
        return opened[-1]

    yield start
    for listener in opened:
        listener.close()


def test_writes_are_off_without_tokens(shared_service):
    body = problem(post(shared_service, "/v1/ticks", TICK, "tg_whatever"), 403, "forbidden")
    assert "access.token_file" in body["detail"]
    problem(post(shared_service, "/v1/errors", TICK), 403, "forbidden")


def test_who_may_write(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    answer = post(shared_writable, "/v1/ticks", TICK)
    problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="tickgate"'
    for wrong in (shared_tokens.publish[:-1], shared_tokens.publish + "x", "x" * 600, "", "%00", shared_tokens.publish.swapcase()):
        answer = post(shared_writable, "/v1/ticks", TICK, wrong)
        problem(answer, 401, "unauthorized")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    problem(post(shared_writable, "/v1/ticks", TICK, Authorization=f"Basic {shared_tokens.publish}"), 401, "unauthorized")
    problem(post(shared_writable, f"/v1/ticks?token={shared_tokens.publish}", TICK), 401, "unauthorized")
    answer = post(shared_writable, "/v1/ticks", TICK, shared_tokens.read)
    problem(answer, 403, "forbidden")
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    listener.nothing_came(shared_redis)
    for token in (shared_tokens.publish, shared_tokens.admin):
        answer = post(shared_writable, "/v1/ticks", TICK, token)
        assert answer.status_code == 202 and answer.json() == {"accepted": 1, "receivers": 1}
        assert answer.headers["Cache-Control"] == "no-store"
    assert listener.take(2) == [TICK, TICK]
    assert post(shared_writable, "/v1/ticks", TICK, Authorization=f"bearer {shared_tokens.publish}").status_code == 202


def test_methods_of_a_path_with_two_rows(shared_writable, shared_tokens):
    answer = shared_writable.get("/v1/ticks")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "POST, OPTIONS"
    answer = shared_writable.session.delete(shared_writable.url + "/v1/errors", timeout=30)
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST, OPTIONS"
    problem(post(shared_writable, "/v1/patterns", TICK, shared_tokens.admin), 405, "method_not_allowed")
    assert shared_writable.json("/v1/errors")["data"] == []


def test_ten_thousand_ticks_in_one_post_arrive_in_order(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    batch = [{"symbol": f"S{n % 50}", "price": n + 0.5, "volume": n, "timestamp": 1234567890.123} for n in range(10000)]
    answer = post(shared_writable, "/v1/ticks", json.dumps(batch, separators=(",", ":")), shared_tokens.publish)
    assert answer.status_code == 202 and answer.json() == {"accepted": 10000, "receivers": 1}, answer.text
    assert listener.take(10000) == batch
    problem(post(shared_writable, "/v1/ticks", json.dumps([{}] * 10001, separators=(",", ":")), shared_tokens.publish), 413, "body_too_large")


def test_batches_of_many_clients_do_not_mix(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    failures = []

    def send(client):
        batch = [{**TICK, "symbol": f"C{client}", "volume": n} for n in range(500)]
        answer = post(shared_writable, "/v1/ticks", batch, shared_tokens.publish)
        if answer.status_code != 202 or answer.json()["accepted"] != 500:
            failures.append(answer.text)

    threads = [threading.Thread(target=send, args=(c,)) for c in range(8)]
    for t in threads:
        t.start()
    got = listener.take(8 * 500)
    for t in threads:
        t.join()
    assert failures == []
    for first in range(0, len(got), 500):
        batch = got[first : first + 500]
        assert len({t["symbol"] for t in batch}) == 1 and [t["volume"] for t in batch] == list(range(500))


def test_an_object_lines_and_chunks(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    lines = "\r\n".join(json.dumps({**TICK, "volume": n}) for n in range(3)) + "\n\n"
    assert post(shared_writable, "/v1/ticks", lines, shared_tokens.publish, LINES).json()["accepted"] == 3
    pieces = (piece.encode() for piece in ("[", json.dumps({**TICK, "volume": 3}), ",", json.dumps({**TICK, "volume": 4}), "]"))
    assert post(shared_writable, "/v1/ticks", pieces, shared_tokens.publish, "application/json; charset=UTF-8").json()["accepted"] == 2
    assert [t["volume"] for t in listener.take(5)] == [0, 1, 2, 3, 4]


def test_what_is_published_is_what_was_sent(shared_writable, shared_tokens, shared_redis, listen):
    """Numbers keep their text, symbols are upper-cased, times become epoch seconds, everything else passes unchanged."""
    listener = listen(shared_redis, TICKS).pubsub
    body = ('{"volume":1e3, "symbol":"brk.b", "price":85.10, "timestamp":"2009-02-13T23:31:30.123+00:00",'
            ' "bid":85.09000, "flags":{"a":[1, 2.50,"\\u00e9"]}}')
    assert post(shared_writable, "/v1/ticks", body, shared_tokens.publish).status_code == 202
    assert listener.get_message(timeout=5)["data"].decode() == (
        '{"symbol":"BRK.B","price":85.10,"volume":1e3,"timestamp":1234567890.123,"bid":85.09000,"flags":{"a":[1,2.50,"\\u00e9"]}}')
    assert post(shared_writable, "/v1/ticks", {**TICK, "timestamp": 1234567890123}, shared_tokens.publish).status_code == 202
    assert json.loads(listener.get_message(timeout=5)["data"])["timestamp"] == 1234567890.123


@pytest.mark.parametrize("member, value, code", [
    ("symbol", None, "missing_field"), ("symbol", 7, "invalid_type"), ("symbol", "A B", "out_of_range"), ("symbol", "", "out_of_range"),
    ("symbol", "A" * 33, "out_of_range"), ("price", None, "missing_field"), ("price", "1.5", "invalid_type"), ("price", 0, "out_of_range"),
    ("price", -1, "out_of_range"), ("price", 1e999, "invalid_json"), ("volume", None, "missing_field"), ("volume", -1, "out_of_range"),
    ("volume", True, "invalid_type"), ("timestamp", None, "missing_field"), ("timestamp", "2009-02-13 23:31:30", "invalid_type"),
    ("timestamp", 32503680000, "out_of_range"), ("timestamp", [], "invalid_type"),
])
def test_every_member_is_checked(shared_writable, shared_tokens, shared_redis, member, value, code):
    body = problem(post(shared_writable, "/v1/ticks", {**TICK, member: value}, shared_tokens.publish), 400, "invalid_parameter")
    assert [(e["index"], e["code"]) for e in body["errors"]] == [(0, code)], body
    assert body["errors"][0]["parameter"] == ("" if code == "invalid_json" else f"/{member}")


def test_all_bad_elements_are_told_and_nothing_is_published(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    batch = [TICK, {**TICK, "price": "x", "volume": -1}, 5, TICK, {}]
    body = problem(post(shared_writable, "/v1/ticks", batch, shared_tokens.publish), 400, "invalid_parameter")
    assert [(e["parameter"], e["code"]) for e in body["errors"]] == [
        ("/1/price", "invalid_type"), ("/1/volume", "out_of_range"), ("/2", "not_an_object"),
        ("/4/symbol", "missing_field"), ("/4/price", "missing_field"), ("/4/volume", "missing_field"), ("/4/timestamp", "missing_field")]
    body = problem(post(shared_writable, "/v1/ticks", json.dumps([{**TICK, "price": 0}] * 5000), shared_tokens.publish), 400, "invalid_parameter")
    assert [e["index"] for e in body["errors"]] == list(range(5000))
    lines = f"{json.dumps(TICK)}\n{{\n{json.dumps(TICK)}\n[]\n"
    body = problem(post(shared_writable, "/v1/ticks", lines, shared_tokens.publish, LINES), 400, "invalid_parameter")
    assert [(e["parameter"], e["code"]) for e in body["errors"]] == [("/1", "invalid_json"), ("/3", "not_an_object")]
    listener.nothing_came(shared_redis)


@pytest.mark.parametrize("body", ["", " ", "[]", "{", '{"symbol":}', "[1,]", b'{"symbol":"\xff"}', b"\xef\xbb\xbf{}", "[" * 40 + "]" * 40])
def test_what_is_not_json(shared_writable, shared_tokens, body):
    problem(post(shared_writable, "/v1/ticks", body, shared_tokens.publish), 400, "malformed_request")


def test_member_names_that_are_given_twice_or_escaped(shared_writable, shared_tokens, shared_redis, listen):
    listener = listen(shared_redis, TICKS)
    twice = '{"symbol":"A","price":1,"price":2,"volume":1,"timestamp":1}'
    body = problem(post(shared_writable, "/v1/ticks", twice, shared_tokens.publish), 400, "invalid_parameter")
    assert [(e["parameter"], e["detail"]) for e in body["errors"]] == [("/price", "is given twice")]
    escaped = '{"s\\u0079mbol":"A","pric\\u0065":1,"volume":1,"timestamp":1}'
    assert post(shared_writable, "/v1/ticks", escaped, shared_tokens.publish).status_code == 202
    assert listener.take(1) == [{"symbol": "A", "price": 1, "volume": 1, "timestamp": 1}]


def test_other_types_and_too_much(shared_writable, shared_tokens):
    body = json.dumps(TICK)
    for content_type in (None, "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "application/jsonx"):
        answer = post(shared_writable, "/v1/ticks", body.encode(), shared_tokens.publish, content_type)
        problem(answer, 415, "unsupported_media_type")
        assert JSON in answer.headers["Accept-Post"]
    problem(post(shared_writable, "/v1/ticks", body, shared_tokens.publish, **{"Content-Encoding": "gzip"}), 415, "unsupported_media_type")
    problem(post(shared_writable, "/v1/ticks", "[" + " " * (1 << 20) + "]", shared_tokens.publish), 413, "body_too_large")
    # The token comes first: nobody learns anything else.
    problem(post(shared_writable, "/v1/ticks", "[" + " " * (1 << 20) + "]"), 401, "unauthorized")
    problem(post(shared_writable, "/v1/ticks?limit=1", TICK, shared_tokens.publish), 400, "unknown_parameter")


def test_an_error_comes_back_and_is_stored_once(writable, tokens, redis_server):
    error = {"severity": "Warning", "message": "line 1\nline 2", "component": "web", "context": {"page": "/chart", "n": [1, 2]}}
    answer = post(writable, "/v1/errors", error, tokens.publish)
    assert answer.status_code == 202 and answer.json() == {"accepted": 1, "receivers": 1}
    stored = until(lambda: writable.data("/v1/errors?component=web"), "it is stored")
    assert len(stored) == 1
    assert {k: stored[0][k] for k in ("severity", "message", "component", "source", "context", "channel")} == {
        "severity": "warning", "message": error["message"], "component": "web", "source": "tickgate", "context": error["context"],
        "channel": ERRORS}
    assert abs(stored[0]["timestamp"] - stored[0]["received_at"]) < 5 and stored[0]["time_source"] == "event"


@pytest.mark.parametrize("change, where, code", [
    ({"severity": "fatal"}, "/severity", "out_of_range"), ({"severity": None}, "/severity", "missing_field"),
    ({"message": ""}, "/message", "out_of_range"), ({"message": "x" * 4097}, "/message", "out_of_range"),
    ({"message": "\0"}, "/message", "out_of_range"), ({"component": "a\nb"}, "/component", "out_of_range"),
    ({"component": "tickgate"}, "/component", "out_of_range"), ({"component": 1}, "/component", "invalid_type"),
    ({"context": []}, "/context", "invalid_type"), ({"source": "me"}, "", "unknown_field"), ({"instance": "x"}, "", "unknown_field"),
])
def test_errors_are_checked(shared_writable, shared_tokens, change, where, code):
    error = {"severity": "error", "message": "m", "component": "web", **change}
    body = problem(post(shared_writable, "/v1/errors", error, shared_tokens.publish), 400, "invalid_parameter")
    assert [(e["parameter"], e["code"]) for e in body["errors"]] == [(where, code)]


def test_redis_goes_and_comes_back(writable, tokens, redis_server):
    assert post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 202
    redis_server.stop()
    for _ in range(5):
        answer = post(writable, "/v1/ticks", TICK, tokens.publish)
        problem(answer, 503, "redis_unavailable")
        assert answer.headers["Retry-After"] == "2"
    assert writable.get("/v1/patterns").status_code == 200
    redis_server.start()
    until(lambda: post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 202, "it publishes again")


def test_a_redis_that_has_a_name(launch, redis_server, tmp_path, tokens):
    """In the sandbox names are still looked up."""
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.token_file={tokens.file}",
                     "-o", f"publish.url=redis://localhost:{redis_server.port}/0")
    assert post(service, "/v1/ticks", TICK, tokens.publish).status_code == 202


def test_every_connection_died_while_it_was_idle(writable, tokens, redis_server):
    """Noticed before use: nobody gets a 503 for it."""
    for _ in range(20):
        assert post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 202
    names = [c for c in redis_server.client.client_list() if c["name"] == "tickgate-publish"]
    assert names
    redis_server.client.client_kill_filter(_type="normal", skipme=True)
    for _ in range(20):
        assert post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 202


def test_tokens_are_read_again_when_the_file_changes(writable, tokens):
    workers = writable.workers()
    late = make_token(tokens.file, "late", "publish")
    until(lambda: post(writable, "/v1/ticks", TICK, late).status_code == 202, "a new token works")
    good = tokens.file.read_text()
    tokens.file.write_text(good + "nonsense\n")
    until(lambda: "tokens_refused" in writable.log.read_text(), "the faulty file is told")
    assert post(writable, "/v1/ticks", TICK, late).status_code == 202, "what was valid stays valid"
    tokens.file.write_text("".join(line for line in good.splitlines(True) if not line.startswith("late ")))
    until(lambda: post(writable, "/v1/ticks", TICK, late).status_code == 401, "a removed token does not")
    assert post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 202
    tokens.file.unlink()
    until(lambda: post(writable, "/v1/ticks", TICK, tokens.publish).status_code == 401, "without a file there are no tokens")
    assert writable.workers() == workers, "and all this without a restart"


def test_a_faulty_token_file_at_the_start(launch, redis_server, tmp_path):
    file = tmp_path / "tokens"
    for text, mode, why in (("a publish 00\n", 0o600, "tokens:1: a SHA-256"), ("", 0o602, "everybody may write it"), (None, 0, "No such file")):
        if text is not None:
            file.write_text(text)
            file.chmod(mode)
        else:
            file.unlink()
        service = launch("--redis", redis_server.url, "--no-demo", "-o", f"access.token_file={file}", ready=False)
        assert service.process.wait(30) == 1
        assert why in service.log.read_text()


def test_reading_with_tokens_only(launch, redis_server, tmp_path, tokens):
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.token_file={tokens.file}",
                     "-o", "access.read=token")
    assert "Redis does not answer" not in service.log.read_text(), "the run cannot know"
    problem(service.get("/v1/patterns"), 401, "unauthorized")
    problem(service.get("/v1/health"), 401, "unauthorized")
    problem(service.get(f"/v1/patterns?token={tokens.read}"), 401, "unauthorized")
    assert service.get("/livez").status_code == 200 and service.get("/readyz").status_code == 200
    assert service.session.options(service.url + "/v1/patterns", timeout=30).status_code == 204
    reader = {"Authorization": f"Bearer {tokens.read}"}
    listens(service, reader)
    for token in (tokens.read, tokens.publish, tokens.admin):
        assert service.get("/v1/patterns", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    redis_server.publish("tickstock:patterns:streaming", '{"pattern_name":"doji","symbol":"A","confidence":90}')
    event = until(lambda: service.get("/v1/patterns", headers=reader).json()["data"], "it is there")[0]
    answer = service.get(f"/v1/events/{event['id']}", headers=reader)
    assert answer.headers["Cache-Control"].startswith("private")


@pytest.mark.parametrize("way", ["header", "query"])
def test_waiting_with_a_token(launch, redis_server, tmp_path, tokens, way):
    """Who was let in before he was parked is answered, not asked for his token again."""
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.token_file={tokens.file}",
                     "-o", "access.read=token", "-o", "access.query_token=yes")
    reader = {"Authorization": f"Bearer {tokens.read}"}
    listens(service, reader)
    problem(service.get("/v1/poll"), 401, "unauthorized")
    answers = []

    def wait():
        answers.append(requests.get(service.url + "/v1/poll?wait=20" + (f"&token={tokens.read}" if way == "query" else ""),
                                    headers=reader if way == "header" else {}, timeout=30))

    thread = threading.Thread(target=wait)
    thread.start()
    until(lambda: service.get("/v1/health", headers=reader).json()["streams"]["waiters"] == 1, "it waits")
    redis_server.publish("tickstock:patterns:streaming", '{"pattern_name":"doji","symbol":"A","confidence":90}')
    thread.join()
    assert answers[0].status_code == 200 and len(answers[0].json()["data"]) == 1, answers[0].text
    assert tokens.read not in answers[0].text and "Authorization" in answers[0].headers["Vary"]


def test_a_token_in_the_query_where_that_is_allowed(launch, redis_server, tmp_path, tokens):
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.token_file={tokens.file}",
                     "-o", "access.read=token", "-o", "access.query_token=yes")
    listens(service, {"Authorization": f"Bearer {tokens.read}"})
    problem(service.get("/v1/patterns?token=x"), 401, "unauthorized")
    answer = service.get(f"/v1/patterns?limit=3&token={tokens.read}")
    assert answer.status_code == 200 and tokens.read not in answer.text and "token" not in answer.json()["follow"]
    problem(post(service, f"/v1/ticks?token={tokens.publish}", TICK), 401, "unauthorized")
    log = service.log.read_text()
    assert tokens.read not in log and tokens.publish not in log


def test_admin_resources(launch, redis_server, tmp_path, tokens):
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.token_file={tokens.file}",
                     "-o", "access.admin_addresses=192.0.2.0/24", "-o", "access.trusted_proxies=127.0.0.1 10.0.0.0/8")

    def rejects(token=None, forwarded=None):
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        if forwarded is not None:
            headers["X-Forwarded-For"] = forwarded
        return service.get("/v1/rejects", headers=headers).status_code

    assert rejects() == 401 and rejects(tokens.read) == 403 and rejects(tokens.publish) == 403 and rejects(tokens.admin) == 200
    assert rejects(forwarded="192.0.2.7") == 200 and rejects(forwarded="198.51.100.7") == 401
    # Only what the proxies wrote counts: the last one that is none of ours.
    assert rejects(forwarded="192.0.2.7, 198.51.100.7") == 401
    assert rejects(forwarded="198.51.100.7, 192.0.2.7, 10.1.2.3") == 200
    assert rejects(forwarded="192.0.2.7, unknown") == 401 and rejects(forwarded="192.0.2.0/24") == 401


def test_forwarded_for_counts_from_trusted_proxies_only(launch, redis_server, tmp_path):
    service = launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", "access.admin_addresses=192.0.2.0/24")
    assert service.get("/v1/rejects", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403


@pytest.mark.parametrize("name, value", [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "198.51.100.7"),
                                         ("Forwarded", "for=198.51.100.7"), ("Via", "1.1 proxy")])
def test_what_a_proxy_on_this_machine_passes_on_is_not_at_home(shared_service, name, value):
    """Nobody has said that it is a proxy: all that comes through it has the address 127.0.0.1."""
    assert shared_service.get("/v1/rejects").status_code == 200
    problem(shared_service.get("/v1/rejects", headers={name: value}), 403, "forbidden")
    assert shared_service.get("/v1/patterns", headers={name: value}).status_code == 200


def test_our_own_errors_are_told_and_not_stored(writable, redis_server, tmp_path, listen):
    """The subscriber cannot commit: TickStock hears of it, and the echo is known as such."""
    listener = listen(redis_server, ERRORS)
    until(lambda: writable.json("/v1/health")["redis"]["connected"], "it listens")
    [database] = [p for p in (tmp_path / "state").iterdir() if p.suffix == ".db"]
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        redis_server.client.publish("tickstock:patterns:streaming", '{"pattern_name":"doji","symbol":"A","confidence":90}')
        [told] = until(lambda: [m for m in [listener.pubsub.get_message(timeout=1)] if m], "somebody is told", 30)
        db.execute("ROLLBACK")
    told = json.loads(told["data"])
    assert told["component"] == "tickgate" and told["source"] == "tickgate" and told["message"].startswith("store_failed ")
    until(lambda: writable.channel(ERRORS)["rejected"].get("own_echo") == 1, "the echo is refused")
    until(lambda: writable.data("/v1/patterns"), "and nothing was lost")
    assert writable.data("/v1/errors") == []
