#!/usr/bin/python3
"""Benchmarks against references, all or by name: ./dev bench [NAME…] [--quick] [--rounds N].

Each bench measures tickgate and what it is compared with in the same run, in turns, several rounds, and judges the median of the rounds' ratios.
The table goes to stdout and with all rounds as JSON to BUILD/bench/. Exit status: 0 when every bench could be made, whether its figure
is reached or not (that is what the table says); 1 when one could not.
"""

import argparse
import json
import pathlib
import sys
import time
import traceback

import ingest
import live
import rest
from harness import ROOT, Bench, BenchError, raise_limits, say, table
from servers import versions

BENCHES = {**ingest.BENCHES, **rest.BENCHES, **live.BENCHES}


def parse(argv):
    parser = argparse.ArgumentParser(prog="./dev bench", allow_abbrev=False, description="Measures tickgate against its references.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="of benches; all without: " + " ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="small and one round: whether it works, not how fast it is")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of three")
    parser.add_argument("--build", default="build", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # only the options
    options = parser.parse_args(argv)
    unknown = [n for n in options.names if n not in BENCHES]
    if unknown:
        parser.error(f"no bench {unknown[0]}; there are: {' '.join(BENCHES)}")
    if options.rounds is not None and not 1 <= options.rounds <= 100:
        parser.error("--rounds: 1 to 100")
    return options


def run_bench(name, options):
    """Its figures, and what went wrong or None."""
    say(f"{name}: {BENCHES[name].__doc__.splitlines()[0]}")
    began = time.monotonic()
    with Bench(name, pathlib.Path(options.build).resolve(), options.quick) as bench:
        if options.rounds:
            bench.rounds = options.rounds
        try:
            BENCHES[name](bench)
            failure = None
        except (BenchError, OSError) as e:
            failure = f"{type(e).__name__}: {e}"
            traceback.print_exc()
        figures = [f for f in bench.figures if f.values]
    say(f"{name}: {time.monotonic() - began:.0f} s")
    return figures, failure


def main(argv):
    options = parse(argv)
    if options.check:
        return 0
    raise_limits()
    figures, failures = [], {}
    for name in options.names or BENCHES:
        got, failure = run_bench(name, options)
        figures += got
        if failure:
            failures[name] = failure
    about = versions()
    text = table(figures)
    out = ROOT / options.build / "bench"
    out.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    result = {"at": stamp, "quick": options.quick, "machine": about, "figures": [f.as_json() for f in figures], "failures": failures}
    head = f"{stamp}, commit {about['commit']}, {about['cores']} cores of {about['cpu']}, Linux {about['kernel']}" + \
        (" (quick: not to be quoted)" if options.quick else "")
    lines = [head, text, *(f"{name} could not be made: {why}" for name, why in failures.items()),
             "; ".join(f"{k} {v}" for k, v in about["packages"].items()), ""]
    (out / f"bench-{stamp}.json").write_text(json.dumps(result, indent=1))
    (out / f"bench-{stamp}.txt").write_text("\n".join(lines))
    print("\n".join(lines))
    say(f"written to {out}/bench-{stamp}.txt and .json")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
