"""/metrics: the whole service, from any worker, right also when workers are killed; and what documents, rules and dashboard say of it."""

import json
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import DETECTED, DOCUMENTED, PATTERNS, ROOT, until
from test_writes import TICK, post, tokens, writable  # noqa: F401

DOC = ROOT / "docs/metrics.md"


class Scrape:
    """The text format, parsed: samples by (name, labels), types and help by name."""

    SAMPLE = re.compile(r'([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')

    def __init__(self, text):
        self.text, self.samples, self.types, self.help = text, {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# HELP "):
                _, _, name, text = line.split(" ", 3)
                self.help[name] = text
            elif line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                assert name not in self.types
                self.types[name] = kind
            else:
                name, labels, value = self.SAMPLE.fullmatch(line).groups()
                key = (name, *sorted(re.findall(r'([a-z_]+)="((?:[^"\\\n]|\\.)*)"', labels or "")))
                assert key not in self.samples, f"{line} is there twice"
                self.samples[key] = float(value)

    def __call__(self, name, **labels):
        return self.samples[(f"tickgate_{name}", *sorted(labels.items()))]

    def names(self):
        return {key[0] for key in self.samples}


def scrape(service):
    answer = service.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8" and answer.headers["Cache-Control"] == "no-store"
    return Scrape(answer.text)


def promtool(*arguments, **more):
    done = subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_finds_nothing(service, redis_server):
    redis_server.publish(PATTERNS, DOCUMENTED)
    until(lambda: service.data("/v1/patterns"), "it is in")
    assert promtool("check", "metrics", input=service.get("/metrics").text) == ""


def documented():
    """name → (type, labels, meaning) of the table in docs/metrics.md."""
    rows = re.findall(r"^\| `(tickgate_\w+)` \| (\w+) \| ([^|]*) \| (.+) \|$", DOC.read_text(), re.M)
    assert len(rows) == len({r[0] for r in rows})
    return {name: (kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows}


def test_the_document_lists_what_is_exported(launch, redis_server):
    service = launch("--redis", redis_server.url, "--no-demo", "-o", "redis.ping_interval=1s")
    redis_server.publish(PATTERNS, DOCUMENTED)
    until(lambda: service.data("/v1/patterns") and scrape(service)("log_events") == 1, "it is in, and told")
    s = until(lambda: ("tickgate_redis_ping_seconds",) in (s := scrape(service)).samples and s, "a PING was answered")
    doc = documented()
    assert {name: (s.types[name], s.help[name]) for name in s.types} == {name: (kind, meaning) for name, (kind, _, meaning) in doc.items()}
    for name, (kind, labels, _) in doc.items():
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        assert all(name + end in s.names() for end in ends), f"{name} has no sample"
        found = {label for key in s.samples if key[0] in (name, name + "_bucket") for label, _ in key[1:]} - {"le"}
        assert found == set(labels), name
    assert all(re.sub(r"_(bucket|sum|count)$", "", name) in s.types or name in s.types for name in s.names())


def test_what_is_counted(service, redis_server):
    redis_server.publish(PATTERNS, DOCUMENTED)
    redis_server.publish(DETECTED, DOCUMENTED)
    redis_server.publish(PATTERNS, "{")
    fresh = json.dumps({"pattern_name": "hammer", "symbol": "A", "confidence": 90, "detected_at": time.time() - 2})
    redis_server.publish(PATTERNS, fresh)
    redis_server.publish(PATTERNS, '{"pattern_name":"doji","symbol":"B","confidence":90}')  # no time: no age
    s = until(lambda: (s := scrape(service))("channel_received_total", channel=PATTERNS) == 4
              and s("channel_received_total", channel=DETECTED) == 1 and s, "all are counted")
    assert s("channel_accepted_total", channel=PATTERNS) == 3 and s("channel_rejected_total", channel=PATTERNS, reason="invalid_json") == 1
    assert s("channel_duplicates_total", channel=DETECTED) == 1 and s("channel_messages_total", channel=PATTERNS) == 4
    assert s("subscriber_up") == s("redis_connected") == s("channel_subscribed", channel=PATTERNS) == 1
    # Of the five, only one says when it was, within the last hour.
    assert s("event_age_seconds_count") == 1 and 2 <= s("event_age_seconds_sum") < 60
    assert s("event_age_seconds_bucket", le="1") == 0 and s("event_age_seconds_bucket", le="60") == 1
    assert s("commit_latency_seconds_count") == 5 and s("commit_latency_seconds_sum") > 0
    assert 1 <= s("commit_duration_seconds_count") <= 5
    before = s("http_problems_total", code="route_not_found")
    service.get("/v1/nothing")
    until(lambda: scrape(service)("http_problems_total", code="route_not_found") == before + 1, "the problem is counted")


def test_histograms_are_cumulative(service, redis_server):
    for _ in range(20):
        service.get("/livez")
    s = scrape(service)
    edges = ["0.001", "0.005", "0.01", "0.05", "0.1", "0.5", "1", "5", "10", "60", "600", "+Inf"]
    counts = [s("http_request_duration_seconds_bucket", le=e) for e in edges]
    assert counts == sorted(counts) and counts[-1] == s("http_request_duration_seconds_count") >= 20
    assert 0 < s("http_request_duration_seconds_sum") < 20


def requests(s):
    return sum(v for key, v in s.samples.items() if key[0] == "tickgate_http_requests_total")


def test_nothing_is_forgotten_when_workers_are_killed(service, redis_server):
    for _ in range(50):
        assert service.get("/livez").status_code == 200
    before = until(lambda: requests(s := scrape(service)) >= 50 and s, "they are counted")
    for pid in service.workers():
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid not in service.workers() and len(service.workers()) == 2, "it is replaced")
    after = until(lambda: (s := scrape(service))("gateway_workers") == 2 and s, "both run")
    assert after("gateway_worker_restarts_total") == before("gateway_worker_restarts_total") + 2
    for key, value in before.samples.items():
        if key[0].startswith("tickgate_http_") and not key[0].endswith("_sum"):
            assert after.samples[key] >= value, key
    assert after("http_request_duration_seconds_sum") >= before("http_request_duration_seconds_sum")
    assert after("gateway_start_time_seconds") == before("gateway_start_time_seconds")


def test_every_worker_tells_the_same(service, redis_server):
    """Two workers, one truth: what one of them has answered the other one counts."""
    until(lambda: scrape(service)("gateway_workers") == 2, "both run")
    total = 0
    for _ in range(30):
        told = requests(scrape(service))
        assert told >= total, "a counter goes down from one scrape to the next"
        total = told


def test_delivery_is_timed_from_the_commit(service, redis_server):
    """A stream gets an event: one sample, and a small one; a list that is asked for gives none."""
    until(lambda: scrape(service)("redis_connected") == 1, "it is connected")
    with service.session.get(service.url + "/v1/stream?symbol=AAPL", stream=True, timeout=30) as stream:
        lines = stream.iter_lines()
        assert any(line.startswith(b"event: hello") for line in lines)
        until(lambda: scrape(service)("waiting_clients", kind="stream") == 1, "it is told")
        redis_server.publish(PATTERNS, DOCUMENTED)
        assert any(line.startswith(b"event: pattern") for line in lines)
    s = until(lambda: (s := scrape(service))("delivery_latency_seconds_count") == 1 and s, "it is timed")
    assert 0 < s("delivery_latency_seconds_sum") < 10
    until(lambda: scrape(service)("waiting_clients", kind="stream") == 0, "it has left")


def test_a_subscriber_that_is_gone(service, redis_server):
    until(lambda: scrape(service)("redis_connected") == 1, "it is connected")
    parent, pid = service.process.pid, service.pid("tickgate-subscriber")
    os.kill(pid, signal.SIGSTOP)
    try:
        s = until(lambda: (s := scrape(service))("subscriber_up") == 0 and s, "its silence is noticed")
        assert s("redis_connected") == 0 and s("channel_subscribed", channel=PATTERNS) == 0 and parent
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: scrape(service)("subscriber_up") == 1, "it is back")


