"""When things break: nothing is counted wrong, no id is used twice, and every break is told."""

import datetime
import itertools
import os
import signal
import sqlite3
import time

import pytest
import requests

from conftest import DOCUMENTED, PATTERNS, SLOW, program, seq, simulate, simulating, until, walk
from live_client import Stream

KINDS = "pattern,indicator,alert,health,session,error,gap"


def everything(service):
    return walk(service, f"/v1/events?kinds={KINDS}&duplicates=show&after=oldest&limit=1000", "next")


def test_20000_messages_are_all_accounted_for(service, redis_server):
    simulate(redis_server.url, "--count", 20000, "--rate", 10000 // SLOW, "--form", "mixed", "--seed", 3)
    messages = lambda: sum(c["messages"] for c in service.data("/v1/channels"))
    until(lambda: messages() == 20000, "every message is counted")
    channels = service.data("/v1/channels")
    accepted = sum(c["accepted"] for c in channels)
    duplicates = sum(c["duplicates"] for c in channels)
    rejected = sum(sum(c["rejected"].values()) for c in channels)
    assert service.received() == accepted + duplicates + rejected >= 20000
    assert service.json("/v1/channels")["dropped"] == 0
    events = [e for e in everything(service) if e["kind"] != "gap"]
    assert len(events) == accepted + duplicates
    assert sum(e["duplicate_of"] is not None for e in events) == duplicates
    ids = [seq(e) for e in events]
    assert ids == sorted(set(ids))
    assert service.data("/v1/gaps") == []


def test_redis_stopped_and_started_again(service, redis_server):
    redis_server.publish(PATTERNS, DOCUMENTED)
    until(lambda: service.data("/v1/patterns"), "the first is there")
    stopped_at = time.time()
    redis_server.stop()
    page = until(lambda: (p := service.json("/v1/patterns"))["stale"] and p, "stale is told")
    assert len(page["data"]) == 1, "what is kept is served"
    until(lambda: service.json("/v1/health")["redis"]["connected"] is False, "health says why")
    assert service.json("/v1/health")["status"] == "degraded"
    assert service.get("/readyz").status_code == 200
    assert not any(c["subscribed"] for c in service.data("/v1/channels"))
    redis_server.start()
    until(lambda: not service.json("/v1/patterns")["stale"], "fresh again", seconds=30)
    back_at = time.time()
    gaps = until(lambda: service.data("/v1/gaps"), "the gap is there")
    assert len(gaps) == 1
    assert gaps[0]["reason"] == "redis_disconnected"
    assert gaps[0]["from"] <= stopped_at + 1 and stopped_at <= gaps[0]["to"] <= back_at + 1
    redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", "AFTER"))
    until(lambda: service.data("/v1/symbols/AFTER/patterns"), "new events without a restart")
    page = service.json("/v1/patterns")
    assert [g["id"] for g in page["gaps"]] == [gaps[0]["id"]], "the answer that spans the gap tells it"


def only_down(gaps):
    """The one gap of a restart. Where the first connect takes over a second, another tells of that second: no more than that."""
    [down] = [g for g in gaps if g["reason"] == "subscriber_down"]
    assert all(g["reason"] == "redis_disconnected" and g["from"] >= down["to"] - 1 for g in gaps if g is not down), gaps
    return down


def test_kill_9_of_the_subscriber_under_load(service, redis_server, tmp_path):
    with simulating(redis_server.url, "--rate", 10000 // SLOW, "--seed", 5):
        until(lambda: service.received() > 4000 // SLOW, "load")
        first = service.pid("tickgate-subscriber")
        # The oldest and the newest: all of them one would not catch up with on a busy machine.
        some = f"/v1/events?kinds={KINDS}&duplicates=show&limit=1000"
        seen = service.data(f"{some}&after=oldest") + service.data(some)
        killed_at = time.time()
        os.kill(first, signal.SIGKILL)
        until(lambda: service.pids("tickgate-subscriber") not in ([], [first]), "the supervisor starts another")
        until(lambda: service.data("/v1/gaps") and not service.json("/v1/patterns")["stale"], "it is back")
        until(lambda: service.received() > 1000 // SLOW, "and takes messages")
    events = everything(service)
    ids = [e["id"] for e in events]
    assert len(ids) == len(set(ids)), "no id twice"
    assert len({i.rsplit("-", 1)[0] for i in ids}) == 1, "the same epoch"
    by_id = {e["id"]: e for e in events}
    assert all(by_id[e["id"]] == e for e in seen), "what was seen stays as it was"
    gap = only_down([e for e in events if e["kind"] == "gap"])
    assert gap["from"] <= killed_at + 0.5 and gap["to"] >= killed_at
    assert service.stop() == 0
    [database] = [p for p in (tmp_path / "state").iterdir() if p.suffix in (".db", ".sqlite")]
    with sqlite3.connect(database) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()


def test_damage_that_only_readers_meet_begins_a_new_log(service, redis_server, tmp_path):
    """The subscriber's cache hides it from the subscriber: a worker finds it, and says so."""
    simulate(redis_server.url, "--rate", 0, "--count", 3000, "--seed", 9)
    until(lambda: service.received() >= 3000, "all are counted")
    old = service.json("/v1/patterns")["cursor"]
    for name, keep in (("tickgate.db", 4096), ("tickgate.db-wal", 32)):
        path = tmp_path / "state" / name
        with open(path, "r+b") as f:
            f.seek(keep)
            f.write(b"\xa5" * max(0, path.stat().st_size - keep))
    # Each list another one, or it would be answered from memory.
    limits = itertools.cycle(range(1, 1001))
    statuses = [service.get(f"/v1/patterns?limit={next(limits)}").status_code for _ in range(400)]
    fresh = lambda: (a := service.get(f"/v1/patterns?limit={next(limits)}")).status_code == 200 and a.json()["cursor"]
    new = until(lambda: (c := fresh()) and c.rsplit("-", 1)[0] != old.rsplit("-", 1)[0] and c, "a log of another epoch")
    redis_server.publish(PATTERNS, DOCUMENTED)
    until(lambda: service.data(f"/v1/patterns?after={new}"), "new events")
    page = service.json(f"/v1/patterns?after={old}")
    assert page["reset"] == {"reason": "epoch_changed", "lost": None} and page["count"] == 1
    assert service.get(f"/v1/patterns?after={old}&on_gap=fail").status_code == 410
    assert service.json("/v1/health")["status"] == "ok"
    assert len(list((tmp_path / "state").glob("tickgate.db.damaged-*[0-9]"))) == 1, "the old one is kept, aside"
    assert len(logged(service, "log_damaged")) == 1
    # Each of 16 threads may say it five times a minute, and that it was not said more often.
    assert 503 in statuses and len(logged(service, "log_unreadable")) <= 2 * 16 * 6


def test_a_log_that_is_cut_ends_no_worker_and_no_stream(launch, redis_server, tmp_path):
    """Workers map the file: what is not there any more is a signal, in request threads and in the live thread."""
    options = ("--redis", redis_server.url, "--state", tmp_path / "state", "--no-demo")
    first = launch(*options)
    simulate(redis_server.url, "--rate", 0, "--count", 3000, "--seed", 9)
    until(lambda: first.received() >= 3000, "all are counted")
    first.stop()  # so that all is in the file that is mapped, and not in its -wal
    service = launch(*options)
    workers = until(lambda: len(service.workers()) == 2 and service.workers(), "two workers")
    subscriber = service.pid("tickgate-subscriber")
    # With an empty -wal SQLite takes the file's size for the log's, and calls it malformed before it looks at a page.
    redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", "BEFORE"))
    until(lambda: service.data("/v1/symbols/BEFORE/patterns"), "a first commit")
    # Each list another one, or it would be answered from memory.
    limits = itertools.cycle(range(1, 1001))
    ask = lambda: service.get(f"/v1/patterns?limit={next(limits)}")
    stream = Stream(service.port, "/v1/stream?after=oldest&kinds=pattern", seconds=60)
    try:
        epoch = stream.next().json["cursor"].rsplit("-", 1)[0]
        # A commit would have the file mapped anew, as it is then: not before it has been met as it was.
        os.kill(subscriber, signal.SIGSTOP)
        assert {ask().status_code for _ in range(100)} == {200}
        os.truncate(tmp_path / "state" / "tickgate.db", 8192)
        statuses = [ask().status_code for _ in range(100)]
        assert 503 in statuses and set(statuses) <= {200, 503}
        assert service.workers() == workers
        assert "a page of the log cannot be read" in service.log.read_text()
    finally:
        os.kill(subscriber, signal.SIGCONT)
    until(lambda: (a := ask()).status_code == 200 and a.json()["cursor"].rsplit("-", 1)[0] != epoch, "a log of another epoch", seconds=30)
    # Told by a reader, if the writer, which tends the log as soon as it goes on, has not met it before it heard that.
    assert len(logged(service, "log_damaged")) == 1
    # It goes on from the head that the new log has when it is told, so nothing is published before.
    while (event := stream.next()).event != "reset":
        assert event.event != "bye"
    assert event.json["reason"] == "epoch_changed"
    redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", "AFTER"))
    while (event := stream.next()).event != "pattern":
        assert event.event != "bye"
    assert event.json["symbol"] == "AFTER"
    stream.close()
    assert service.workers() == workers and not logged(service, "worker_died")


def test_a_subscriber_that_hangs_makes_answers_stale(service):
    pid = service.pid("tickgate-subscriber")
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: service.json("/v1/patterns")["stale"], "stale")
        health = service.json("/v1/health")
        assert health["status"] == "degraded" and health["subscriber"]["alive"] is False
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not service.json("/v1/patterns")["stale"], "fresh again")


def logged(service, event):
    """When the service's log says that this happened, each time, in epoch seconds: what the test sees comes later on a busy machine."""
    lines = [line.split() for line in service.log.read_text().splitlines()]
    return [datetime.datetime.fromisoformat(words[0].replace("Z", "+00:00")).timestamp()
            for words in lines if len(words) > 2 and words[2] == event]


@pytest.mark.alone
def test_a_killed_worker_is_replaced_within_a_second_and_nobody_notices(service):
    before = until(lambda: len(service.workers()) == 2 and service.workers(), "two workers")
    os.kill(before[0], signal.SIGKILL)
    answers = []

    def replaced():
        answers.append(service.get("/v1/patterns").status_code)
        now = service.workers()
        return len(now) == 2 and before[0] not in now

    until(replaced, "another worker")

    def told():
        """The new one is seen before its line is."""
        died, started = (logged(service, event)[-1:] for event in ("worker_died", "worker_started"))
        return died and started >= died and (died[0], started[0])

    died, started = until(told, "the log says so")
    assert started - died < 1
    assert set(answers) == {200}
    assert before[1] in service.workers()


@pytest.mark.alone
def test_a_killed_parent_takes_its_workers_along_and_is_started_again(service):
    parent, workers = service.pid("tickgate.fcgi"), service.workers()
    os.kill(parent, signal.SIGKILL)
    killed_at = time.time()
    until(lambda: not any(program(w) == "tickgate.fcgi" for w in workers), "its workers have ended")
    assert service.get("/v1/patterns").status_code == 200, "the connection waits in the backlog"
    assert service.pid("tickgate.fcgi") != parent
    assert logged(service, "ready")[-1] - killed_at < 1 * SLOW


def test_events_and_ids_survive_a_restart_of_everything(launch, redis_server, tmp_path):
    options = ("--redis", redis_server.url, "--state", tmp_path / "kept", "--no-demo")
    service = launch(*options)
    redis_server.publish(PATTERNS, DOCUMENTED)
    [event] = until(lambda: service.data("/v1/patterns"), "the event is there")
    assert service.stop() == 0
    service = launch(*options)
    assert service.data("/v1/patterns") == [event]
    # Ready means that what is kept is served and Redis is heard; the subscriber may be opening its log yet, which tells the gap.
    gap = only_down(until(lambda: service.data("/v1/gaps"), "the time not running is told"))
    assert datetime.datetime.fromisoformat(gap["time"].replace("Z", "+00:00"))
    redis_server.publish(PATTERNS, DOCUMENTED.replace("AAPL", "LATER"))
    [later] = until(lambda: service.data("/v1/symbols/LATER/patterns"), "the next is there")
    assert seq(later) > seq(event) and later["id"].rsplit("-", 1)[0] == event["id"].rsplit("-", 1)[0]
    assert requests.get(service.url + f"/v1/events/{event['id']}", timeout=10).json()["data"] == event
