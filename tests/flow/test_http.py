"""The contract around the data: methods, faults that name themselves, paging, the web server's part."""

import pytest

from conftest import DOCUMENTED, PATTERNS, ROOT, seq, simulate, until, walk

pytestmark = pytest.mark.web
MAIN = "/v1/patterns"


@pytest.fixture(scope="module")
def filled(shared_service, shared_redis):
    """1,000 simulated messages, all accounted for. Who publishes more waits until it is there: nothing comes in under another test."""
    service = shared_service
    simulate(shared_redis.url, "--count", 1000, "--rate", 0, "--seed", 7, "--symbols", 5)
    until(lambda: service.received() >= 1000, "all are in")
    return service


def test_paging_back_by_next_and_forward_by_follow_gives_everything_once(filled):
    everything = walk(filled, "/v1/events?limit=1000&duplicates=show&kinds=pattern,indicator,alert,health,session,error,gap", "next")
    ids = [seq(e) for e in everything]
    assert ids == sorted(set(ids), reverse=True) and len(ids) >= 1000
    for route, kinds in (("/v1/events", {"pattern", "indicator", "alert"}), ("/v1/indicators", {"indicator"}), (MAIN, {"pattern"})):
        want = [e for e in everything if e["kind"] in kinds and e["duplicate_of"] is None]
        assert want, f"the simulator sends {kinds}"
        assert walk(filled, f"{route}?limit=37", "next") == want
        assert walk(filled, f"{route}?limit=37&after=oldest", "follow") == want[::-1]
        assert walk(filled, f"{route}?limit=37&after=oldest", "next") == want[::-1]
    symbol = everything[-1]["symbol"] or next(e["symbol"] for e in everything if e["symbol"])
    want = [e for e in everything if e["kind"] == "indicator" and e["symbol"] == symbol]
    assert walk(filled, f"/v1/symbols/{symbol}/indicators?limit=11", "next") == want
    assert walk(filled, f"/v1/indicators?symbols={symbol.lower()}&limit=11&after=oldest", "follow") == want[::-1]


def test_follow_of_the_newest_page_finds_only_what_came_later(filled, shared_redis):
    follow = filled.json(f"{MAIN}?limit=3")["follow"]
    assert filled.data(follow) == []
    shared_redis.publish(PATTERNS, DOCUMENTED)
    page = until(lambda: (p := filled.json(follow))["data"] and p, "the new one follows")
    assert [e["confidence"] for e in page["data"]] == [85.5]
    assert filled.data(page["follow"]) == []


def test_filters_keep_what_they_say(filled):
    everything = walk(filled, f"{MAIN}?limit=1000", "next")
    name, symbol = everything[0]["pattern_name"], everything[0]["symbol"]
    want = [e for e in everything if e["pattern_name"] == name]
    assert walk(filled, f"{MAIN}?limit=1000&pattern={name.upper()}", "next") == want
    want = [e for e in everything if e["confidence"] >= 80]
    assert walk(filled, f"{MAIN}?limit=1000&min_confidence=80", "next") == want
    want = [e for e in everything if e["symbol"] == symbol]
    assert walk(filled, f"{MAIN}?limit=1000&symbol={symbol}&since=1h", "next") == want
    directory = {s["symbol"]: s for s in filled.data("/v1/symbols")}
    assert directory[symbol]["patterns"] == len(want)
    assert walk(filled, f"{MAIN}?until=1h", "next") == []
    one = filled.data(f"/v1/symbols/{symbol}")
    assert one["symbol"] == symbol and one["patterns"] and one["indicators"]


def test_a_query_that_is_wrong_in_four_ways_is_told_all_four(shared_service):
    service = shared_service
    answer = service.get(f"{MAIN}?limit=5000&min_confidence=0.5&since=yesterday&patern=doji&_=1")
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["status"] == 400
    assert {e["parameter"] for e in problem["errors"]} == {"limit", "min_confidence", "since", "patern"}
    assert "pattern" in answer.text


@pytest.mark.parametrize("path, status, code", [
    (f"{MAIN}?limit=0", 400, "limit_out_of_range"),
    (f"{MAIN}?limit=many", 400, None),
    (f"{MAIN}?after=not_an_id!", 400, "invalid_cursor"),
    (f"{MAIN}?after=oldest&before=abc-1", 400, None),
    (f"{MAIN}?since=tomorrow", 400, "invalid_time"),
    (f"{MAIN}?symbols=A%20B", 400, "invalid_symbol"),
    (f"{MAIN}?colour=red", 400, "unknown_parameter"),
    ("/v1/nothing", 404, "route_not_found"),
    ("/v1/symbols/NEVERSEEN", 404, "symbol_not_found"),
    ("/v1/events/zzzzzzzz-1", 410, "event_expired"),  # of another epoch
    ("/v1/streams", 404, "route_not_found"),
])
def test_faults_have_their_codes(shared_service, path, status, code):
    service = shared_service
    answer = service.get(path)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json()
    assert code is None or problem["code"] == code
    assert problem["title"] and problem["status"] == status


