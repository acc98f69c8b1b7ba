#!/usr/bin/python3
"""The subscriber that one would write first: redis-py, json and sqlite3.

Not careless: hiredis' parser, WAL, one transaction a batch with executemany, batches as large as what waits, the same columns and indexes
as tickgate's log, retention in bulk at the same cap. It takes only the documented forms at their channels' word, keeps
no duplicates apart, records no gaps, counts no refusals: it does less than tickgate.

usage: subscriber.py REDIS-URL DATABASE CAP
"""

import json
import signal
import sqlite3
import sys
import time

import redis

CHANNELS = {
    "tickstock:patterns:streaming": "pattern",
    "tickstock:patterns:detected": "pattern",
    "tickstock.events.patterns": "pattern",
    "tickstock:indicators:streaming": "indicator",
    "tickstock:alerts:indicators": "alert",
    "tickstock:alerts:critical": "alert",
    "tickstock:streaming:health": "health",
    "tickstock:errors": "error",
}
BATCH, BATCH_SECONDS = 2000, 0.1
TRIM_EVERY = 20000
SCHEMA = """
CREATE TABLE IF NOT EXISTS events (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, symbol TEXT, name TEXT, timeframe TEXT, confidence REAL,
    value REAL, time REAL NOT NULL, received_at REAL NOT NULL, channel TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_kind ON events (kind, id);
CREATE INDEX IF NOT EXISTS events_symbol ON events (symbol, kind, id);
"""


def facts(payload):
    """A message is a fact, or a batch of them."""
    message = json.loads(payload)
    for name in ("patterns", "indicators"):
        if isinstance(message.get(name), list):
            return message[name]
    return (message,)


def row(channel, fact, now):
    kind = CHANNELS[channel]
    for envelope in ("detection", "calculation", "indicator", "alert", "health", "payload", "data"):
        inner = fact.get(envelope)
        if isinstance(inner, dict) and "symbol" in inner:
            fact = inner
            break
    name = fact.get("pattern_name") or fact.get("indicator_name") or fact.get("alert_type")
    moment = fact.get("detected_at") or fact.get("calculated_at") or fact.get("timestamp")
    if not isinstance(moment, (int, float)):
        moment = now
    symbol = fact.get("symbol")
    value = fact.get("value")
    event = {"kind": kind, "symbol": symbol, **fact, "received_at": now, "channel": channel}
    return (kind, symbol, name, fact.get("timeframe"), fact.get("confidence"), value if isinstance(value, (int, float)) else None,
            moment, now, channel, json.dumps(event, separators=(",", ":")))


def main(url, path, cap):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -65536")
    db.executescript(SCHEMA)
    pubsub = redis.Redis.from_url(url).pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(*CHANNELS)
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    batch, since, untrimmed = [], time.monotonic(), 0
    while running:
        message = pubsub.get_message(timeout=0.05 if batch else 1.0)
        if message is not None:
            channel, now = message["channel"].decode(), time.time()
            batch += [row(channel, fact, now) for fact in facts(message["data"])]
        if batch and (len(batch) >= BATCH or message is None or time.monotonic() - since > BATCH_SECONDS):
            db.execute("BEGIN")
            db.executemany(
                "INSERT INTO events (kind, symbol, name, timeframe, confidence, value, time, received_at, channel, body)"
                " VALUES (?,?,?,?,?,?,?,?,?,?)", batch)
            untrimmed += len(batch)
            if cap and untrimmed >= TRIM_EVERY:
                db.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", (cap,))
                untrimmed = 0
            db.execute("COMMIT")
            batch, since = [], time.monotonic()
    db.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
