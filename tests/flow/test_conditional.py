"""Polling with If-None-Match behind every web server, with compression on, over restarts, and by programs of both kinds."""

import os
import pathlib
import re
import signal
import subprocess
import time

import pytest
import requests

from conftest import BUILD, DOCUMENTED, PATTERNS, simulate, until

AAPL = "/v1/patterns?symbols=AAPL"
SERVERS = ["lighttpd", "apache", "nginx", "apache-fcgid", "apache-cgid", "lighttpd-cgi"]


def poll(service, path, tag=None, coding="gzip"):
    """(status, headers, the bytes of the body as they came over the wire)"""
    headers = {"Accept-Encoding": coding} | ({"If-None-Match": tag} if tag else {})
    with requests.get(service.url + path, headers=headers, stream=True, timeout=30) as answer:
        return answer.status_code, answer.headers, answer.raw.read(decode_content=False)


def publish(service, redis_server, symbol, n=1):
    before = service.received()
    for _ in range(n):
        redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", symbol))
    until(lambda: service.received() == before + n, f"{symbol} is in")


def settled(service, path):
    """The tag once all workers' memory has caught up: the same twenty times."""
    def steady():
        tags = {poll(service, path)[1]["ETag"] for _ in range(20)}
        return tags.pop() if len(tags) == 1 else None
    return until(steady, "all give the same tag")


@pytest.mark.parametrize("server", SERVERS)
def test_304_comes_back_through_compression(launch, redis_server, server):
    service = launch("--redis", redis_server.url, "--no-demo", server=server)
    publish(service, redis_server, "AAPL", 30)
    tag = settled(service, AAPL)
    status, headers, body = poll(service, AAPL, tag="W/\"of.something.else\"")
    assert (status, headers["Content-Encoding"]) == (200, "gzip") and len(body) > 100
    assert headers["ETag"] == tag and headers["Cache-Control"] == "no-cache"
    assert "Accept" in headers["Vary"] and "Accept-Encoding" in headers["Vary"]
    # With the tag just as this server sent it, which may have a suffix for the coding.
    status, headers, body = poll(service, AAPL, tag)
    assert (status, body) == (304, b"")
    cursor = service.json(AAPL)["cursor"]
    assert headers["Tickgate-Cursor"] == cursor
    assert headers["Cache-Control"] == "no-cache" and "Accept" in headers["Vary"]
    for form in (tag, f'"x", {tag}', tag.replace("W/", ""), tag.replace("-gzip", "")[:-1] + '-gzip"', "*"):
        assert poll(service, AAPL, form)[0] == 304, form
        assert poll(service, AAPL, form, coding="identity")[0] == 304, form
    # What somebody else's symbol does is nothing to this list.
    publish(service, redis_server, "MSFT")
    status, headers, body = poll(service, AAPL, tag)
    assert (status, body) == (304, b"")
    until(lambda: poll(service, AAPL, tag)[1]["Tickgate-Cursor"] != cursor, "the cursor moves on")
    publish(service, redis_server, "AAPL")
    assert until(lambda: (a := poll(service, AAPL, tag))[0] == 200 and a, "another event is another answer")[1]["ETag"] != tag


def test_a_tag_survives_restarts_of_everything(service, redis_server):
    publish(service, redis_server, "AAPL", 3)
    tag, lists = settled(service, AAPL), settled(service, "/v1/events")
    for worker in service.workers():
        os.kill(worker, signal.SIGKILL)
    until(lambda: len(service.workers()) == 2, "others are there")
    assert poll(service, AAPL, tag)[0] == 304
    first = service.pid("tickgate-subscriber")
    os.kill(first, signal.SIGTERM)
    until(lambda: service.pids("tickgate-subscriber") not in ([], [first]), "the supervisor starts another")
    until(lambda: service.data("/v1/gaps"), "the gap of the restart is told")
    until(lambda: not service.json(AAPL)["stale"], "it is back")
    # A gap is news to everybody, once; to a worker's memory a moment later than to the log, since the bell was gone, too.
    until(lambda: settled(service, AAPL) != tag, "the gap is news")
    again = settled(service, AAPL)
    assert again != tag and poll(service, AAPL, tag)[0] == 200
    assert poll(service, AAPL, again)[0] == 304 and poll(service, "/v1/events", lists)[0] == 200
    parent = service.pid("tickgate.fcgi")
    os.kill(parent, signal.SIGKILL)
    until(lambda: service.pids("tickgate.fcgi") not in ([], [parent]), "another gateway")
    assert poll(service, AAPL, again)[0] == 304