def test_an_id_that_was_not_given_out_yet(shared_service):
    service = shared_service
    epoch = service.json(MAIN)["cursor"].rsplit("-", 1)[0]
    answer = service.get(f"/v1/events/{epoch}-999999999")
    assert (answer.status_code, answer.json()["code"]) == (404, "event_not_found")


def test_queries_of_8_kib_are_read_and_longer_ones_are_told_so(shared_service):
    service = shared_service
    def ask(n):
        return service.get(f"{MAIN}?symbols=" + "A" * (n - len("symbols=")))

    assert ask(8192).json()["code"] == "invalid_symbol"
    answers = [ask(8193), ask(16000), service.get("/v1/symbols/" + "A" * 4100)]
    if "cgi" in service.server:
        # These look for the program of a path among their files, where such a path is too long.
        assert answers.pop().status_code == (404 if service.server == "lighttpd-cgi" else 403)
    for answer in answers:
        assert answer.status_code == 414 and answer.json()["code"] == "uri_too_long"
    most = ",".join(f"S{i}" for i in range(200))
    assert service.get(f"{MAIN}?symbols={most}").status_code == 200
    assert service.get(f"{MAIN}?symbols={most},S200").json()["code"] == "invalid_symbol"


def test_head_is_a_get_without_body(filled):
    service = filled
    assert service.data(MAIN)
    plain = {"Accept-Encoding": "identity"}
    get, head = service.get(MAIN, headers=plain), service.session.head(service.url + MAIN, headers=plain)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Cache-Control", "Tickgate-Cursor"):
        assert get.headers[name] == head.headers[name]
    assert service.session.head(service.url + "/v1/nothing").status_code == 404


def test_options_and_other_methods(shared_service):
    service = shared_service
    answer = service.session.options(service.url + MAIN)
    assert answer.status_code in (200, 204) and answer.content == b""
    assert {"GET", "HEAD", "OPTIONS"} <= {m.strip() for m in answer.headers["Allow"].split(",")}
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        answer = service.session.request(method, service.url + MAIN, data=b"x" * 1000)
        assert answer.status_code == 405, method
        assert answer.json()["code"] == "method_not_allowed"
        assert {"GET", "HEAD", "OPTIONS"} <= {m.strip() for m in answer.headers["Allow"].split(",")}


def test_a_collection_tells_its_cursor_and_is_not_cached(filled):
    service = filled
    answer = service.get(MAIN)
    assert answer.json()["data"]
    assert answer.headers["Tickgate-Cursor"] == answer.json()["cursor"]
    assert "no-cache" in answer.headers["Cache-Control"]
    assert "no-store" in service.get(f"{MAIN}?after=oldest").headers["Cache-Control"]


def test_probes_and_index(shared_service):
    service = shared_service
    assert service.get("/livez").status_code == service.get("/readyz").status_code == 200
    assert service.get("/readyz?verbose").status_code == 200
    assert MAIN in service.get("/v1").text
    health = service.json("/v1/health")
    assert health["redis"]["connected"] is True and health["subscriber"]["alive"] is True
    assert all(c["subscribed"] for c in service.data("/v1/channels"))


def test_the_page_and_its_headers(shared_service):
    service = shared_service
    for path, kind in (("/", "text/html"), ("/app.js", ("text/javascript", "application/javascript")), ("/style.css", "text/css")):
        answer = service.get(path)
        assert answer.status_code == 200 and answer.headers["Content-Type"].startswith(kind)
        assert answer.headers["Content-Security-Policy"] == "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
    assert service.get("/").text == (ROOT / "www/index.html").read_text()
    # What only begins like a route is none of the gateway's.
    assert "problem+json" not in service.get("/v1x").headers.get("Content-Type", "")
    assert service.get("/livezz").status_code == 404


def test_a_connection_carries_more_than_a_thousand_requests(shared_service):
    service = shared_service
    connections = set()
    for _ in range(1100):
        with service.session.get(service.url + "/style.css", stream=True) as answer:
            connections.add(answer.raw.connection.sock.getsockname() if answer.raw.connection else None)
            assert answer.status_code == 200 and answer.content
            assert "close" not in answer.headers.get("Connection", "")
    assert len(connections - {None}) == 1
