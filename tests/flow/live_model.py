"""What the live side owes its clients, told without its code.

`Log` is the truth: it reads every row of the database by itself, before retention can remove it. `Follower` is one client's memory: the place that
it has reached. Everything that a client is told moves that place, and whatever matches its filter on the way must have been delivered, in order
and once, with the log's own text, or lie in what a reset or dropped names. `Filter` judges events by what api.md says of filters.
"""

import bisect
import contextlib
import json
import sqlite3

KINDS = ("pattern", "indicator", "alert", "health", "session", "error", "gap")
SEVERITIES = ("debug", "info", "warning", "error", "critical")
NAMES = {"pattern": "pattern_name", "indicator": "indicator_name", "alert": "alert_type"}


def fold(name):
    return "".join(c for c in name.lower() if c not in "_- ")


def split(event_id):
    epoch, _, seq = event_id.rpartition("-")
    return epoch, int(seq)


class Row:
    def __init__(self, seq, body):
        self.seq, self.body, self.event = seq, body, json.loads(body)
        self.kind = self.event["kind"]


class Log:
    """Every row of every epoch, as the database had them; `trimmed` of the present epoch, by kind."""

    def __init__(self, state_dir):
        self.path = f"file:{state_dir}/tickgate.db?mode=ro"
        self.epochs, self.seqs = {}, {}
        self.epoch, self.head, self.trimmed = None, 0, dict.fromkeys(KINDS, 0)

    def poll(self):
        """Reads what is new; False while there is no log."""
        try:
            with contextlib.closing(sqlite3.connect(self.path, uri=True, timeout=10)) as db:
                db.execute("BEGIN")
                epoch, next_seq = db.execute("SELECT epoch, next_seq FROM log").fetchone()
                rows = self.epochs.setdefault(epoch, [])
                last = rows[-1].seq if rows else 0
                new = [Row(*r) for r in db.execute("SELECT seq, body FROM events WHERE seq > ? ORDER BY seq", (last,))]
                trimmed = {KINDS[k]: to for k, to in db.execute("SELECT kind, trimmed_to FROM kinds")}
        except (sqlite3.OperationalError, TypeError):
            return False
        assert max(trimmed.values()) <= last or not new or max(trimmed.values()) < new[0].seq, "trimmed before the test saw it"
        rows += new
        self.seqs.setdefault(epoch, []).extend(r.seq for r in new)
        self.epoch, self.head, self.trimmed = epoch, next_seq - 1, trimmed
        return True

    def after(self, epoch, low, high=None):
        """Rows with low < seq <= high."""
        seqs = self.seqs[epoch]
        end = len(seqs) if high is None else bisect.bisect_right(seqs, high)
        return self.epochs[epoch][bisect.bisect_right(seqs, low):end]


class Filter:
    """The parameters of a request, and what they match."""

    def __init__(self, query):
        self.query = query
        self.kinds = self.words("kinds") or ["pattern", "indicator", "alert"]
        self.symbols = [s.upper() for s in self.words("symbols")]
        self.folded = {kind: [fold(n) for n in self.words(kind)] for kind in NAMES}
        self.duplicates = query.get("duplicates") == "show" or "channel" in query

    def words(self, name):
        return self.query[name].split(",") if name in self.query else []

    def within(self, value, what):
        low, high = self.query.get("min_" + what), self.query.get("max_" + what)
        if value is None:
            return low is None and high is None
        return (low is None or value >= float(low)) and (high is None or value <= float(high))

    def matches(self, row):
        e, q = row.event, self.query
        if row.kind not in self.kinds or (e.get("duplicate_of") is not None and not self.duplicates):
            return False
        if (self.symbols and e["symbol"] not in self.symbols) or ("channel" in q and e.get("channel") != q["channel"]):
            return False
        if row.kind in NAMES and self.folded[row.kind] and fold(e[NAMES[row.kind]]) not in self.folded[row.kind]:
            return False
        if row.kind in ("pattern", "indicator") and "timeframe" in q and e["timeframe"] not in self.words("timeframe"):
            return False
        if row.kind == "pattern":
            return self.within(e["confidence"], "confidence")
        if row.kind == "indicator":
            return self.within(e["value"], "value")
        if row.kind == "error":
            if "severity" in q and e["severity"] not in self.words("severity"):
                return False
            if "min_severity" in q and SEVERITIES.index(e["severity"]) < SEVERITIES.index(q["min_severity"]):
                return False
            return "component" not in q or e["component"] in self.words("component")
        return True

    def trimmed(self, log, stream, epoch):
        """Up to where retention has removed what this filter can match. Of a log that is gone: anything."""
        if epoch != log.epoch:
            return log.seqs[epoch][-1] if log.seqs[epoch] else 0
        return max(log.trimmed[k] for k in KINDS if k in self.kinds or (stream and k == "gap"))


