"""How fast lists are answered: unchanged since last asked, for the first time, as 304, while events come in; and how soon after a start."""

import http.client
import json
import os
import re
import sqlite3
import statistics
import time

from harness import BenchError, Load, Process, check, say, until
from ingest import feed
from servers import Lighttpd, Null, Php, Redis, Tickgate, fetch, listener

SYMBOLS, ROWS, LIMIT, CONNECTIONS = 4000, 1000000, 50, 32
ASKED = "/v1/symbols/{symbol}/events?limit=%d" % LIMIT
FIRST = "/v1/symbols/{symbol}/events?limit={vary}"
SPREAD = (41, 60)  # limits asked for the first time: 50.5 on average, 80,000 questions
CACHE = "gateway.cache=256MiB"  # for 4,000 answers of 20 kB; the default of 16 MiB holds 800


def filled(bench, redis, *settings):
    """A service whose log holds the rows, symbols in turn and kinds mixed: no two rows of a symbol lie near each other."""
    rows = bench.scaled(ROWS, 300000)
    tickgate = Tickgate(bench, redis, bench.subdir("state"), "retention.bytes=0", *settings)
    feed(bench, redis, tickgate.stored(), rows, "--symbols", SYMBOLS, "--mixed")
    until(lambda: settled(tickgate), "the index has caught up, and each symbol's newest events lie together", 30)
    return tickgate


def settled(tickgate):
    db = sqlite3.connect(f"file:{tickgate.state}/tickgate.db?mode=ro", uri=True)
    try:
        head, indexed = db.execute("SELECT next_seq - 1, indexed_to FROM log").fetchone()
        # Symbols come in turn: of each, no more than the newest three are left out.
        laid = db.execute("SELECT count(*) FROM (SELECT max(last) AS last FROM clusters GROUP BY symbol) WHERE last >= ?",
                          (head - 4 * SYMBOLS,)).fetchone()[0]
        return head == indexed and laid == SYMBOLS
    finally:
        db.close()


def for_php(bench, tickgate):
    """The same rows in the table and with the index that a PHP page would have."""
    path = bench.dir / "php.db"
    db = sqlite3.connect(path)
    db.execute("ATTACH ? AS log", (f"{tickgate.state}/tickgate.db",))
    db.executescript(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, symbol TEXT, body TEXT NOT NULL);"
        "INSERT INTO events SELECT seq, symbol, body FROM log.events ORDER BY seq;"
        "CREATE INDEX events_symbol ON events (symbol, seq); ANALYZE;")
    db.close()
    path.chmod(0o644)
    return path


