"""Streams and long-polls: latency, fan-out, what idle ones cost, memory, and coming back."""

import time

from harness import Load, check, rss_of, say, until
from servers import Nchan, Redis, SocketIo, Tickgate

KIB, MIB = 1 << 10, 1 << 20
STREAM = "/v1/symbols/{symbol}/stream?kinds=indicator"
POLL = "/v1/symbols/{symbol}/poll?kinds=indicator&wait=55"
SETTLE = 2.0  # seconds after everything is connected before anything is measured


def follow(bench, server, n, symbols, events, path=STREAM, *more):
    load = Load(bench, "follow", "--connect", server.address, "--path", path, "--n", n, "--symbols", symbols, "--events", events, *more)
    return load.wait_ready()


def publish(bench, redis, symbols, count, rate, *more):
    return Load(bench, "publish", "--redis", redis.url, "--symbols", symbols, "--count", count, "--rate", rate, *more).wait_ready()


def whole(figures, streams, events):
    """Every stream got every event, once and in order."""
    check(figures["complete"] == streams and figures["deliveries"] == streams * events and figures["refused"] == 0 and
          figures["missing"] == figures["repeated"] == figures["disordered"] == 0, f"streams are not whole: {figures}")
    return figures


def latency(bench):
    """Publish to SSE client at 1,000 events/s, 100 streams on 100 symbols, beside a bare Redis subscriber."""
    seconds = bench.scaled(10, 3)
    p50 = bench.figure("publish to SSE client: p50", "ms", at_most=2)
    p99 = bench.figure("publish to SSE client: p99", "ms", at_most=10)
    bare = bench.figure("publish to SSE client: p50", "ms", at_most=5, reference="bare Redis subscriber")
    redis = Redis(bench)
    tickgate = Tickgate(bench, redis, bench.subdir("state"))
    for _ in range(bench.rounds):
        subscriber = Load(bench, "subscribe", "--redis", redis.url).wait_ready()
        streams = follow(bench, tickgate, 100, 100, seconds * 10)
        publisher = publish(bench, redis, 100, seconds * 1000, 1000)
        check(publisher.result()["unconfirmed"] == 0, "not all was published")
        ours = whole(streams.result(), 100, seconds * 10)["latency"]
        theirs = subscriber.stop_and_result()["latency"]
        bench.stop(subscriber, streams, publisher)
        p50.add(ours["p50_us"] / 1000)
        p99.add(ours["p99_us"] / 1000)
        bare.add(ours["p50_us"] / 1000, theirs["p50_us"] / 1000)


def fan_out_once(bench, server, path, streams, events, publisher_of, *more):
    """(deliveries a second, deliveries a CPU second of all servers) when events come as fast as they are taken."""
    load = follow(bench, server, streams, 1, events, path, *more)
    time.sleep(SETTLE)
    before = server.server_cpu()
    publisher = publisher_of()
    sent = publisher.result()
    got = whole(load.result(), streams, events)
    time.sleep(0.1)
    cpu = server.server_cpu() - before
    bench.stop(load, publisher)
    return got["deliveries"] * 1e6 / (got["last_us"] - sent["start_us"]), got["deliveries"] / cpu