def test_published_messages(writable, tokens):  # noqa: F811
    assert post(writable, "/v1/ticks", [TICK] * 7, tokens.publish).status_code == 202
    assert post(writable, "/v1/ticks", [TICK]).status_code == 401
    s = until(lambda: (s := scrape(writable))("published_messages_total", kind="tick") == 7 and s, "they are counted")
    assert s("publish_duration_seconds_count") == 1 and s("http_problems_total", code="unauthorized") == 1


def used_in(text):
    return set(re.findall(r"tickgate_\w+", text))


def exported():
    return {name + end for name, (kind, _, _) in documented().items()
            for end in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))}


def test_the_alert_rules():
    rules = ROOT / "docs/prometheus/tickgate.rules.yml"
    assert "SUCCESS" in promtool("check", "rules", rules)
    used = used_in(re.sub(r"#.*", "", rules.read_text()))
    assert used and used <= exported(), used - exported()


def test_the_alert_rules_fire():
    assert "SUCCESS" in promtool("test", "rules", ROOT / "docs/prometheus/tickgate.rules.test.yml")


def test_the_dashboard():
    dashboard = json.loads((ROOT / "docs/prometheus/tickgate.grafana.json").read_text())
    expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
    assert len(expressions) >= 10
    used = set().union(*map(used_in, expressions))
    assert used <= exported(), used - exported()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("method, status", [("HEAD", 200), ("POST", 405)])
def test_methods(service, method, status):
    assert service.session.request(method, service.url + "/metrics", timeout=30).status_code == status
