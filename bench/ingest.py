"""How fast events go into the log: sustained, as the log grows, and all at once."""

import bisect
import json
import subprocess
import time

from harness import BenchError, Load, check, cpu_of, rss_of, say, until
from servers import PythonSubscriber, Redis, Tickgate

MIB = 1 << 20
WINDOW = 40000  # events that a publisher may be ahead of what is stored: less than what makes Redis cut anybody off


class Recording:
    """A recording, and how many events its messages make: some are batches."""

    def __init__(self, path):
        self.path, self.after = path, [0]
        with open(path) as f:
            for line in f:
                message = json.loads(json.loads(line)["message"])
                batches = [message[k] for k in ("patterns", "indicators") if isinstance(message.get(k), list)]
                self.after.append(self.after[-1] + (len(batches[0]) if batches else 1))

    def messages(self, events):
        """How many messages it took to make so many events, when they go round and round."""
        rounds, rest = divmod(events, self.after[-1])
        return rounds * (len(self.after) - 1) + bisect.bisect_right(self.after, rest) - 1


def recording(bench, messages=200000):
    """4,000 symbols, all kinds, documented and wire forms mixed."""
    path = bench.dir / "recording.ndjson"
    subprocess.run([bench.build / "tickgate-sim", "--record", path, "--count", str(messages), "--symbols", "4000", "--form", "mixed",
                    "--rate", "0", "--quiet"], check=True, timeout=120)
    return Recording(path)


def feed(bench, redis, stored, messages, *what, record=None, seconds=600):
    """Publishes a recording or marked events, never far ahead of what is stored; returns the trace of (time, stored)."""
    what = ("--replay", record.path) if record else what
    publisher = Load(bench, "publish", "--redis", redis.url, *what, "--count", messages, "--window", 8192, "--allowances")
    publisher.wait_ready()
    trace, deadline = [], time.monotonic() + seconds
    start = stored.count()
    while True:
        n = stored.count() - start
        now = time.monotonic()
        if not trace or n != trace[-1][1]:
            trace.append((now, n))
        publisher.allow((record.messages(n) if record else n) + WINDOW)
        # An event or more of each message: when all are sent and nothing comes for a second, that was all.
        if n >= messages and now - trace[-1][0] > 1:
            break
        if now > deadline:
            raise BenchError(f"only {n} of {messages} were stored within {seconds} s")
        time.sleep(0.004)
    figures = publisher.result()
    bench.stop(publisher)
    check(figures["published"] >= messages and figures["unconfirmed"] == 0, f"the publisher failed: {figures}")
    return trace


def rate(trace, from_n, to_n=None):
    """Events a second between two counts."""
    to_n = trace[-1][1] if to_n is None else to_n
    t0, n0 = next((t, n) for t, n in trace if n >= from_n)
    t1, n1 = next((t, n) for t, n in trace if n >= to_n)
    return (n1 - n0) / (t1 - t0)


def ours_clean(tickgate):
    """Nothing lost, nothing refused but what the recording has of it; returns the accepted."""
    channels = tickgate.json("/v1/channels")
    check(channels["dropped"] == 0, f"{channels['dropped']} dropped")
    for c in channels["data"]:
        check(c["received"] == c["accepted"] + c["duplicates"] + sum(c["rejected"].values()), f"the sums of {c['channel']} are wrong")
    # From the second round on the log begins with a stop of its own, while the reference was measured: that gap is meant.
    gaps = [g for g in tickgate.json("/v1/gaps")["data"] if g["reason"] != "subscriber_down"]
    check(not gaps, f"there is a gap: {gaps[:1]}")
    return sum(c["messages"] for c in channels["data"])