def fan_out(bench):
    """1,000 SSE clients on one symbol."""
    streams, events, few = 1000, bench.scaled(3000, 300), bench.scaled(200, 20)
    flood = bench.figure("deliveries, flat out", "1/s", at_least=1.5, reference="nchan")
    per_cpu = bench.figure("deliveries a CPU second of all server processes, flat out", "1/s", at_least=1, reference="nchan")
    paced = bench.figure("deliveries a CPU second of all server processes, at 200 events/s", "1/s", at_least=1, reference="nchan")
    flask = bench.figure("deliveries, flat out", "1/s", at_least=15, reference="Flask-SocketIO")
    redis = Redis(bench)
    tickgate = Tickgate(bench, redis, bench.subdir("state"))
    nchan, rooms = Nchan(bench), SocketIo(bench, redis)
    # Redis is among our servers: without it nothing would come. nchan is given the events as they are.
    tickgate.server_cpu = lambda own=tickgate.server_cpu: own() + redis.cpu()

    def to_redis(count, rate=0):
        return lambda: publish(bench, redis, 1, count, rate)

    def to_nchan(count, rate=0):
        return lambda: Load(bench, "publish", "--connect", nchan.address, "--path", "/pub/{symbol}", "--symbols", 1, "--count", count,
                            "--rate", rate, "--window", 64).wait_ready()

    slow = int(200 * bench.scaled(5, 1))
    for _ in range(bench.rounds):
        ours = fan_out_once(bench, tickgate, STREAM, streams, events, to_redis(events))
        theirs = fan_out_once(bench, nchan, "/sse/{symbol}", streams, events, to_nchan(events))
        calm = fan_out_once(bench, tickgate, STREAM, streams, slow, to_redis(slow, 200))
        calm_theirs = fan_out_once(bench, nchan, "/sse/{symbol}", streams, slow, to_nchan(slow, 200))
        python = fan_out_once(bench, rooms, "/socket.io/?EIO=4&transport=websocket", streams, few, to_redis(few), "--framing", "socketio")
        flood.add(ours[0], theirs[0])
        per_cpu.add(ours[1], theirs[1])
        paced.add(calm[1], calm_theirs[1])
        flask.add(ours[0], python[0])
        say(f"fanout: {ours[0]:,.0f} a second, nchan {theirs[0]:,.0f}, Flask-SocketIO {python[0]:,.0f}; "
            f"a CPU second {ours[1]:,.0f} and {theirs[1]:,.0f}, paced {calm[1]:,.0f} and {calm_theirs[1]:,.0f}")


