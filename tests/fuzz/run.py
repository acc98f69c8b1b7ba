#!/usr/bin/python3
"""Lets libFuzzer loose on every harness in turn: ./dev fuzz [SECONDS] (each harness has its share of them; 60 each without).

What it learns stays in BUILD/corpus/NAME and is where the next run begins. An input that breaks a promise is told, with the command that feeds it again, and is to be
kept, once the fault is mended, in tests/fuzz/kept/NAME/. Exit status: 0 when nothing was found.
"""

import argparse
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HARNESSES = sorted(p.stem for p in (ROOT / "tests/fuzz").glob("*.c") if p.stem != "replay")
SECONDS_EACH = 60
INPUT_MAX = 16384  # bytes: longer ones only make it slow


def messages():
    """(channel, message) of every case of the decoder."""
    for path in sorted((ROOT / "tests/cases").glob("decode/*/input")) + sorted((ROOT / "tests/cases/messages").glob("*.ndjson")):
        for line in path.read_text(errors="surrogateescape").splitlines():
            try:
                case = json.loads(line)
                yield case["channel"].encode(), case["message"].encode(errors="surrogatepass")
            except (ValueError, KeyError, UnicodeEncodeError):
                continue


def queries():
    """Query strings of the parameters' cases."""
    for path in sorted((ROOT / "tests/cases/params").glob("*/input")):
        yield path.read_bytes().strip()


def record(kind, content):
    return struct.pack(">BBHHBx", 1, kind, 1, len(content), 0) + content


def resp(*elements):
    return b"*%d\r\n" % len(elements) + b"".join(b"$%d\r\n%s\r\n" % (len(e), e) for e in elements)


def seeds(name):
    if name == "decode":
        yield from (channel + b"\n" + message for channel, message in messages())
    elif name == "json":
        yield from (message for _, message in messages())
    elif name == "elements":
        yield from (b"application/json\n" + message for _, message in messages())
    elif name == "push":
        yield from (resp(b"message", channel, message) for channel, message in messages())
        yield from (resp(b"pmessage", b"*", channel, message) for channel, message in messages())
    elif name == "records":
        for query in queries():
            params = b"".join(bytes([len(n)]) + struct.pack(">I", len(v) | 1 << 31) + n + v
                              for n, v in ((b"REQUEST_METHOD", b"GET"), (b"QUERY_STRING", query), (b"HTTP_ACCEPT", b"*/*")))
            yield b"".join(record(*r) for r in ((1, b"\0\1\0\0\0\0\0\0"), (4, params), (4, b""), (5, b"")))
    elif name == "request":
        for path in (b"/v1/events", b"/v1/symbols/AAPL/patterns.csv"):
            for query in queries():
                yield b"\0".join((b"REQUEST_METHOD=GET", b"SCRIPT_NAME=/tickgate" + path, b"QUERY_STRING=" + query, b"HTTP_ACCEPT=*/*", b""))


def prepare(name, corpus):
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(name)):
        (corpus / f"seed-{i}").write_bytes(seed)
    for path in (ROOT / "tests/fuzz/kept" / name).iterdir():
        shutil.copy(path, corpus / f"kept-{path.name}")


def fuzz(name, build, seconds):
    """The inputs that broke a promise."""
    corpus, found = build / "corpus" / name, build / "found" / name
    prepare(name, corpus)
    found.mkdir(parents=True, exist_ok=True)
    before = set(found.iterdir())
    argv = [build / "tests/fuzz" / name, f"-max_total_time={seconds}", f"-max_len={INPUT_MAX}", "-timeout=10", "-rss_limit_mb=2048",
            f"-dict={ROOT / 'tests/fuzz/json.dict'}", f"-artifact_prefix={found}/", "-print_final_stats=1", corpus]
    with open(build / f"{name}.log", "w") as log:
        done = subprocess.run([str(a) for a in argv], stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=False)
    text = (build / f"{name}.log").read_text(errors="replace")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", text)
    covered = re.findall(r" cov: (\d+)", text)
    print(f"fuzz: {name}: {runs.group(1) if runs else '?'} inputs, {covered[-1] if covered else '?'} edges in {seconds} s", flush=True)
    new = sorted(set(found.iterdir()) - before)
    if done.returncode != 0 and not new:
        print(text[-3000:])
        raise SystemExit(f"fuzz: {name} ended with {done.returncode} and left nothing: see {build}/{name}.log")
    for path in new:
        print(f"fuzz: {name}: broken by {path}\n  again: {build / 'tests/fuzz' / name} {path}")
    return new


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz", allow_abbrev=False, description="Looks for inputs that break a promise.")
    parser.add_argument("seconds", nargs="?", type=int, help=f"for all of them together ({SECONDS_EACH} each)")
    parser.add_argument("--build", default="build-fuzz", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)  # only the options
    options = parser.parse_args()
    if options.seconds is not None and options.seconds < len(HARNESSES):
        parser.error(f"seconds: at least {len(HARNESSES)}, one for each of {' '.join(HARNESSES)}")
    if options.check:
        return 0
    each = options.seconds // len(HARNESSES) if options.seconds else SECONDS_EACH
    found = [path for name in HARNESSES for path in fuzz(name, pathlib.Path(options.build).resolve(), each)]
    print(f"fuzz: {len(found)} found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
