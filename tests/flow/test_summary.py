"""Snapshot and summary say what the lists say."""

import collections
import json

import pytest

from conftest import DOCUMENTED, PATTERNS, seq, simulate, until, walk

pytestmark = pytest.mark.web


def filled(service, redis_server, count):
    simulate(redis_server.url, "--count", count, "--rate", 0, "--seed", 11, "--symbols", 15)
    until(lambda: service.received() >= count, "all are in")


def folded(name):
    return "".join(c for c in name.lower() if c not in "_- ")


def check_summary(service, window, step):
    """Compares with what the lists hold of the same stretch of time; nothing comes in meanwhile."""
    answer = service.json(f"/v1/summary?window={window}")
    data, series = answer["data"], answer["data"]["series"]
    assert series["step_seconds"] == step and data["window_seconds"] == step * len(series["minute"])
    start = series["minute"][0]
    assert series["minute"] == list(range(start, start + data["window_seconds"], step))
    everything = walk(service, "/v1/events?limit=1000", "next")
    counted = {kind: [e for e in everything if e["kind"] == kind and start <= e["received_at"] < start + data["window_seconds"]]
               for kind in ("pattern", "indicator", "alert")}
    for kind, events in counted.items():
        assert data[f"{kind}s"]["total"] == len(events), kind
        cells = collections.Counter(int((e["received_at"] - start) // step) for e in events)
        assert series[f"{kind}s"] == [cells[i] for i in range(len(series["minute"]))]
    patterns = counted["pattern"]
    assert patterns and counted["indicator"]
    assert data["patterns"]["by_name"] == collections.Counter(folded(e["pattern_name"]) for e in patterns)
    assert data["patterns"]["by_timeframe"] == collections.Counter(e["timeframe"] for e in patterns if e["timeframe"])
    bands = ("0-20", "20-40", "40-60", "60-80", "80-100")
    by_band = collections.Counter(bands[min(4, int(e["confidence"] // 20))] for e in patterns if e["confidence"] is not None)
    assert data["patterns"]["by_confidence"] == {band: by_band[band] for band in bands}
    top = sorted(collections.Counter(e["symbol"] for e in patterns if e["symbol"]).items(), key=lambda s: (-s[1], s[0]))[:10]
    assert data["top_symbols"] == [{"symbol": s, "patterns": n} for s, n in top]
    assert data["truncated"] is False and answer["stale"] is False
    assert seq({"id": answer["cursor"]}) >= seq(everything[0])


def test_a_summary_counts_what_the_lists_hold(service, redis_server):
    empty = service.json("/v1/summary")["data"]
    assert empty["patterns"]["total"] == empty["indicators"]["total"] == empty["alerts"]["total"] == 0
    assert empty["top_symbols"] == [] and empty["patterns"]["by_name"] == {}
    filled(service, redis_server, 2000)
    # At once, when the newest are not tallied yet, and when they are.
    check_summary(service, "1h", 60)
    check_summary(service, "24h", 3600)
    check_summary(service, "2h", 60)
    assert service.json("/v1/summary")["data"]["window_seconds"] == 3600


def test_a_snapshot_is_where_one_follows_from(service, redis_server):
    filled(service, redis_server, 1000)
    symbols = [s["symbol"] for s in service.data("/v1/symbols?limit=3")]
    answer = service.get(f"/v1/snapshot?symbols={','.join(s.lower() for s in symbols)},NEVERSEEN")
    page = answer.json()
    assert answer.headers["Tickgate-Cursor"] == page["cursor"]
    assert set(page["data"]) == {*symbols, "NEVERSEEN"} and page["data"]["NEVERSEEN"] is None
    for symbol in symbols:
        assert page["data"][symbol] == service.data(f"/v1/symbols/{symbol}")
        for kind, name in (("patterns", "pattern_name"), ("indicators", "indicator_name")):
            newest = {}
            for event in walk(service, f"/v1/symbols/{symbol}/{kind}?limit=1000", "next"):
                newest.setdefault((folded(event[name]), event["timeframe"]), event)
            got = page["data"][symbol][kind]
            assert {(folded(e[name]), e["timeframe"]): e for e in got} == newest and len(got) == len(newest)
    assert service.data(f"/v1/events?after={page['cursor']}") == []
    message = json.loads(DOCUMENTED)
    message["symbol"] = symbols[0]
    redis_server.publish(PATTERNS, json.dumps(message))
    later = until(lambda: service.data(f"/v1/events?after={page['cursor']}"), "the new one follows")
    assert [e["symbol"] for e in later] == [symbols[0]]
    assert later[0] in service.data(f"/v1/snapshot?symbols={symbols[0]}")[symbols[0]]["patterns"]


def test_a_snapshot_wants_symbols(shared_service):
    for query in ("", "?symbols=", "?symbols=" + ",".join(f"S{i}" for i in range(201))):
        answer = shared_service.get("/v1/snapshot" + query)
        assert answer.status_code == 400 and "symbols" in answer.text
    assert shared_service.get("/v1/summary?window=25h").json()["code"] == "invalid_time"
