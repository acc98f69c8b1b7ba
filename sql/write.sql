-- What the subscriber's store thread runs (src/store/append.c and its neighbours). Statements are compiled in by name.

-- name: begin_write
BEGIN IMMEDIATE;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- ---- insert.c ----

-- name: new_events_table
-- The rows of a batch (given.h). Never run: the writer's connection has this table.
CREATE TABLE new_events (given HIDDEN, seq INTEGER, kind INTEGER, symbol TEXT, name TEXT, timeframe TEXT, confidence REAL,
    value REAL, severity INTEGER, component TEXT, source TEXT, channel TEXT, time_ms INTEGER, time_source INTEGER,
    received_us INTEGER, gap_from_us INTEGER, duplicate_of INTEGER, body TEXT);

-- name: events_insert
INSERT INTO events (seq, kind, symbol, name, timeframe, confidence, value, severity, component, source, channel,
    time_ms, time_source, received_us, gap_from_us, duplicate_of, body)
SELECT seq, kind, symbol, name, timeframe, confidence, value, severity, component, source, channel,
    time_ms, time_source, received_us, gap_from_us, duplicate_of, body
FROM new_events WHERE given = :given;

-- ---- append.c ----

-- name: timeline_insert
INSERT INTO timeline (received_us, seq) VALUES (:received_us, :seq);

-- name: reject_insert
INSERT INTO rejects (received_us, channel, reason, detail, bytes, sample)
VALUES (:received_us, :channel, :reason, :detail, :bytes, :sample);

-- name: rejects_trim
DELETE FROM rejects WHERE id <= (SELECT max(id) FROM rejects) - :keep;

-- name: log_update
UPDATE log SET next_seq = :next_seq, committed_us = :committed_us, indexed_to = :indexed_to, tallied_to = :tallied_to
WHERE id = 1;

-- name: kind_update
UPDATE kinds SET events = :events, bytes = :bytes, trimmed_to = :trimmed_to, newest = :newest,
    newest_visible = :newest_visible
WHERE kind = :kind;

-- name: lease_update
UPDATE log SET lease_to = :lease_to WHERE id = 1;

-- ---- recover.c ----

-- name: log_select
SELECT version, epoch, next_seq, lease_to, boot_id, clean, committed_us, dev, ino, indexed_to, tallied_to
FROM log WHERE id = 1;

-- name: kinds_select
SELECT kind, events, bytes, trimmed_to, newest, newest_visible FROM kinds ORDER BY kind;

-- name: log_insert
INSERT INTO log (id, version, epoch, next_seq, lease_to, boot_id, clean, committed_us, dev, ino, indexed_to, tallied_to)
VALUES (1, :version, :epoch, 1, :lease_to, :boot_id, 0, :committed_us, :dev, :ino, 0, 0);

-- name: kind_insert
INSERT INTO kinds (kind, events, bytes, trimmed_to, newest, newest_visible) VALUES (:kind, 0, 0, 0, 0, 0);

-- name: log_take
-- Taken over at a start: from here on it counts as not clean.
UPDATE log SET epoch = :epoch, next_seq = :next_seq, lease_to = :lease_to, boot_id = :boot_id, clean = 0, dev = :dev,
    ino = :ino
WHERE id = 1;

-- name: log_clean
UPDATE log SET clean = 1 WHERE id = 1;

-- name: quick_check
-- One line is enough: 'ok' or the first fault.
PRAGMA quick_check(1);

-- name: sync_full
PRAGMA synchronous = FULL;

-- name: sync_normal
PRAGMA synchronous = NORMAL;

-- name: ids_renew
-- A copied log gets a new epoch: its events' ids begin with it. {"id":"xxxxxxxx-… : characters 8 to 15.
UPDATE events SET body = substr(body, 1, 7) || :epoch || substr(body, 16);

-- name: duplicate_ids_renew
UPDATE events SET body = replace(body, '"duplicate_of":"' || :old || '-', '"duplicate_of":"' || :epoch || '-')
WHERE duplicate_of <> 0;

-- name: last_received
SELECT received_us FROM events ORDER BY seq DESC LIMIT 1;

-- name: last_timeline
SELECT received_us, seq FROM timeline ORDER BY received_us DESC LIMIT 1;

-- name: dedup_start
SELECT seq FROM timeline WHERE received_us <= :received_us ORDER BY received_us DESC LIMIT 1;

-- name: events_keys
SELECT seq, kind, symbol, name, timeframe, channel, time_ms, time_source, received_us, duplicate_of FROM events
WHERE seq > :after ORDER BY seq;

-- ---- index.c ----

-- name: index_tail
SELECT seq, kind, symbol FROM events WHERE seq > :after AND seq <= :to ORDER BY seq LIMIT :n;

-- name: places_insert
INSERT INTO by_symbol (symbol, first, last, kinds, places) VALUES (:symbol, :first, :last, :kinds, :places);

-- ---- opened.c ----

-- name: new_open_table
-- Open bundles that are read and written at once (given.h); `at` is where C has the symbol. Never run: the writer's connection has this table.
CREATE TABLE new_open (given HIDDEN, symbol TEXT, first INTEGER, places BLOB, at INTEGER);

-- name: open_select
SELECT new_open.at, o.first, o.places FROM new_open CROSS JOIN by_symbol_open AS o ON o.symbol = new_open.symbol
WHERE new_open.given = :given;

-- name: open_put
REPLACE INTO by_symbol_open (symbol, first, places) SELECT symbol, first, places FROM new_open WHERE given = :given;

-- ---- sweep.c ----

-- name: sweep_open
SELECT symbol, first, places FROM by_symbol_open WHERE symbol > :symbol ORDER BY symbol LIMIT :n;