def selective(bench):
    """1,000 streams that match, 1,000 events/s, then 7,000 more on symbols without events."""
    matching, idle, rate, seconds = 1000, 7000, 1000, bench.scaled(10, 3)
    f = bench.figure("CPU of all servers per event with 7,000 idle streams", "us", at_most=1.2, reference="without")
    redis = Redis(bench)
    # heartbeats: the longest there is; none falls due in the seconds measured, as positions say below
    tickgate = Tickgate(bench, redis, bench.subdir("state"), "live.heartbeat=55s", "live.max_age=1d")
    events = rate * seconds

    def measure():
        load = follow(bench, tickgate, matching, matching, events // matching)
        time.sleep(SETTLE)
        before = tickgate.server_cpu()
        publisher = publish(bench, redis, matching, events, rate)
        publisher.result()
        whole(load.result(), matching, events // matching)
        cpu = tickgate.server_cpu() - before
        bench.stop(load, publisher)
        return cpu / events * 1e6

    for _ in range(bench.rounds):
        without = measure()
        crowd = Load(bench, "follow", "--connect", tickgate.address, "--path", STREAM, "--n", idle, "--symbols", idle, "--first-symbol",
                     2000, "--events", 1).wait_ready()
        with_them = measure()
        figures = crowd.stop_and_result()
        check(figures["opened"] == idle and figures["deliveries"] == 0 and figures["controls"]["heartbeat"] == 0, f"not idle: {figures}")
        bench.stop(crowd)
        until(lambda: tickgate.json("/v1/health")["streams"]["clients"] == 0, "the idle streams are gone")
        f.add(with_them, without)


def memory(bench):
    """What each further idle one-symbol stream adds to the workers' RSS when a thousand are there (the slope), and RSS of processes that do nothing."""
    n = bench.scaled(8000, 2000)
    each = bench.figure("RSS of the workers per idle stream", "KiB", at_most=1)
    subscriber = bench.figure("RSS of the idle subscriber", "MiB", at_most=12)
    worker = bench.figure("RSS of an idle worker", "MiB", at_most=12)
    redis = Redis(bench)
    for _ in range(bench.rounds):
        tickgate = Tickgate(bench, redis, bench.subdir("state"), "live.heartbeat=55s")
        time.sleep(SETTLE)
        subscriber.add(rss_of(tickgate.subscriber) / MIB)
        worker.add(max(rss_of(p) for p in tickgate.workers) / MIB)
        # What the first thousand make everything allocate (the arenas of eight threads, as many requests under way as ever are) is
        # no stream's cost: with 64 the figure moved by a third between rounds.
        few = Load(bench, "follow", "--connect", tickgate.address, "--path", STREAM, "--n", 1000, "--symbols", 1000).wait_ready()
        time.sleep(SETTLE)
        before = sum(rss_of(p) for p in tickgate.workers)
        crowd = Load(bench, "follow", "--connect", tickgate.address, "--path", STREAM, "--n", n, "--symbols", n, "--first-symbol",
                     2000).wait_ready()
        time.sleep(SETTLE)
        after = sum(rss_of(p) for p in tickgate.workers)
        check(crowd.stop_and_result()["opened"] == n, "not all streams were opened")
        few.stop_and_result()
        each.add((after - before) / n / KIB)
        bench.stop(few, crowd, tickgate)


def long_poll(bench):
    """5,000 waiting, one event."""
    n = bench.scaled(5000, 1000)
    f = bench.figure("5,000 long-polls answered by one event, all of them", "ms", at_most=1, must="<= nchan", reference="nchan")
    redis = Redis(bench)
    tickgate, nchan = Tickgate(bench, redis, bench.subdir("state")), Nchan(bench)

    def measure(server, path, waiting, publisher_of):
        load = Load(bench, "wait", "--connect", server.address, "--path", path, "--n", n, "--symbols", 1).wait_ready()
        until(lambda: waiting() >= n, "all of them wait", 30)
        time.sleep(0.5)
        publisher = publisher_of()
        sent = publisher.result()
        got = load.result()
        check(got["answered"] == n and got["early"] == 0, f"not all were answered: {got}")
        bench.stop(load, publisher)
        return (got["last_us"] - sent["start_us"]) / 1000

    for _ in range(bench.rounds):
        ours = measure(tickgate, POLL, lambda: tickgate.json("/v1/health")["streams"]["waiters"], lambda: publish(bench, redis, 1, 1, 0))
        theirs = measure(nchan, "/poll/{symbol}", nchan.subscribers, lambda: Load(
            bench, "publish", "--connect", nchan.address, "--path", "/pub/{symbol}", "--count", 1, "--symbols", 1).wait_ready())
        f.add(ours, theirs)


def resume(bench):
    """1,000 clients come back 10,000 events behind, while others go on live."""
    n, behind, live, rate = bench.scaled(1000, 100), 10000, 100, 500
    took = bench.figure(f"{n} clients of one symbol, {behind:,} events behind, all caught up", "s")
    speed = bench.figure("events delivered to them", "1/s")
    p99 = bench.figure("p99 of 100 live streams of other symbols meanwhile", "ms", reference="before")
    redis = Redis(bench)
    tickgate = Tickgate(bench, redis, bench.subdir("state"))
    counter = tickgate.stored()
    publish(bench, redis, 1, 1, 0).result()  # a first event, so that there is a place to come back to
    until(lambda: counter.count() == 1, "the first event is stored")
    for r in range(bench.rounds):
        symbol = 5000 + r
        first = tickgate.json("/v1/events?limit=1")["cursor"]
        before = counter.count()
        publisher = publish(bench, redis, 1, behind, 20000, "--first-symbol", symbol)
        publisher.result()
        until(lambda: counter.count() - before >= behind, "all is stored")
        quiet = live_p99(bench, redis, tickgate, live, rate, 3)
        others = follow(bench, tickgate, live, live, 0)
        pace = publish(bench, redis, live, 1000000, rate)
        back = Load(bench, "follow", "--connect", tickgate.address, "--path", STREAM, "--n", n, "--symbols", 1, "--first-symbol", symbol,
                    "--events", behind, "--last-event-id", first, "--ramp", 256)
        got = whole(back.wait_ready().result(), n, behind)
        pace.stop_and_result()
        time.sleep(0.2)
        others_got = others.stop_and_result()
        check(others_got["missing"] == others_got["repeated"] == others_got["disordered"] == 0, f"live streams suffered: {others_got}")
        bench.stop(publisher, others, pace, back)
        seconds = (got["last_us"] - got["start_us"]) / 1e6
        took.add(seconds)
        speed.add(got["deliveries"] / seconds)
        p99.add(others_got["latency"]["p99_us"] / 1000, quiet)


def live_p99(bench, redis, tickgate, live, rate, seconds):
    load = follow(bench, tickgate, live, live, rate * seconds // live)
    publisher = publish(bench, redis, live, rate * seconds, rate)
    publisher.result()
    got = whole(load.result(), live, rate * seconds // live)
    bench.stop(load, publisher)
    return got["latency"]["p99_us"] / 1000


BENCHES = {"latency": latency, "fanout": fan_out, "selective": selective, "memory": memory, "longpoll": long_poll, "resume": resume}