class Follower:
    """Where one client is in the log, and what it was owed on the way there."""

    def __init__(self, log, wanted, stream):
        self.log, self.filter, self.stream = log, wanted, stream
        self.epoch, self.pos, self.delivered, self.resets, self.drops = None, None, 0, 0, 0

    def owed(self, low, high=None, epoch=None):
        return [r for r in self.log.after(epoch or self.epoch, low, high)
                if self.filter.matches(r) or (self.stream and r.kind == "gap")]

    def known(self, event_id):
        """An id in two, once the truth has come to it."""
        epoch, seq = split(event_id)
        if epoch != self.log.epoch or seq > self.log.head:
            assert self.log.poll()
        assert epoch in self.log.epochs, f"{event_id} is of no epoch that ever was"
        assert epoch != self.log.epoch or seq <= self.log.head, f"{event_id} is ahead of the log"
        return epoch, seq

    def move(self, event_id, texts=(), conflated=False):
        """The client was told that it has come to `event_id`, having got `texts` (or what they say) since it was last told."""
        epoch, seq = self.known(event_id)
        assert epoch == self.epoch, f"{event_id}, without a reset from {self.epoch}"
        assert seq >= self.pos, f"back from {self.pos} to {event_id}"
        owed = self.owed(self.pos, seq)
        if conflated:
            owed = self.conflate(owed)
        got = [json.loads(t) if isinstance(t, str) else t for t in texts]
        assert [e["id"] for e in got] == [r.event["id"] for r in owed], \
            f"from {self.pos} to {seq}: owed {[r.seq for r in owed]}, got {[split(e['id'])[1] for e in got]}"
        assert all(t in (r.body, r.event) for t, r in zip(texts, owed)), "not the text of the log"
        self.pos = seq
        self.delivered += len(texts)

    @staticmethod
    def conflate(rows):
        """Of indicators, the newest of each; a batch may not skip more than it has taken the place of."""
        newest = {}
        for r in rows:
            if r.kind == "indicator":
                newest[r.event["symbol"], fold(r.event["indicator_name"]), r.event["timeframe"]] = r.seq
        return [r for r in rows if r.kind != "indicator" or r.seq in newest.values()]

    def begin(self, event_id):
        self.epoch, self.pos = self.known(event_id)

    def dropped(self, low, high, count):
        """What retention took away while the client was behind."""
        epoch, seq = self.known(high)
        self.move(low)  # what did not match on the way there
        assert epoch == self.epoch and seq > self.pos, f"dropped {low} to {high}"
        assert count == seq - self.pos
        self.log.poll()
        assert seq <= self.filter.trimmed(self.log, self.stream, epoch), f"dropped up to {seq}, which is still held"
        self.pos = seq
        self.drops += 1

    def reset(self, event_id):
        self.begin(event_id)
        self.resets += 1

    def behind(self):
        """Whether something is still owed."""
        return self.epoch != self.log.epoch or bool(self.owed(self.pos))
