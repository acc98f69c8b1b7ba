-- What readers run (src/store/read.c and its neighbours). One statement an access path; its plan is asserted by a test.

-- name: begin_read
BEGIN;

-- name: end_read
COMMIT;

-- Where the log stands; the first statement of every snapshot.
-- name: read_log
SELECT version, epoch, next_seq, indexed_to, tallied_to, committed_us FROM log WHERE id = 1;

-- Seven rows, by their key.
-- name: read_kinds
SELECT kind, events, bytes, trimmed_to, newest, newest_visible FROM kinds WHERE kind BETWEEN 0 AND 6;

-- The newest places of one symbol, or of a kind by its name.
-- name: places_open
SELECT first, places FROM by_symbol_open WHERE symbol = :symbol;

-- Those before them, newest first: every row that begins below :below.
-- name: places_newest
SELECT first, last, kinds, places FROM by_symbol
WHERE symbol = :symbol AND first < :below
ORDER BY first DESC LIMIT :n;

-- The same, oldest first: from the row on in which :from lies, or would.
-- name: places_oldest
SELECT first, last, kinds, places FROM by_symbol
WHERE symbol = :symbol AND first >= ifnull((SELECT first FROM by_symbol
    WHERE symbol = :symbol AND first <= :from ORDER BY first DESC LIMIT 1), :from)
ORDER BY first LIMIT :n;

-- What lies together of one symbol's newest events, from the newest cluster on in which :seq may be.
-- name: clusters_newest
SELECT first, events FROM clusters WHERE symbol = :symbol AND first <= :seq ORDER BY first DESC;

-- What the index does not cover yet: a walk over the log's end, newest first. Only what picks the row.
-- name: tail_newest
SELECT seq, kind, symbol FROM events
WHERE seq >= :from AND seq < :below
ORDER BY seq DESC LIMIT :n;

-- name: tail_oldest
SELECT seq, kind, symbol FROM events
WHERE seq >= :from AND seq < :below
ORDER BY seq LIMIT :n;

-- What is too new for symbols and latest; the newest first, should there be more than the bound.
-- name: tally_tail
SELECT seq, kind, symbol, name, timeframe, duplicate_of, received_us, confidence FROM events
WHERE seq > :after
ORDER BY seq DESC LIMIT :n;

-- The seqs that a list gives (list.c), and where their pointer comes in (given.h). Never run: readers' connections have this table.
-- name: wanted_table
CREATE TABLE wanted (given HIDDEN, seq INTEGER);

-- The rows of a list, in the order in which C gives their seqs; a seq without row is passed over. Without text: enough to filter on.
-- Columns in the order of read.c.
-- name: list_columns
SELECT kind, symbol, name, timeframe, confidence, value, severity, component, source, channel,
    time_ms, time_source, received_us, gap_from_us, duplicate_of, events.seq
FROM wanted CROSS JOIN events ON events.seq = wanted.seq WHERE wanted.given = :given;

-- The same with the text, for those who want nearly every event they look at: one way through the table instead of two.
-- name: list_whole
SELECT kind, symbol, name, timeframe, confidence, value, severity, component, source, channel,
    time_ms, time_source, received_us, gap_from_us, duplicate_of, events.seq, body
FROM wanted CROSS JOIN events ON events.seq = wanted.seq WHERE wanted.given = :given;

-- Of these, what an answer needs of an event that nobody picks by more than kind, symbol and time.
-- name: list_brief
SELECT kind, symbol, time_ms, received_us, gap_from_us, duplicate_of, events.seq, body
FROM wanted CROSS JOIN events ON events.seq = wanted.seq WHERE wanted.given = :given;

-- One event.
-- name: event_whole
SELECT kind, symbol, name, timeframe, confidence, value, severity, component, source, channel,
    time_ms, time_source, received_us, gap_from_us, duplicate_of, seq, body
FROM events WHERE seq = :seq;

-- name: event_body
SELECT body FROM events WHERE seq = :seq;

-- When a place in the log was reached: the event there, or the nearest before it.
-- name: time_at
SELECT received_us FROM events WHERE seq <= :seq ORDER BY seq DESC LIMIT 1;

-- name: oldest_event
SELECT received_us FROM events WHERE seq > 0 ORDER BY seq LIMIT 1;

-- Every event below the result was received before :us.
-- name: timeline_before
SELECT seq FROM timeline WHERE received_us <= :us ORDER BY received_us DESC, seq DESC LIMIT 1;

-- No event from the result on was received before :us.
-- name: timeline_from
SELECT seq FROM timeline WHERE received_us >= :us ORDER BY received_us, seq LIMIT 1;

-- The directory in its order, from a symbol on.
-- name: symbols_from
SELECT symbol, patterns, indicators, alerts, last_seq, last_received_us FROM symbols
WHERE symbol >= :from ORDER BY symbol;

-- name: symbol_known
SELECT 1 FROM symbols WHERE symbol = :symbol;

-- name: latest_of_symbol
SELECT name, timeframe, seq FROM latest
WHERE symbol = :symbol AND kind = :kind
ORDER BY name, timeframe LIMIT :n;

-- How many of a kind in one cell of time.
-- name: rollup_total
SELECT n FROM rollups
WHERE span = :span AND start_s = :start_s AND kind = :kind AND facet = 0 AND key = '';

-- The same by name, timeframe, confidence and symbol.
-- name: rollup_facets
SELECT facet, key, n FROM rollups
WHERE span = :span AND start_s = :start_s AND kind = :kind AND facet > 0
ORDER BY facet, key LIMIT :n;

-- name: newest_rejects
SELECT received_us, channel, reason, detail, bytes, sample FROM rejects ORDER BY id DESC LIMIT :n;

-- ---- keys.c: what the live side follows the log by ----

-- What is new: enough to know who might want a row.
-- name: keys_after
SELECT seq, kind, symbol, duplicate_of FROM events WHERE seq > :after ORDER BY seq LIMIT :n;

-- Changes whenever another connection has committed.
-- name: data_version
PRAGMA data_version;

-- name: oldest_seq
SELECT seq FROM events WHERE seq > 0 ORDER BY seq LIMIT 1;