def test_staleness_is_never_hidden(service, redis_server):
    publish(service, redis_server, "AAPL")
    tag = settled(service, AAPL)
    redis_server.stop()
    status, headers, _ = until(lambda: (a := poll(service, AAPL, tag))[0] == 200 and a, "stale is told")
    assert service.json(AAPL)["stale"] is True and headers["ETag"] != tag
    assert poll(service, AAPL, headers["ETag"])[0] == 304, "and then it is what one has"
    redis_server.start()
    until(lambda: not service.json(AAPL)["stale"], "fresh again", seconds=30)
    assert poll(service, AAPL, headers["ETag"])[0] == 200


def as_cgi(service, path, query, **more):
    """The program once, as a plain CGI program on the same log: (status, headers, body)."""
    words = pathlib.Path(f"/proc/{service.pid('tickgate-subscriber')}/cmdline").read_text().split("\0")
    paths = dict(w.split("=", 1) for w in words if w.startswith("paths."))
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": path, "SCRIPT_NAME": "", "QUERY_STRING": query,
           "TICKGATE_PATHS_STATE_DIR": paths["paths.state_dir"], "TICKGATE_PATHS_RUN_DIR": paths["paths.run_dir"], **more}
    done = subprocess.run([str(BUILD / "tickgate.fcgi")], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(line.split(": ", 1) for line in lines[1:]), body


def test_a_worker_and_a_cgi_program_give_the_same_tags(service, redis_server):
    simulate(redis_server.url, "--count", 3000, "--rate", 0, "--seed", 3, "--symbols", 20)
    until(lambda: service.received() >= 3000, "all are in")
    symbols = [s["symbol"] for s in service.data("/v1/symbols?limit=20")]
    several = ",".join(symbols[:7])
    for path, query in (("/v1/patterns", ""), ("/v1/patterns", f"symbols={symbols[0]}"), ("/v1/events", f"symbols={several}&limit=20"),
                        ("/v1/events", f"symbols={several}&duplicates=show"), ("/v1/events.csv", f"symbols={several}&per_symbol=4"),
                        (f"/v1/symbols/{symbols[3]}/indicators", "since=2020-01-01"), ("/v1/alerts", "symbols=NONE"), ("/v1/gaps", "")):
        tag = settled(service, f"{path}?{query}").replace("-gzip", "")  # as lighttpd has it
        status, headers, _ = as_cgi(service, path, query)
        assert (status, headers["ETag"]) == (200, tag), f"{path}?{query}"
        status, headers, body = as_cgi(service, path, query, HTTP_IF_NONE_MATCH=tag)
        assert (status, body) == (304, b"") and headers["Tickgate-Cursor"] == service.json("/v1/events")["cursor"]


def test_an_unchanged_list_is_the_same_bytes_whoever_rendered_it(service, redis_server):
    """From the log, from a worker's cache, or by a CGI program: rows, links and gaps are the same."""
    publish(service, redis_server, "AAPL", 20)
    want = service.json(AAPL)
    for _ in range(20):
        got = service.json(AAPL)
        assert {k: v for k, v in got.items() if k != "as_of"} == {k: v for k, v in want.items() if k != "as_of"}
        assert service.get(AAPL + "&format=csv").content == service.get("/v1/patterns.csv?symbols=AAPL").content
    publish(service, redis_server, "AAPL")
    until(lambda: service.json(AAPL)["count"] == 21 == service.json(AAPL)["count"], "what came is shown")
    assert service.json(AAPL)["cursor"] == service.data(AAPL)[0]["id"]


def test_it_is_counted_what_answered(launch, redis_server):
    service = launch("--redis", redis_server.url, "--no-demo", "--workers", 1)  # each has a cache of its own

    def counts():
        return {by: int(n) for by, n in re.findall(r'^tickgate_lists_total\{by="(\w+)"\} (\d+)$', service.get("/metrics").text, re.M)}

    publish(service, redis_server, "AAPL")
    tag = settled(service, AAPL)
    poll(service, AAPL)
    poll(service, AAPL)  # what is asked for the second time is kept
    before = counts()
    assert before["cache"] > 0 and before["log"] > 0
    for _ in range(5):
        poll(service, AAPL, tag)
        poll(service, AAPL)
        poll(service, AAPL + "&since=1h")
    assert counts() == {"tag": before["tag"] + 5, "cache": before["cache"] + 5, "log": before["log"] + 5}
    # Memory is believed for two seconds after it was last at the head; where nothing comes it looks, and is there.
    before, polls, begin = counts(), 0, time.monotonic()
    while time.monotonic() < begin + 4:
        assert poll(service, AAPL)[0] == 200
        polls += 1
    assert counts() == before | {"cache": before["cache"] + polls}


def test_what_moves_by_itself_has_no_tag(service, redis_server):
    publish(service, redis_server, "AAPL")
    for query in ("after=oldest", "since=1h", "until=1h", "before=" + service.json(AAPL)["cursor"] + "0"):
        answer = service.get(f"/v1/events?{query}", headers={"If-None-Match": "*"})
        assert answer.status_code == 200 and "ETag" not in answer.headers, query