def sustained(bench):
    """4,000 symbols, mixed kinds, retention working at its cap, which is the default of 1,000,000 events."""
    cap = bench.scaled(1000000, 50000)
    ours_n, theirs_n = bench.scaled(800000, 150000), bench.scaled(250000, 80000)
    speed = bench.figure("events stored", "1/s", at_least=3.5, reference="Python subscriber")
    cost = bench.figure("CPU of the subscriber", "us/event", reference="Python subscriber")
    record = recording(bench)
    redis = Redis(bench)
    state, path = bench.subdir("state"), bench.dir / "python.db"
    filled = False
    for _ in range(bench.rounds):
        tickgate = Tickgate(bench, redis, state, f"retention.events={cap}")
        stored = tickgate.stored()
        if not filled:
            feed(bench, redis, stored, int(cap * 1.05), record=record)
        ours, ours_cpu = measure(bench, redis, stored, tickgate.subscriber, ours_n, record)
        ours_clean(tickgate)
        downs = sum(g["reason"] == "subscriber_down" for g in tickgate.json("/v1/gaps")["data"])
        check(downs <= len(speed.values), f"the subscriber was down {downs} times")
        bench.stop(tickgate)
        python = PythonSubscriber(bench, redis, cap, path)
        stored = python.stored()
        until(lambda: redis_subscribers(redis) == 1, "the Python subscriber listens")
        if not filled:
            feed(bench, redis, stored, int(cap * 1.05), record=record)
        theirs, theirs_cpu = measure(bench, redis, stored, python.pid, theirs_n, record)
        bench.stop(python)
        filled = True
        speed.add(ours, theirs)
        cost.add(ours_cpu, theirs_cpu)
        say(f"ingest: {ours:,.0f} against {theirs:,.0f} events a second")


def measure(bench, redis, stored, pid, messages, record):
    """Events a second and CPU microseconds an event, while so many messages come."""
    before = cpu_of(pid)
    trace = feed(bench, redis, stored, messages, record=record)
    events = trace[-1][1]
    # Not from the very first: the flow has to get going.
    return rate(trace, events * 0.1), (cpu_of(pid) - before) / events * 1e6


def redis_subscribers(redis):
    done = subprocess.run(["redis-cli", "-p", str(redis.port), "PUBSUB", "NUMSUB", "tickstock:indicators:streaming"],
                          capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1])


def growth(bench):
    """The rate at 5,000,000 rows against that at 100,000."""
    small, large = bench.scaled(100000, 100000), bench.scaled(5000000, 600000)
    span = bench.scaled(100000, 50000)
    f = bench.figure(f"rate at {large:,} rows against {small:,}", "1/s", at_least=0.9, reference="itself, small")
    record = recording(bench)
    redis = Redis(bench)
    for _ in range(min(bench.rounds, 2)):
        tickgate = Tickgate(bench, redis, bench.subdir("state"), "retention.events=0", "retention.bytes=0", "retention.age=0")
        trace = feed(bench, redis, tickgate.stored(), int(large + 2 * span), record=record, seconds=1200)
        f.add(rate(trace, large - span, large + span), rate(trace, small - span / 2, small + span * 1.5))
        bench.stop(tickgate)


def burst(bench):
    """1,000,000 messages flat out, Redis' default output limits."""
    messages = bench.scaled(1000000, 200000)
    lost = bench.figure("lost of a flood", "messages", at_most=0)
    memory = bench.figure("RSS of the subscriber at most, above its queue's limit", "MiB", at_most=96)
    queue = 256  # MiB: the default
    flood = bench.figure("the flood's rate", "1/s")
    record = recording(bench)
    redis = Redis(bench)
    for _ in range(bench.rounds):
        tickgate = Tickgate(bench, redis, bench.subdir("state"))
        stored, pid = tickgate.stored(), tickgate.subscriber
        publisher = Load(bench, "publish", "--redis", redis.url, "--replay", record.path, "--count", messages, "--window", 20000)
        publisher.wait_ready()
        figures = publisher.result()
        last, since = 0, time.monotonic()
        while time.monotonic() - since < 1.5:
            n = stored.count()
            if n != last:
                last, since = n, time.monotonic()
            time.sleep(0.02)
        until(lambda: tickgate.json("/v1/health")["subscriber"]["queue_bytes"] == 0, "the queue is empty")
        if tickgate.json("/v1/gaps")["data"]:
            lost.add(max(1, figures["published"] - sum(c["messages"] for c in tickgate.json("/v1/channels")["data"])))
        else:
            lost.add(figures["published"] - ours_clean(tickgate))
        memory.add(rss_of(pid, "VmHWM") / MIB - queue)
        flood.add(figures["rate"])
        bench.stop(publisher, tickgate)


BENCHES = {"ingest": sustained, "growth": growth, "burst": burst}
