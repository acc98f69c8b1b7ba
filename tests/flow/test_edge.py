"""What nobody sends by accident: the right status and code, never a 500, never a hang, and nobody else is harmed."""

import http.client
import json
import random
import socket
import urllib.parse

import pytest

from conftest import BUILD, DOCUMENTED, PATTERNS, until
from contract import contract_of
from test_conditional import as_cgi

LIST = "/v1/patterns"
METHODS = ("GET", "HEAD", "OPTIONS", "POST")


def raw(service, target, method="GET", headers=()):
    """(status, problem code or None): the request line exactly as given, headers also twice."""
    mount = service.mount
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as s:
        lines = [f"{method} {mount}{target} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *(f"{n}: {v}" for n, v in headers)]
        s.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
        answer = http.client.HTTPResponse(s, method=method)
        answer.begin()
        body = answer.read()
    problem = answer.getheader("Content-Type") == "application/problem+json"
    # What the web server does by itself (it joins slashes, refuses methods) is no matter of the document.
    if "//" not in target and "/." not in target and (problem or method in METHODS):
        plain = body if body and not answer.getheader("Content-Encoding") else None
        contract_of(BUILD / "tickgate.fcgi").check(method, target, answer.status, dict(answer.getheaders()), plain)
    assert answer.status < 500 or not problem and answer.status == 501, f"{method} {target[:200]}: {answer.status} {body[:300]}"
    return answer.status, json.loads(body)["code"] if problem and body else None


@pytest.fixture(scope="module")
def one(shared_service, shared_redis):
    """A service with one event."""
    shared_redis.publish(PATTERNS, DOCUMENTED)
    until(lambda: shared_service.data(LIST), "the event is there")
    return shared_service


@pytest.fixture
def edge(one):
    """After each test it must be as well as before."""
    service = one
    workers, before = service.workers(), service.json("/v1/health")["gateway"]
    yield service
    assert service.workers() == workers, "no worker died"
    after = service.json("/v1/health")["gateway"]
    assert all(after[name] == before[name] for name in ("errors", "worker_restarts"))
    assert len(service.data(LIST)) == 1


QUERIES = [  # query, status, code
    *((f"symbol={bad}", 400, "invalid_parameter") for bad in ("%", "A%", "A%2", "%zz", "%g0", "%0", "%%", "A%u0041")),
    *((f"symbol={bad}", 400, "invalid_parameter") for bad in ("%00", "A%00B", "%0a", "A%0d%0aX-Evil:1", "%7f", "%c2%80")),
    *((f"timeframe={bad}", 400, "invalid_parameter") for bad in ("%c0%af", "%c0%80", "%e0%80%af", "%ff", "%fe", "%ed%a0%80", "%f4%90%80%80", "%c3", "%e2%82")),
    ("timeframe=%E2%82%AC", 200, None),
    ("symbol=%41%41%50%4c", 200, None),
    ("%73ymbol=AAPL", 200, None),
    ("sym%62ol=AAPL&_=1&_=2", 200, None),
    ("symbol=A%2541", 400, "invalid_symbol"),
    ("%00=1", 400, None),
    ("%ff=1", 400, None),
    ("=1", 400, "unknown_parameter"),
    ("=", 400, "unknown_parameter"),
    ("&&&&", 200, None),
    ("&" * 8000, 200, None),
    ("symbol", 400, "invalid_symbol"),
    ("symbol=", 400, "invalid_symbol"),
    ("symbol=,", 400, "invalid_symbol"),
    ("symbol=A,,B", 400, "invalid_symbol"),
    ("symbol=" + "A" * 33, 400, "invalid_symbol"),
    ("symbols=" + ",".join(f"S{n}" for n in range(200)), 200, None),
    ("symbols=" + ",".join(f"S{n}" for n in range(201)), 400, "invalid_symbol"),
    ("symbols=" + ",".join(f"S{n}" for n in range(500)), 400, "invalid_symbol"),
    ("symbols=" + "A," * 4000, 400, "invalid_symbol"),
    ("limit=1&limit=2", 400, "invalid_parameter"),
    ("limit=1&limit=1", 400, "invalid_parameter"),
    ("symbol=A&symbols=A", 400, "conflicting_parameters"),
    ("min_confidence=90&max_confidence=10", 400, "conflicting_parameters"),
    *((f"limit={n}", 400, "limit_out_of_range") for n in ("-1", "0", "1001", "1000000000", "9223372036854775807", "9223372036854775808", "99999999999999999999999999", "-99999999999999999999")),
    *((f"limit={n}", 400, "invalid_parameter") for n in ("1e9", "1.0", "0x10", "%2B5", "5%20", "%205", "five", "", "%D9%A1", "NaN", "--1")),
    *((f"min_confidence={n}", 400, "invalid_parameter") for n in ("NaN", "inf", "-1", "101", "1e400", "0.5", "1", "", "80%25", "0x50", "1e-5")),
    *((f"min_value={n}", 400, "unknown_parameter") for n in ("1",)),
    ("kinds=pattern", 400, "unknown_parameter"),
    ("pattern=" + ",".join("abcdefghij" for _ in range(51)), 400, "invalid_parameter"),
    ("pattern=" + "x" * 65, 400, "invalid_parameter"),
    ("pattern=_-_", 400, "invalid_parameter"),
    ("fields=" + ",".join(f"f{n}" for n in range(51)), 400, "invalid_parameter"),
    ("format=xml", 400, "invalid_parameter"),
    ("pretty=maybe", 400, "invalid_parameter"),
    ("Symbol=AAPL", 400, "unknown_parameter"),
    ("symbol[]=AAPL", 400, "unknown_parameter"),
    ("a" * 8000, 400, "unknown_parameter"),
    ("&".join(f"p{n}=1" for n in range(700)), 400, "unknown_parameter"),
    ("symbol=AAPL#fragment", None, None),
    ("before=zzzzzzzz-1", 410, "cursor_expired"),
    ("after=zzzzzzzz-1", 200, None),
    ("after=zzzzzzzz-1&on_gap=fail", 410, "cursor_expired"),
    *((f"after={bad}", 400, "invalid_cursor") for bad in ("1", "-1", "abc", "abc-", "abc-x", "abc-01", "abc-1-", "", "a" * 65 + "-1", "abc_1", "OLDEST")),
    ("before=now", 400, "invalid_cursor"),
    ("after=aaaaaaaa-99999999999999999999999999999999999999999", 200, None),
]


def test_queries(edge):
    """lighttpd refuses control characters and overlong forms by itself, and writes a % that begins nothing as %25."""
    assert len(QUERIES) > 90
    wrong = []
    for query, status, code in QUERIES:
        got = raw(edge, f"{LIST}?{query}")
        by_server = "%" in query and got[1] in (None, "invalid_symbol", "unknown_parameter")
        if status not in (None, got[0]) or not (by_server or code in (None, got[1])):
            wrong.append(f"{query[:200]}: {got}, not {status} {code}")
    assert not wrong, "\n".join(wrong)


def test_queries_as_they_are(edge):
    """The same as a plain CGI program gets them, with nothing in between."""
    wrong = []
    for query, status, code in QUERIES:
        got, headers, body = as_cgi(edge, LIST, query)
        told = json.loads(body)["code"] if got >= 400 else None
        contract_of(BUILD / "tickgate.fcgi").check("GET", f"{LIST}?x", got, headers, body)
        if status not in (None, got) or code not in (None, told):
            wrong.append(f"{query[:200]}: {got} {told}, not {status} {code}")
    assert not wrong, "\n".join(wrong)


RIGHT = ["2026-11-23T07:01:40Z", "2026-11-23T07:01:40.123456Z", "2026-11-23t07:01:40z", "2026-11-23T07:01:40%2B01:00", "2026-11-23T07:01:40-05:30", "2026-11-23",
         "0", "1795417206", "1795417206.702", "1795417206702", "90s", "15m", "2h", "3d", "0s", "1970-01-01T00:00:00Z", "2024-02-29", "9999-12-31T23:59:59Z"]
WRONG = ["yesterday", "now", "", "-1", "1e9", "2026-11-23T07:01:40", "2026-11-23T07:01:40+01:00", "2026-13-01", "2026-00-10", "2026-11-31", "2023-02-29",
         "2026-11-23T24:00:01Z", "2026-11-23T07:60:00Z", "2026-11-23T07:01:61Z", "23.11.2026", "11/23/2026", "2026-11-23T07:01:40+25:00".replace("+", "%2B"),
         "15", "m15", "15M", "15 m", "-15m", "1.5h", "99999999999999999999d", "15min", "2026-W48", "20261123T070140Z", "1795417206.", ".5", "1795417206,7",
         "99999999999999999", "%00", "2026-11-23T07:01Z%20", "Mon, 23 Nov 2026 07:01:40 GMT".replace(" ", "%20")]


def test_times(edge):
    assert len(WRONG) > 20
    for name in ("since", "until"):
        for time in RIGHT:
            if time != "15":
                assert raw(edge, f"{LIST}?{name}={time}")[0] == 200, time
        for time in WRONG:
            status, code = raw(edge, f"{LIST}?{name}={time}")
            if time == "15":  # epoch second 15
                assert status == 200
            else:
                assert (status, code) == (400, None if time == "%00" else "invalid_time"), time
    for time in ("5", "0s", "25h", "1d1h", "2026-11-23", "-1h", ""):
        assert raw(edge, f"/v1/summary?window={time}") == (400, "invalid_time"), time


def test_paths(edge):
    event = edge.data(LIST)[0]["id"]
    for target, status in [
        ("/v1/%70atterns", 200), ("/v1/patterns%3Flimit=1", 404), ("/v1/patterns/", 404), ("/v1//patterns", None), ("/v1/./patterns", None),
        ("/v1/../v1/patterns", None), ("/v1/symbols/%2e%2e/patterns", None), ("/v1/symbols/..%2f..%2fetc%2fpasswd", None), ("/v1/symbols/%00", None),
        ("/v1/symbols/A%20B", 400), ("/v1/symbols/%C3%A9", 400), ("/v1/symbols/%c0%af", None), ("/v1/symbols/" + "A" * 33, 400),
        ("/v1/symbols/" + "A" * 5000, None), ("/v1/symbols/aapl", 200), ("/v1/symbols/AAPL/patterns/patterns", 200), ("/v1/symbols//patterns", None),
        ("/v1/symbols/BTC%2FUSD/patterns", 200), ("/v1/symbols/BTC/USD/patterns.csv", 200), (f"/v1/events/{event}", 200), (f"/v1/events/{event}x", 400),
        ("/v1/events/" + event.split("-")[0] + "-0", 404), ("/v1/events/zzzzzzzz-1", 410), ("/v1/events/%00", None), ("/v1/events/a/b", 404),
        ("/v1/events/" + "9" * 64, 400), ("/v1/patterns;x=1", 404), ("/V1/patterns", None), ("/v1/Patterns", 404), ("/v1/patterns.CSV", 404),
    ]:
        got = raw(edge, target)
        assert got[0] == status if status else got[0] in (200, 301, 400, 404, 414), f"{target[:100]}: {got}"


def test_headers(edge):
    for headers, status in [
        ([("Accept", "*/*," * 1500 + "*/*")], None), ([("Accept", "text/csv;q=" + "9" * 500)], 200), ([("Accept", ";;;,,,/")], 406), ([("Accept", "")], 200),
        ([("Accept", "text/csv"), ("Accept", "application/json")], None), ([("If-None-Match", "W/\"" * 1000)], 200), ([("If-None-Match", '"' + "x" * 7000)], 200),
        ([("If-None-Match", "*" * 7000)], 200), ([("If-None-Match", '"a"'), ("If-None-Match", '"b"')], None), ([("Origin", "x" * 5000)], 200),
        ([("Origin", "null")], 200), ([("Access-Control-Request-Method", "GET\tX")], 200), ([("Range", "bytes=0-1")], 200),
        ([("If-Modified-Since", "Mon, 23 Nov 2026 07:01:40 GMT")], 200), ([("If-Match", '"x"')], 200), ([("Content-Length", "0")], 200),
        ([("Accept-Encoding", "gzip;q=0, br, *;q=" + "0" * 300)], 200), ([("Expect", "100-continue")], None), ([("Prefer", "wait=" + "9" * 3000)], None),
        ([("X-Forwarded-For", "1.2.3.4, " * 500)], None), ([("Cookie", "a=b; " * 1000)], 200),
    ]:
        got = raw(edge, LIST, headers=headers)
        assert got[0] == status if status else got[0] in (200, 400, 417, 431), f"{headers[0][0]}: {got}"


def test_methods(edge):
    for method in ("PUT", "DELETE", "PATCH", "PROPFIND", "TRACE", "get", "GETS", "M-SEARCH"):
        assert raw(edge, LIST, method)[0] in (400, 405, 501), method
    for target in (LIST, "/v1/nothing", f"{LIST}?limit=x", "/v1/symbols/NEVER"):
        assert raw(edge, target, "HEAD")[0] == raw(edge, target)[0]


def test_preflights(edge):
    """CORS is off by default: nobody is told anything."""
    answer = edge.session.options(edge.url + LIST, headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"})
    assert answer.status_code == 204 and not [h for h in answer.headers if h.lower().startswith("access-control")]


def test_cors_by_configuration(launch, redis_server):
    service = launch("--redis", redis_server.url, "--no-demo", "-o", "cors.origins=https://charts.example http://localhost:3000")
    good, evil = {"Origin": "https://charts.example"}, {"Origin": "https://evil.example"}
    for path in (LIST, "/v1/health", "/v1/nothing", f"{LIST}?limit=x"):
        answer = service.get(path, headers=good)
        assert answer.headers["Access-Control-Allow-Origin"] == "https://charts.example"
        assert {"ETag", "Tickgate-Cursor", "Link"} <= set(answer.headers["Access-Control-Expose-Headers"].split(", "))
        assert "Access-Control-Allow-Credentials" not in answer.headers
        for headers in (evil, {}):
            answer = service.get(path, headers=headers)
            assert "Access-Control-Allow-Origin" not in answer.headers and "Origin" in answer.headers["Vary"]
    tag = service.get(LIST).headers["ETag"]
    answer = service.get(LIST, headers=good | {"If-None-Match": tag})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (304, "https://charts.example")
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
    answer = service.session.options(service.url + LIST, headers=good | asks)
    assert answer.status_code == 204 and answer.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert "If-None-Match" in answer.headers["Access-Control-Allow-Headers"] and answer.headers["Access-Control-Max-Age"] == "600"
    answer = service.session.options(service.url + LIST, headers=evil | asks)
    assert answer.status_code == 204 and "Access-Control-Allow-Methods" not in answer.headers


PIECES = ["symbol", "symbols", "kinds", "limit", "since", "until", "after", "before", "format", "fields", "group", "per_symbol", "min_confidence", "pretty", "x"]
VALUES = ["AAPL", "A,B", "1", "0", "-1", "1e9", "csv", "ndjson", "symbol", "pattern,alert", "15m", "2026-11-23", "now", "oldest", "zzzzzzzz-5", "%", "%00", "%ff", "é",
          "a" * 300, "'", '"', "<script>", "../..", "null", "true", ",", "99999999999999999999", "1795417206", "id,symbol", "{}", "[]", "\\", "%25", "%F0%9F%93%88"]
ROUTES = ["/v1/patterns", "/v1/events", "/v1/symbols", "/v1/symbols/AAPL/events", "/v1/snapshot", "/v1/summary", "/v1/patterns.csv", "/v1/events.ndjson", "/v1/gaps", "/v1",
          "/openapi.json", "/v1/health", "/v1/events/{}", "/v1/symbols/{}", "/v1/symbols/{}/alerts", "/v1/{}"]


def test_a_thousand_random_requests(edge):
    dice = random.Random(8)
    statuses = set()
    for _ in range(1000):
        value = dice.choice(VALUES)
        path = dice.choice(ROUTES).format(urllib.parse.quote(value, safe="%/,'"))
        query = "&".join(f"{dice.choice(PIECES)}={urllib.parse.quote(dice.choice(VALUES), safe='%,')}" for _ in range(dice.randrange(4)))
        statuses.add(raw(edge, f"{path}?{query}", dice.choice(["GET", "GET", "GET", "HEAD", "OPTIONS"]))[0])
    assert {200, 204, 400, 404} <= statuses <= {200, 204, 301, 400, 403, 404, 405, 410, 414}, statuses
