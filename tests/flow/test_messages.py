"""A message goes in by Redis and comes out by HTTP, whatever its form; what is wrong with one never hurts the next."""

import json
import subprocess

import pytest

from conftest import DETECTED, DOCUMENTED, PATTERNS, ROOT, until

FIXTURES = sorted((ROOT / "tests/cases/messages").glob("*.ndjson"))


def test_the_documented_example_arrives_unchanged(service, redis_server):
    done = subprocess.run(["redis-cli", "-p", str(redis_server.port), "PUBLISH", PATTERNS, DOCUMENTED],
                          check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "1"
    answer = until(lambda: (a := service.json("/v1/symbols/AAPL/patterns"))["data"] and a, "the event is there")
    event = answer["data"][0]
    assert event["confidence"] == 85.5
    assert event["metadata"] == {"open": 150.0, "high": 151.0, "low": 149.5, "close": 150.2}
    assert list(event) == ["id", "kind", "symbol", "pattern_name", "timeframe", "confidence", "detected_at", "time", "time_source",
                           "received_at", "channel", "duplicate_of", "bar_count", "metadata"]
    assert (event["kind"], event["symbol"], event["pattern_name"], event["timeframe"]) == ("pattern", "AAPL", "doji", "1min")
    assert (event["time"], event["time_source"], event["channel"]) == ("2009-02-13T23:31:30.123Z", "event", PATTERNS)
    assert event["duplicate_of"] is None and event["bar_count"] == 5
    assert set(answer) == {"data", "count", "has_more", "cursor", "next", "follow", "reset", "gaps", "stale", "as_of"}
    assert (answer["count"], answer["has_more"], answer["stale"], answer["reset"]) == (1, False, False, None)
    assert answer["cursor"] == event["id"]
    assert '"open":150.0' in service.get("/v1/symbols/AAPL/patterns").text, "numbers keep the producer's text"
    assert service.data(f"/v1/events/{event['id']}") == event


def holds(event, expect, first_id):
    """Whether the event has all that is expected, numbers by value."""
    for name, value in expect.items():
        if value == "<the id of line 1>":
            value = first_id
        if event.get(name) != value:
            return False
    return True


@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: p.stem)
def test_every_example_of_a_file_through_the_whole_service(path, service, redis_server):
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    cursor, first_id, rejects, received = service.json("/v1/events")["cursor"], None, 0, 0
    kinds = "pattern,indicator,alert,health,session,error"
    for n, line in enumerate(lines, 1):
        redis_server.publish(line["channel"], line["message"])
        expect = line["expect"]
        if "reject" in expect:
            rejects += 1
            refused = until(lambda: (r := service.data("/v1/rejects"))[rejects - 1 :] and r, f"line {n} is refused")
            assert (refused[0]["reason"], refused[0]["channel"]) == (expect["reject"], line["channel"]), f"line {n}"
            continue
        page = until(lambda: (p := service.json(f"/v1/events?kinds={kinds}&duplicates=show&after={cursor}"))["data"] and p,
                     f"line {n} is there")
        cursor = page["cursor"]
        received += len(page["data"])
        if "events" in expect:
            assert [e["symbol"] for e in page["data"]] == expect["symbols"], f"line {n}"
            continue
        assert len(page["data"]) == 1, f"line {n}"
        event = page["data"][0]
        first_id = first_id or event["id"]
        if event["time_source"] == "received":  # an example's time may lie ahead of the real clock
            expect.pop("time", None), expect.pop("detected_at", None), expect.pop("calculated_at", None)
        assert holds(event, expect, first_id), f"line {n}: {event}"
    assert len(service.data("/v1/rejects")) == rejects
    until(lambda: service.received() == received + rejects, "the counters tell the same")


def test_there_are_examples():
    assert {p.stem for p in FIXTURES} == {"documented", "wire"}



BAD = {
    b'{"pattern_name":"doji"': "invalid_json",
    b"[1,2,3]": "not_an_object",
    b'{"pattern_name":"doji","symbol":"AAPL","timeframe":"1min"}': "missing_field",
    b'{"pattern_name":"doji","symbol":"AAPL","confidence":"85%"}': "invalid_type",
    b'{"pattern_name":"doji","symbol":"AAPL","confidence":150}': "out_of_range",
    b'{"pattern_name":"d\xff","symbol":"AAPL","confidence":50}': "invalid_utf8",
    b'{"a":' * 40 + b"1" + b"}" * 40: "too_deep",
    b'{"hello":"world"}': "unknown_shape",
    b'{"test":true}': "test_message",
    b'{"pattern_name":"doji","symbol":"AAPL","confidence":50,"x":"' + b"y" * 70_000 + b'"}': "too_large",
    b"": "invalid_json",
}


def test_bad_messages_are_counted_and_kept_and_harm_nobody(service, redis_server):
    for n, (message, reason) in enumerate(BAD.items(), 1):
        redis_server.publish(PATTERNS, message)
        newest = until(lambda: (r := service.data("/v1/rejects"))[n - 1 :] and r, f"{reason} is told")[0]
        assert newest["reason"] == reason, message[:80]
        assert newest["bytes"] == len(message)
        assert newest["sample"].encode()[:10] == message.decode(errors="replace").encode()[:10]
        redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", "NEXT"))
        until(lambda: len(service.data("/v1/symbols/NEXT/patterns")) == n, "the next one is unharmed")
    until(lambda: service.received() == 2 * len(BAD), "all are counted")
    channel = service.channel(PATTERNS)
    assert channel["messages"] == channel["received"] == 2 * len(BAD)
    assert channel["accepted"] == len(BAD) and channel["duplicates"] == 0
    expected = {}
    for reason in BAD.values():
        expected[reason] = expected.get(reason, 0) + 1
    assert channel["rejected"] == expected
    assert service.json("/v1/health")["status"] == "ok"


def test_a_duplicate_names_its_first_and_is_hidden_unless_asked_for(service, redis_server):
    for channel in (PATTERNS, DETECTED):
        redis_server.publish(channel, DOCUMENTED)
    until(lambda: service.received() == 2, "both are counted")
    assert service.channel(DETECTED)["duplicates"] == 1
    [first] = service.data("/v1/patterns")
    assert first["channel"] == PATTERNS
    copy, original = service.data("/v1/patterns?duplicates=show")
    assert original == first and copy["duplicate_of"] == first["id"]
    assert service.data(f"/v1/patterns?channel={DETECTED}") == [copy]


def test_hostile_text_comes_out_as_json(service, redis_server):
    name = "</script>\u2028\"'\\ é\U0001f4c8"
    redis_server.publish(PATTERNS, json.dumps({"pattern_name": name, "symbol": "^gspc", "confidence": 1}))
    [event] = until(lambda: service.data("/v1/patterns"), "the event is there")
    assert event["pattern_name"] == name and event["symbol"] == "^GSPC"
    assert service.data("/v1/symbols/%5EGSPC/patterns") == [event]


def test_refusals_are_logged_at_a_limited_rate(service, redis_server):
    for n in range(40):
        redis_server.publish(PATTERNS, f'{{"pattern_name":"x\\u000a","symbol":"S{n}","confidence":150}}')
    until(lambda: service.channel(PATTERNS)["received"] == 40, "all are counted")
    lines = [line for line in service.log.read_text().splitlines() if " rejected " in line]
    assert 10 <= len(lines) <= 20, lines  # ten a minute; a minute may have begun in between
    assert f"channel={PATTERNS} reason=out_of_range detail=pattern_name bytes=" in lines[0]