def answer_of(port, path, headers=None):
    """What the FastCGI program said, made of what the web server passed on."""
    status, head, body = fetch(port, path, headers)
    ours = {k: v for k, v in head.items() if k.lower() not in ("date", "server", "connection", "keep-alive", "transfer-encoding")}
    if status == 304:
        ours.pop("Content-Length", None)
    lines = [f"Status: {status} {http.client.responses[status]}", *(f"{k}: {v}" for k, v in ours.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if status == 304 else body)


def get(bench, address, path, *more, expect=200):
    load = Load(bench, "get", "--connect", address, "--path", path, "--n", CONNECTIONS, "--symbols", SYMBOLS, "--expect", expect, *more)
    load.wait_ready()
    figures = load.result()
    bench.stop(load)
    check(figures["wrong"] == 0 and figures["wrong_bodies"] == 0, f"wrong answers: {figures}")
    return figures


def from_log(tickgate):
    """How many lists were read from the log so far."""
    return int(re.search(rb'lists_total\{by="log"\} (\d+)', fetch(tickgate.port, "/metrics")[2]).group(1))


def warm(bench, tickgate):
    """Until every worker has been asked everything, twice: then it keeps the answer. Which of them gets a question is chance, so it takes several times as many."""
    for _ in range(30):
        before = from_log(tickgate)
        get(bench, tickgate.address, ASKED, "--count", 2 * SYMBOLS)
        if from_log(tickgate) - before < SYMBOLS / 100:
            return
    raise BenchError("lists that were asked for again and again are still read from the log")


def lists(bench):
    """50 newest of a symbol, 4,000 symbols, 1,000,000 rows, against a program that answers the same bytes, and PHP."""
    seconds = bench.scaled(4, 1)
    unchanged = bench.figure("unchanged since last asked", "1/s", at_least=0.9, reference="null, same bytes")
    first = bench.figure("asked for the first time", "1/s", at_least=0.6, reference="null, same bytes")
    not_modified = bench.figure("304", "1/s", at_least=0.95, reference="null, same 304")
    php_first = bench.figure("asked for the first time", "1/s", at_least=4, reference="PHP-FPM")
    php_rate = bench.figure("unchanged since last asked", "1/s", at_least=4, reference="PHP-FPM")
    latency = bench.figure("unchanged: p99", "ms", reference="null, same bytes")
    redis = Redis(bench)
    tickgate = filled(bench, redis, CACHE)
    php = Php(bench, for_php(bench, tickgate))
    path = ASKED.replace("{symbol}", "S1234")
    null = Null(bench, answer_of(tickgate.port, path))
    tag = fetch(tickgate.port, path)[1]["ETag"]
    null_304 = Null(bench, answer_of(tickgate.port, path, {"If-None-Match": tag}), "null304")
    # Every list has its events, and what PHP answers has as many.
    get(bench, tickgate.address, ASKED, "--check", LIMIT, "--count", 1)
    get(bench, php.address, "/list.php?symbol={symbol}&limit=%d" % LIMIT, "--check", LIMIT, "--count", 1)
    for _ in range(bench.rounds):
        timed = ("--seconds", seconds)
        new = get(bench, tickgate.address, FIRST, "--vary", "%d-%d" % SPREAD, "--count", bench.scaled(80000, 20000))
        base = get(bench, null.address, ASKED, *timed)
        warm(bench, tickgate)
        again = get(bench, tickgate.address, ASKED, *timed)
        base2 = get(bench, null.address, ASKED, *timed)
        same = get(bench, tickgate.address, ASKED, "--etags", *timed, expect=304)
        base_304 = get(bench, null_304.address, ASKED, *timed, expect=304)
        slow = get(bench, php.address, "/list.php?symbol={symbol}&limit={vary}", "--vary", "%d-%d" % SPREAD, *timed)
        first.add(new["rate"], base["rate"])
        unchanged.add(again["rate"], statistics.mean((base["rate"], base2["rate"])))
        not_modified.add(same["rate"], base_304["rate"])
        php_first.add(new["rate"], slow["rate"])
        php_rate.add(again["rate"], slow["rate"])
        latency.add(again["latency"]["p99_us"] / 1000, base2["latency"]["p99_us"] / 1000)
        say(f"rest: unchanged {unchanged.values[-1]:.2f}, first {first.values[-1]:.2f}, 304 {not_modified.values[-1]:.2f}, "
            f"PHP {php_first.values[-1]:.1f} and {php_rate.values[-1]:.1f}")


def busy(bench):
    """The same while 10,000 events a second come in: of other symbols, so that what is unchanged stays so; then of all that is asked."""
    seconds, rate = bench.scaled(3, 2), 10000
    classes = {
        "unchanged": ((ASKED,), 200, 0.7),
        # Of the second half of the symbols: what was asked without is asked a second time, and would be kept.
        "first time": ((FIRST, "--vary", "%d-%d" % SPREAD, "--symbols", SYMBOLS // 2), 200, 0.7),
        "304": ((ASKED, "--etags"), 304, 0.7),
        "asked again, of the symbols whose events come in": ((ASKED,), None, None),
    }
    figures = {name: bench.figure(f"{name}, while 10,000 events/s come in", "1/s", at_least=least, reference="without")
               for name, (_, _, least) in classes.items()}
    stored = bench.figure("events stored meanwhile", "1/s", at_least=0.99, reference="published")
    redis = Redis(bench)
    tickgate = filled(bench, redis, CACHE)
    counter = tickgate.stored()
    for _ in range(bench.rounds):
        for name, (what, expect, _) in classes.items():
            options = ("--seconds", seconds)
            warm(bench, tickgate)
            if what[0] == FIRST:
                # Each thread maps the log for itself: until it has seen all of it, lists cost it page faults, which are not what is compared.
                get(bench, tickgate.address, FIRST, "--vary", "31-40", "--count", bench.scaled(40000, 2000))
            without = get(bench, tickgate.address, *what, *options, expect=expect or 200)
            n = int(rate * (seconds + 1))
            before = counter.count()
            publisher = Load(bench, "publish", "--redis", redis.url, "--symbols", SYMBOLS, "--first-symbol", SYMBOLS if expect else 0,
                             "--mixed", "--count", n, "--rate", rate)
            publisher.wait_ready()
            others = ("--first-symbol", SYMBOLS // 2) if what[0] == FIRST else ()
            loaded = any_status(bench, tickgate.address, *what, *options, *others)
            check(expect is None or set(loaded["statuses"]) == {str(expect)}, f"other answers than {expect}: {loaded}")
            published = publisher.result()
            bench.stop(publisher)
            until(lambda: counter.count() - before >= n, "all is stored", 60)
            figures[name].add(loaded["rate"], without["rate"])
            stored.add(n, published["published"])
            check(abs(published["rate"] - rate) < rate * 0.02, f"the publisher did not keep its pace: {published}")
        say("busy: " + ", ".join(f"{name} {f.values[-1]:.2f}" for name, f in figures.items()))


def any_status(bench, address, path, *more):
    """200 or 304: what changes meanwhile is told anew."""
    load = Load(bench, "get", "--connect", address, "--path", path, "--n", CONNECTIONS, "--symbols", SYMBOLS, *more)
    load.wait_ready()
    figures = load.result()
    bench.stop(load)
    check(set(figures["statuses"]) <= {"200", "304"}, f"wrong answers: {figures}")
    return figures


def start(bench):
    """From nothing running to the first answer, with 1,000,000 rows."""
    took = bench.figure("subscriber and gateway started, first list answered", "ms", at_most=150)
    alone = bench.figure("gateway alone, first list answered", "ms", at_most=150)
    redis = Redis(bench)
    tickgate = filled(bench, redis)
    state = tickgate.state
    bench.stop(tickgate)
    for _ in range(bench.scaled(10, 3)):
        for figure, programs in ((took, ("tickgate-subscriber", "tickgate.fcgi")), (alone, ("tickgate.fcgi",))):
            figure.add(cold_start(bench, redis, state, programs) * 1000)


def cold_start(bench, redis, state, programs):
    """
    Seconds from starting the programs to a whole answer, as on a machine: the web server runs, and whoever starts the gateway
    (here we, else systemd) holds its socket, so that requests wait in the backlog.
    """
    directory = bench.subdir("cold")
    lighttpd = Lighttpd(bench, directory)
    options = ["-c", "/dev/null", "-o", f"paths.state_dir={state}", "-o", f"paths.run_dir={directory}", "-o", "retention.bytes=0"]
    with listener(lighttpd.socket) as s:
        os.chmod(lighttpd.socket, 0o666)
        until(lambda: fetch(lighttpd.port, "/index.html"), "lighttpd answers")
        began = time.monotonic()
        for name in programs:
            more = {"stdin": s} if name == "tickgate.fcgi" else {}
            bench.started(Process([bench.build / name, *options], directory / f"{name}.log", env={"REDIS_URL": redis.url}, **more))
        answer = until(lambda: ok(fetch(lighttpd.port, ASKED.replace("{symbol}", "S1234"))), "the first answer", 20)
        took = time.monotonic() - began
    check(len(json.loads(answer[2])["data"]) == LIMIT, "the first answer is not whole")
    for _ in range(len(programs) + 1):
        bench.stop(bench.processes[-1])
    return took


def ok(answer):
    return answer if answer and answer[0] == 200 else None


BENCHES = {"rest": lists, "busy": busy, "start": start}
