#!/usr/bin/python3
"""Hours of everything at once: ./dev soak [MINUTES], 10 without.

300 events a second, 300 streams that come back whenever they end, some that read nothing for a while, waits and lists without pause, retention at its
limit all the time; every half a minute a worker is told to stop, and now and then one is killed. In the end every stream must have got every
event of its symbol once and in order, and what ran through (the subscriber, the web server, a worker that was left alone) may hold neither more
memory nor more descriptors than after the first quarter.
"""

import argparse
import os
import pathlib
import signal
import statistics
import sys
import time

from harness import Bench, BenchError, Load, check, raise_limits, rss_of, say, until
from servers import Redis, Tickgate

RATE, SYMBOLS, STREAMS = 300, 100, 300
SLACK = 4 << 20  # bytes of memory that come and go


class Soak:
    def __init__(self, bench, minutes):
        self.bench, self.seconds = bench, int(minutes * 60)
        self.redis = Redis(bench)
        self.tickgate = Tickgate(bench, self.redis, bench.subdir("state"), "retention.events=15000", "live.max_age=2m", "live.ring=2MiB",
                                 "gateway.cache=2MiB")
        self.left_alone = self.tickgate.workers[0]
        self.samples, self.stops, self.kills, self.rounds = [], 0, 0, 0

    def load(self, command, path, *more):
        return Load(self.bench, command, "--connect", self.tickgate.address, "--path", path, *more)

    def watched(self):
        return {"subscriber": self.tickgate.subscriber, "lighttpd": self.tickgate.pids("lighttpd")[0], "worker": self.left_alone}

    def sample(self):
        def descriptors(pid):
            return len(os.listdir(f"/proc/{pid}/fd"))

        # What workers have mapped of the log is the kernel's memory, however much of it they have looked at; the subscriber maps nothing of it.
        fields = {"worker": ("RssAnon", "RssShmem")}
        sample = {name: (sum(rss_of(pid, f) for f in fields.get(name, ("VmRSS",))), descriptors(pid)) for name, pid in self.watched().items()}
        # Streams gather where nobody is stopped, so what counts is what the workers have open besides them.
        streams = self.tickgate.json("/v1/health")["streams"]
        besides = sum(descriptors(pid) for pid in self.tickgate.workers) - streams["clients"] - streams["waiters"]
        self.samples.append(sample | {"worker": (sample["worker"][0], besides)})

    def harm(self, n):
        """Stops a worker, every fifth time by force; never the one that is watched."""
        victim = next(pid for pid in self.tickgate.workers if pid != self.left_alone)
        os.kill(victim, signal.SIGKILL if n % 5 == 4 else signal.SIGTERM)
        self.kills += n % 5 == 4
        self.stops += n % 5 != 4
        until(lambda: len(self.tickgate.workers) == 2 and victim not in self.tickgate.workers, "the worker is replaced")

    def short_loads(self):
        """What comes, does its work and goes, again and again. Its answers are checked by itself; a killed worker's are nobody's fault."""
        waits = self.load("wait", "/v1/symbols/{symbol}/poll?wait=20", "--n", 50, "--symbols", SYMBOLS)
        slow = self.load("follow", "/v1/stream?after=oldest", "--n", 5, "--symbols", 1, "--slow", 5, "--slow-ms", 8000, "--seconds", 10)
        lists = self.load("get", "/v1/symbols/{symbol}/events?limit=50", "--n", 4, "--symbols", SYMBOLS, "--seconds", 5)
        try:
            for load in (lists, slow, waits):
                load.wait_ready()
                load.result()
        except BenchError:
            check(self.kills > 0, "a request failed though no worker was killed")
        self.bench.stop(waits, slow, lists)
        self.rounds += 1

    def run(self):
        events = RATE * self.seconds
        followers = self.load("follow", "/v1/stream?symbols={symbol}", "--n", STREAMS, "--symbols", SYMBOLS, "--reconnect", "--events",
                              events // SYMBOLS, "--first-mark", 1).wait_ready()
        publisher = Load(self.bench, "publish", "--redis", self.redis.url, "--symbols", SYMBOLS, "--rate", RATE, "--count", events,
                         "--mixed").wait_ready()
        began, harmed = time.monotonic(), 0
        while (passed := time.monotonic() - began) < self.seconds - 15:
            self.short_loads()
            self.sample()
            if passed > 30 * (harmed + 1):
                self.harm(harmed)
                harmed += 1
        check(publisher.result(self.seconds + 60)["unconfirmed"] == 0, "not everything was published")
        self.judge(followers.result(120), events)

    def judge(self, got, events):
        say(f"{self.rounds} rounds, {self.stops} workers stopped, {self.kills} killed; {got['reconnects']} came back; latency {got['latency']}")
        check((got["complete"], got["missing"], got["repeated"], got["disordered"]) == (STREAMS, 0, 0, 0) and
              got["deliveries"] == STREAMS * (events // SYMBOLS), f"streams are not whole: {got}")
        # lighttpd says 500 for a request that a killed worker had in hand.
        check(got["bad_status"] == 0 or self.kills > 0, f"{got['bad_status']} answers were no 200")
        quarter = max(1, len(self.samples) // 4)
        for name in self.watched():
            early, late = (statistics.median(s[name][0] for s in part) for part in (self.samples[quarter:2 * quarter + 1], self.samples[-quarter:]))
            fds = [statistics.median(s[name][1] for s in part) for part in (self.samples[quarter:2 * quarter + 1], self.samples[-quarter:])]
            say(f"{name}: {early / 1e6:.1f} MB, then {late / 1e6:.1f} MB; {fds[0]:.0f} descriptors, then {fds[1]:.0f}")
            check(late <= early * 1.1 + SLACK, f"{name} grows from {early} to {late} bytes")
            check(fds[1] <= fds[0] + 20, f"{name} has {fds[1]} descriptors, had {fds[0]}")


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev soak", allow_abbrev=False, description="Runs everything at once for a long time.")
    parser.add_argument("minutes", nargs="?", type=float, default=10, help="how long (10)")
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # only the options
    options = parser.parse_args(argv)
    if not 2 <= options.minutes <= 100000:
        parser.error("minutes: 2 or more; below, nothing can be said of what grows")
    if options.check:
        return 0
    raise_limits()
    with Bench("soak", pathlib.Path(options.build).resolve(), quick=False) as bench:
        try:
            Soak(bench, options.minutes).run()
        except (BenchError, OSError) as e:
            say(f"soak: failed: {e}")
            return 1
    say("soak: everything is as it should be")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