-- name: sweep_places
SELECT symbol, first, places, last, kinds FROM by_symbol WHERE (symbol, first) > (:symbol, :first)
ORDER BY symbol, first LIMIT :n;

-- name: open_forget
DELETE FROM by_symbol_open;

-- name: places_forget
DELETE FROM by_symbol;

-- name: open_delete
DELETE FROM by_symbol_open WHERE symbol = :symbol;

-- name: places_delete
DELETE FROM by_symbol WHERE symbol = :symbol AND first = :first;

-- ---- lay.c ----

-- name: lay_symbols
SELECT symbol, first, places FROM by_symbol_open WHERE symbol > :symbol ORDER BY symbol;

-- name: lay_full
SELECT first, places FROM by_symbol WHERE symbol = :symbol AND first < :below ORDER BY first DESC LIMIT 1;

-- name: lay_newest
-- The events only of one that is half empty.
SELECT first, last, iif(length(events) < :half, events, NULL) FROM clusters WHERE symbol = :symbol
ORDER BY first DESC LIMIT 1;

-- name: lay_event
-- Without the text, which may be long: lay.c asks for its length first.
SELECT kind, time_ms, received_us, gap_from_us, duplicate_of FROM events WHERE seq = :seq AND symbol = :symbol;

-- name: cluster_put
REPLACE INTO clusters (symbol, first, last, events) VALUES (:symbol, :first, :last, :events);

-- name: clusters_trim
DELETE FROM clusters WHERE symbol = :symbol AND first <= (SELECT first FROM clusters WHERE symbol = :symbol
    ORDER BY first DESC LIMIT 1 OFFSET :keep);

-- name: clusters_forget_symbol
DELETE FROM clusters WHERE symbol = :symbol;

-- name: clusters_forget
DELETE FROM clusters;

-- name: clusters_all
SELECT symbol, first, last, events FROM clusters;

-- ---- tallies.c ----

-- name: tallies_scan
SELECT seq, kind, symbol, name, timeframe, confidence, received_us, duplicate_of FROM events
WHERE seq > :after AND seq <= :to ORDER BY seq;

-- What is written at once (given.h), in the order of its key. Never run: the writer's connection has these tables.
-- name: new_symbols_table
CREATE TABLE new_symbols (given HIDDEN, symbol TEXT, patterns INTEGER, indicators INTEGER, alerts INTEGER, held INTEGER,
    last_seq INTEGER, last_received_us INTEGER);

-- name: new_latest_table
CREATE TABLE new_latest (given HIDDEN, symbol TEXT, kind INTEGER, name TEXT, timeframe TEXT, seq INTEGER);

-- name: new_rollups_table
CREATE TABLE new_rollups (given HIDDEN, span INTEGER, start_s INTEGER, kind INTEGER, facet INTEGER, key TEXT, n INTEGER);

-- name: symbols_add
INSERT INTO symbols (symbol, patterns, indicators, alerts, held, last_seq, last_received_us)
SELECT symbol, patterns, indicators, alerts, held, last_seq, last_received_us FROM new_symbols WHERE given = :given
ON CONFLICT (symbol) DO UPDATE SET patterns = patterns + excluded.patterns, indicators = indicators + excluded.indicators,
    alerts = alerts + excluded.alerts, held = held + excluded.held, last_seq = max(last_seq, excluded.last_seq),
    last_received_us = max(last_received_us, excluded.last_received_us);

-- name: latest_put
-- REPLACE, for it finds its place once where ON CONFLICT does twice.
REPLACE INTO latest (symbol, kind, name, timeframe, seq)
SELECT symbol, kind, name, timeframe, seq FROM new_latest WHERE given = :given;

-- name: rollups_add
INSERT INTO rollups (span, start_s, kind, facet, key, n)
SELECT span, start_s, kind, facet, key, n FROM new_rollups WHERE given = :given
ON CONFLICT (span, start_s, kind, facet, key) DO UPDATE SET n = n + excluded.n;

-- name: rollups_trim
DELETE FROM rollups WHERE span = :span AND start_s < :before_s;

-- ---- retain.c ----

-- name: oldest_events
SELECT seq, kind, symbol, duplicate_of, received_us, body FROM events ORDER BY seq LIMIT :limit;

-- name: kind_event
-- One of a kind, whose place the index knows.
SELECT seq, kind, symbol, duplicate_of, received_us, body FROM events WHERE seq = :seq AND kind = :kind;

-- name: kind_walk
-- Whether there is one at all, of what the index covers: a walk, only when the index knows of none that should be there.
SELECT seq FROM events WHERE seq <= :to AND kind = :kind ORDER BY seq LIMIT 1;

-- name: events_delete
DELETE FROM events WHERE seq <= :to;

-- name: event_delete
DELETE FROM events WHERE seq = :seq;

-- name: symbol_subtract
-- One of which more is held than goes. By position, in this order.
UPDATE symbols SET patterns = patterns - :patterns, indicators = indicators - :indicators, alerts = alerts - :alerts,
    held = held - :held
WHERE symbol = :symbol AND held > :held;

-- name: symbol_delete
DELETE FROM symbols WHERE symbol = :symbol;

-- name: latest_trim
-- A walk of the whole table, once a minute.
DELETE FROM latest WHERE seq <= (SELECT trimmed_to FROM kinds WHERE kinds.kind = latest.kind);

-- name: timeline_trim
-- The last mark below the oldest event stays: it is where a search for that time begins.
DELETE FROM timeline WHERE received_us < (SELECT max(t.received_us) FROM timeline AS t
    WHERE t.seq <= (SELECT min(seq) FROM events));
