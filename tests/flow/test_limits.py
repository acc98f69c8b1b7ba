"""Rate limits: by address, over all workers, whatever becomes of them; and a stream is refused in a way that an EventSource survives."""

import os
import re
import signal
import time

import pytest

from conftest import until
from test_metrics import scrape

RATE, BURST = 1, 20


@pytest.fixture
def limited(launch, redis_server, tmp_path):
    return launch("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo", "-o", f"access.rate={RATE}",
                  "-o", f"access.burst={BURST}", "-o", "access.trusted_proxies=127.0.0.1")


def ask(service, client, path="/v1/channels", **headers):
    return service.get(path, headers={"X-Forwarded-For": client, **headers})


def use_up(service, client):
    """Asks until it is refused; returns how many were answered, and the refusal."""
    for n in range(BURST * 20):
        answer = ask(service, client)
        if answer.status_code != 200:
            return n, answer
    raise AssertionError("never refused")


def use_up_what_came_back(service, client, begin):
    """What is left to an address whose bucket was empty at `begin`: one a second, where one that was forgotten would have twenty."""
    n, refusal = use_up(service, client)
    assert n <= RATE * (time.monotonic() - begin) + 1 and refusal.status_code == 429


def refused_stream(service, client, accept):
    """What a stream is answered, to the end, that comes when nothing is left. Some may be let in: a place comes back each second."""
    for _ in range(BURST):
        use_up(service, client)
        with service.get("/v1/stream", headers={"X-Forwarded-For": client, "Accept": accept}, stream=True) as answer:
            text = ""
            for part in answer.iter_content(None):
                text += part.decode()
                if "hello" in text:
                    break
            else:
                return answer, text
    raise AssertionError("never refused")


def test_a_burst_and_then_the_rate(limited):
    begin = time.monotonic()
    n, refusal = use_up(limited, "198.51.100.1")
    took = time.monotonic() - begin
    assert BURST <= n <= BURST + RATE * took + 1, (n, took)
    assert refusal.status_code == 429 and refusal.json()["code"] == "rate_limited"
    assert refusal.headers["Retry-After"] == "1" and refusal.headers["Cache-Control"] == "no-store"
    # Nobody else is concerned, and what balancers ask is always answered; routes that do not exist count as well.
    assert ask(limited, "198.51.100.2").status_code == 200
    assert limited.get("/livez").status_code == 200 and ask(limited, "198.51.100.1", "/readyz").status_code == 200
    until(lambda: ask(limited, "198.51.100.1", "/v1/nothing").status_code == 429, "one may have come back meanwhile, two have not")
    until(lambda: ask(limited, "198.51.100.1").status_code == 200, "a second later it may again")
    assert scrape(limited)("http_problems_total", code="rate_limited") >= 2


def test_workers_that_die_forget_nothing(limited):
    use_up(limited, "198.51.100.3")
    begin = time.monotonic()
    for pid in limited.workers():
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in limited.workers() and len(limited.workers()) == 2, "it is replaced")
    use_up_what_came_back(limited, "198.51.100.3", begin)


def test_all_of_a_64_are_one_client(limited):
    use_up(limited, "2001:db8:0:1::1")
    begin = time.monotonic()
    use_up_what_came_back(limited, "2001:db8:0:1:ffff:ffff:ffff:ffff", begin)
    assert ask(limited, "2001:db8:0:2::1").status_code == 200


def test_a_stream_is_told_to_come_back(limited):
    answer, text = refused_stream(limited, "198.51.100.4", "text/event-stream")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
    retry = re.search(r"^retry: (\d+)$", text, re.M)
    assert retry and 10000 <= int(retry[1]) <= 25000, text
    assert re.search(r"^event: overload\ndata: .*rate_limited.*\n\n", text, re.M), text
    answer, text = refused_stream(limited, "198.51.100.4", "application/x-ndjson")
    assert answer.status_code == 429, text


def test_off_by_default(service):
    for _ in range(300):
        assert service.get("/v1/channels").status_code == 200
