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


def just_used_up(service, client):
    """The next place is nearly a second away: the last one was taken as soon as it was there."""
    use_up(service, client)
    until(lambda: ask(service, client).status_code == 200, "one has come back")


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


@pytest.mark.alone
def test_workers_that_die_forget_nothing(limited):
    use_up(limited, "198.51.100.3")
    begin = time.monotonic()
    for pid in limited.workers():
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in limited.workers() and len(limited.workers()) == 2, "it is replaced")
    # One a second may have become free meanwhile; a forgotten bucket would have twenty.
    n, _ = use_up(limited, "198.51.100.3")
    assert n <= RATE * (time.monotonic() - begin) + 1


@pytest.mark.alone
def test_all_of_a_64_are_one_client(limited):
    just_used_up(limited, "2001:db8:0:1::1")
    assert ask(limited, "2001:db8:0:1:ffff:ffff:ffff:ffff").status_code == 429
    assert ask(limited, "2001:db8:0:2::1").status_code == 200


@pytest.mark.alone
def test_a_stream_is_told_to_come_back(limited):
    just_used_up(limited, "198.51.100.4")
    answer = ask(limited, "198.51.100.4", "/v1/stream", Accept="text/event-stream")
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/event-stream")
    retry = re.search(r"^retry: (\d+)$", answer.text, re.M)
    assert retry and 10000 <= int(retry[1]) <= 25000, answer.text
    assert re.search(r"^event: overload\ndata: .*rate_limited.*\n\n", answer.text, re.M), answer.text
    assert ask(limited, "198.51.100.4", "/v1/stream", Accept="application/x-ndjson").status_code == 429


def test_off_by_default(service):
    for _ in range(300):
        assert service.get("/v1/channels").status_code == 200
