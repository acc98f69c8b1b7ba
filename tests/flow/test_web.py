"""Each web server with the configuration that is shipped for it: the page, the API at both mount points, and what goes wrong.

What clients see of the API is tested by the modules marked `web`, behind every server: ./dev test web.
"""

import os
import re
import stat

import pytest
import requests

from conftest import DOCUMENTED, PATTERNS, ROOT, launching, simulate, until
from test_run import listening_path

CSP = "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
FASTCGI = ["lighttpd", "apache", "nginx"]
EVERY = [(server, at) for server in (*FASTCGI, "apache-fcgid", "apache-cgid", "lighttpd-cgi") for at in ("/", "/tickgate/")]


@pytest.fixture(scope="module", params=EVERY, ids=lambda p: "".join(p))
def anywhere(request, tmp_path_factory, shared_redis):
    server, at = request.param
    with launching(tmp_path_factory.mktemp("anywhere")) as launch:
        yield launch("--redis", shared_redis.url, "--no-demo", server=server, at=at)


def raw(service, path, **headers):
    """A GET whose body is not decompressed."""
    with requests.get(service.url + path, headers=headers, stream=True, timeout=30) as answer:
        return answer, answer.raw.read(decode_content=False)


def page_is_served(service):
    for path, kind in (("/", "text/html"), ("/app.js", "javascript"), ("/style.css", "text/css")):
        answer = service.get(path)
        assert answer.status_code == 200 and kind in answer.headers["Content-Type"], path
        assert answer.headers["Content-Security-Policy"] == CSP
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-cache"
    assert service.get("/").text == (ROOT / "www/index.html").read_text()


def json_is_compressed(service):
    whole, body = raw(service, "/v1/indicators?limit=50", **{"Accept-Encoding": "identity"})
    assert "Content-Encoding" not in whole.headers
    small, packed = raw(service, "/v1/indicators?limit=50", **{"Accept-Encoding": "gzip"})
    assert small.headers["Content-Encoding"] == "gzip"
    assert len(packed) < len(body) / 3
    assert "Accept-Encoding" in small.headers["Vary"]
    for name in ("Content-Type", "Tickgate-Cursor", "Cache-Control"):
        assert small.headers[name] == whole.headers[name]


def test_page_and_api_at_their_mount_point(anywhere, shared_redis):
    service = anywhere
    page_is_served(service)
    shared_redis.publish(PATTERNS, DOCUMENTED.replace("AAPL", "BTC/USD"))
    until(lambda: service.data("/v1/patterns"), "the event is there")
    for symbol in ("BTC/USD", "BTC%2FUSD", "btc/usd"):
        answer = service.json(f"/v1/symbols/{symbol}/patterns")
        assert [e["symbol"] for e in answer["data"]] == ["BTC/USD"]
        assert answer["follow"].upper().startswith(f"{service.mount}/v1/symbols/BTC/USD/patterns?after=".upper())
        assert service.json(answer["follow"])["data"] == []
    part = service.get("/v1/patterns", headers={"Range": "bytes=0-9"})
    assert part.status_code == 200 and part.json()["count"] == 1, "there are no parts of what changes"
    simulate(shared_redis.url, "--count", 300, "--rate", 0, "--seed", 7)
    until(lambda: service.received() >= 301, "all are in")
    json_is_compressed(service)
    # What only begins like a route is none of the gateway's, nor is what is beside the mount point.
    for path in ("/v1x", "/livezz", "/v1x/patterns"):
        assert "problem+json" not in service.get(path).headers.get("Content-Type", ""), path
    beside = requests.get(f"http://127.0.0.1:{service.port}/nowhere/v1/health", timeout=10)
    assert beside.status_code == 404 and "problem+json" not in beside.headers.get("Content-Type", "")


def test_the_address_of_the_client_is_known(anywhere):
    """/v1/rejects is for loopback: it is refused when the server does not pass REMOTE_ADDR on."""
    assert anywhere.get("/v1/rejects").status_code == 200


@pytest.mark.parametrize("server", FASTCGI)
def test_without_its_slash_the_mount_point_leads_to_the_page(launch, redis_server, server):
    service = launch("--redis", redis_server.url, "--no-demo", server=server, at="/tickgate/")
    answer = service.session.get(service.url, allow_redirects=False, timeout=10)
    assert answer.status_code in (301, 302) and answer.headers["Location"].endswith("/tickgate/")
    assert "<title>tickgate</title>" in service.get("").text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's service runs the web server as another user")
@pytest.mark.parametrize("server", FASTCGI)
def test_a_socket_that_the_web_server_may_not_write_to_is_told_in_its_log(launch, redis_server, server):
    service = launch("--redis", redis_server.url, "--no-demo", server=server)
    path = listening_path(service)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
    assert service.get("/livez").status_code == 200
    os.chmod(path, 0o600)
    assert service.get("/livez").status_code in (502, 503)
    until(lambda: re.search(r"permission denied", service.log.read_text(), re.I), "the log says why")
    line = next(line for line in service.log.read_text().splitlines() if re.search("permission denied", line, re.I))
    assert path in line
    os.chmod(path, 0o660)
    until(lambda: service.get("/livez").status_code == 200, "it is served again")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's service runs the web server as another user")
@pytest.mark.parametrize("server", FASTCGI)
def test_the_web_server_cannot_write_the_log(launch, redis_server, server):
    service = launch("--redis", redis_server.url, "--no-demo", server=server)
    state = os.path.join(os.path.dirname(listening_path(service)), "state")
    group = os.stat(state).st_gid
    for directory, _, files in os.walk(state):
        for path in (directory, *(os.path.join(directory, name) for name in files)):
            info = os.stat(path)
            assert info.st_uid == 0 and not info.st_mode & 0o022, path
            assert info.st_gid == group and info.st_mode & 0o040, f"{path}: its group cannot read it"
