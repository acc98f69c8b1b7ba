#!/usr/bin/python3
"""How long a refusal takes, by how wrong the token is: the times must not tell which part of a guess was right.

usage: bench/forged_tokens.py URL TOKEN-OF-ROLE-PUBLISH [N]

Sends N refused POSTs of each kind in turn, over one connection, and prints medians and their ratio to the first. What differs by less than the spread tells nothing.
"""

import http.client
import random
import statistics
import string
import sys
import time
import urllib.parse

ALPHABET = string.ascii_letters + string.digits


def other(letter):
    return "A" if letter != "A" else "B"


def forgeries(good):
    return {
        "all wrong": lambda: "".join(random.choice(ALPHABET) for _ in good),
        "first wrong": lambda: other(good[0]) + good[1:],
        "half right": lambda: good[: len(good) // 2] + "".join(random.choice(ALPHABET) for _ in good[len(good) // 2 :]),
        "last wrong": lambda: good[:-1] + other(good[-1]),
    }


def main(url, good, n=2000):
    where = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname, where.port or 80)
    kinds = forgeries(good)
    times = {kind: [] for kind in kinds}
    for _ in range(int(n)):
        for kind, forge in kinds.items():
            headers = {"Authorization": f"Bearer {forge()}", "Content-Type": "application/json"}
            begin = time.perf_counter()
            connection.request("POST", where.path.rstrip("/") + "/v1/ticks", b"{}", headers)
            answer = connection.getresponse()
            answer.read()
            times[kind].append((time.perf_counter() - begin) * 1e6)
            assert answer.status == 401, answer.status
    first = statistics.median(times["all wrong"])
    for kind, took in times.items():
        low, _, high = statistics.quantiles(took, n=4)
        print(f"{kind:12} median {statistics.median(took):7.1f} us  quartiles {low:7.1f} {high:7.1f}  ratio {statistics.median(took) / first:.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
