-- The log and what is kept up beside it. Opens in the sqlite3 shell: .read schema.sql
-- (but never open the live log with the shell: its checkpoint races with ours).

-- One row: where the log stands. Every batch updates it in its own transaction.
CREATE TABLE log (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    version       INTEGER NOT NULL,   -- of this schema; another one is moved aside like a damaged file
    epoch         TEXT    NOT NULL,   -- first half of every event id; new when history was replaced
    next_seq      INTEGER NOT NULL,   -- the next event's seq; only grows. head = next_seq - 1
    lease_to      INTEGER NOT NULL,   -- no seq above this was ever given out; stored by a synced commit of its own
    boot_id       TEXT    NOT NULL,   -- of the kernel under which the lease was taken
    clean         INTEGER NOT NULL,   -- 1: the subscriber ended by itself and everything is here
    committed_us  INTEGER NOT NULL,   -- everything received up to this time is in the log
    dev           INTEGER NOT NULL,   -- st_dev and st_ino of this very file: a restored copy has others
    ino           INTEGER NOT NULL,
    indexed_to    INTEGER NOT NULL,   -- by_symbol and by_symbol_open hold every event up to this seq; above is the tail
    tallied_to    INTEGER NOT NULL    -- symbols, latest and rollups count every event up to this seq
) STRICT;

-- The log itself: every event, in the order of arrival.
CREATE TABLE events (
    seq           INTEGER PRIMARY KEY,
    kind          INTEGER NOT NULL,   -- enum kind
    symbol        TEXT,               -- upper case; NULL for kinds without
    name          TEXT,               -- pattern, indicator or alert type, folded; NULL for other kinds
    timeframe     TEXT,               -- verbatim; patterns and indicators
    confidence    REAL,               -- percent; patterns
    value         REAL,               -- scalar value; indicators
    severity      INTEGER NOT NULL,   -- enum severity; 0 but for errors
    component     TEXT,               -- errors
    source        TEXT,               -- errors
    channel       TEXT,               -- the concrete channel; NULL for gaps
    time_ms       INTEGER NOT NULL,   -- the event's own time
    time_source   INTEGER NOT NULL,   -- enum time_source
    received_us   INTEGER NOT NULL,   -- when it came in
    gap_from_us   INTEGER NOT NULL,   -- gaps: where the break began; else 0
    duplicate_of  INTEGER NOT NULL,   -- seq of the first event of the same detection; 0: this is no duplicate
    body          TEXT    NOT NULL    -- the event as clients get it. Last, so that a row's columns are read without it
) STRICT;

-- The newest of a symbol, and, under a name that no symbol has ("kind 0" for the first), of a kind: its places in the log, 64 to a row, packed as src/store/bundle.h says. Tables of their own, filled behind
-- the log in sorted runs, since an index that is kept in every commit costs three times as much; they follow at once when calm, lag by at most
-- 20,000 rows under load. Two of them, so that a run writes few pages whatever the log holds: each symbol's newest places are in the
-- first, and what is full there goes to the second. An index of `events` by kind, kept in every commit, cost a fifth of what storing an event does.
-- Both may hold places that retention has removed (seq <= kinds.trimmed_to) for a while.
CREATE TABLE by_symbol_open (
    symbol        TEXT    PRIMARY KEY, -- or the kind, see above; the same in by_symbol
    first         INTEGER NOT NULL,   -- seq of the first place; above those of by_symbol
    places        BLOB    NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE by_symbol (
    symbol        TEXT    NOT NULL,
    first         INTEGER NOT NULL,
    last          INTEGER NOT NULL,   -- seq of the last place; below the next row's first
    kinds         INTEGER NOT NULL,   -- the kinds that are in it, bit 1 << kind
    places        BLOB    NOT NULL,
    PRIMARY KEY (symbol, first)
) WITHOUT ROWID, STRICT;

-- Copies of the newest events of a symbol, laid together as src/store/cluster.h packs them: a list of them is a few pages instead of one for each. Made
-- behind the index, while there is time, and at most nine a symbol; what is not in here is read from `events`, so nothing relies on it. May hold
-- events that retention has removed (seq <= kinds.trimmed_to).
CREATE TABLE clusters (
    symbol        TEXT    NOT NULL,
    first         INTEGER NOT NULL,   -- seq of the first event
    last          INTEGER NOT NULL,   -- seq of the last
    events        BLOB    NOT NULL,
    PRIMARY KEY (symbol, first)
) WITHOUT ROWID, STRICT;

-- A sparse index from receive time to seq: a row every 256 events or every second, whichever is rarer.
CREATE TABLE timeline (
    received_us   INTEGER NOT NULL,   -- every event below `seq` was received before this, none from `seq` on was
    seq           INTEGER NOT NULL,
    PRIMARY KEY (received_us, seq)
) WITHOUT ROWID, STRICT;

-- What is kept of each kind. Seven rows.
CREATE TABLE kinds (
    kind          INTEGER PRIMARY KEY,
    events        INTEGER NOT NULL,   -- rows held
    bytes         INTEGER NOT NULL,   -- their bodies
    trimmed_to    INTEGER NOT NULL,   -- retention removed this seq and none above; 0: nothing was removed
    newest        INTEGER NOT NULL,   -- seq of the newest event of the kind, duplicates counted; 0: none ever
    newest_visible INTEGER NOT NULL   -- the same without duplicates
) STRICT;

-- Every symbol of which something is kept, with counts of what is kept (duplicates are not counted).
CREATE TABLE symbols (
    symbol        TEXT    PRIMARY KEY,
    patterns      INTEGER NOT NULL,
    indicators    INTEGER NOT NULL,
    alerts        INTEGER NOT NULL,
    held          INTEGER NOT NULL,   -- rows of any kind, duplicates too: the row goes when this is 0
    last_seq      INTEGER NOT NULL,   -- of its newest event that is no duplicate
    last_received_us INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

-- The newest event of each (symbol, kind, name, timeframe).
CREATE TABLE latest (
    symbol        TEXT    NOT NULL,
    kind          INTEGER NOT NULL,
    name          TEXT    NOT NULL,   -- folded
    timeframe     TEXT    NOT NULL,
    seq           INTEGER NOT NULL,
    PRIMARY KEY (symbol, kind, name, timeframe)
) WITHOUT ROWID, STRICT;

-- Counts by receive time, for 24 hours. A minute's cells for two hours, an hour's cells for the rest.
CREATE TABLE rollups (
    span          INTEGER NOT NULL,   -- 60 or 3600 seconds
    start_s       INTEGER NOT NULL,   -- epoch seconds, a multiple of span
    kind          INTEGER NOT NULL,   -- enum kind; patterns, indicators and alerts
    facet         INTEGER NOT NULL,   -- 0 all; of patterns also 1 name, 2 timeframe, 3 confidence in tens (0..9; 100 counts as 9), 4 symbol
    key           TEXT    NOT NULL,   -- '' for facet 0
    n             INTEGER NOT NULL,   -- events that are no duplicates
    PRIMARY KEY (span, start_s, kind, facet, key)
) WITHOUT ROWID, STRICT;

-- The newest refusals, at most 1,000.
CREATE TABLE rejects (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    received_us   INTEGER NOT NULL,
    channel       TEXT    NOT NULL,
    reason        INTEGER NOT NULL,   -- enum reject_reason
    detail        TEXT    NOT NULL,
    bytes         INTEGER NOT NULL,   -- of the whole element
    sample        TEXT    NOT NULL    -- its first 512 bytes, bad UTF-8 replaced
) STRICT;
