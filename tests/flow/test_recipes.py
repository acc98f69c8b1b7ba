"""Every example of tickgate-api(7) and of README.md is run, as it is written there, against a service with something in it."""

import os
import re
import signal
import subprocess

import pytest

from conftest import DOCUMENTED, PATTERNS, ROOT, simulate, until

pytestmark = pytest.mark.web
MANUAL = (ROOT / "docs/man/tickgate-api.7").read_text()
WRITTEN_FOR = "http://127.0.0.1:8080"


def recipes():
    """(what it is for, the script) of each literal display behind EXAMPLES."""
    section = MANUAL.split(".Sh EXAMPLES", 1)[1].split(".Sh ", 1)[0]
    found = re.findall(r"^\.Pp\n((?:(?!\.Pp|\.Bd)[^\n]*\n)+)\.Bd -literal -offset indent\n(.*?)^\.Ed$", section, re.S | re.M)
    assert len(found) == section.count(".Bd ") >= 10
    return [(about.split("\n")[0], script.replace("\\e", "\\")) for about, script in found]


RECIPES = recipes()
EXPECTED = {  # what else one must see, by how the recipe's text begins
    "Poll": r"\A200\n304\n[1-9]\d*\n\Z",
    "Follow": r"next time: after=[a-z0-9]{8}-\d+\n\Z",
    "The same with lines": r'\["[a-z0-9-]+","\w+"\]\n(.*\n)*[a-z0-9]{8}-\d+\r?\n\Z',
    "All of today": r"\A[1-9]\d{2,}\n\Z",
    "The patterns of the last": r"\Aid,kind,symbol,pattern_name,.*\n.*,pattern,",
    "The newest three": r'"AAPL": 3',
    "Only what is nearly": r"T\d\d:\d\d:\d\d\.\d{3}Z\tAAPL\tdoji\t85.5\n",
    "How a symbol": r"\n0\n\Z",
    "In a script": r"\Aready\ntrue\n\Z",
    "What is wrong": r"\Alimit: must be 1 .*\ncolour: ",
}


@pytest.fixture(scope="module")
def filled(shared_service, shared_redis):
    service, redis_server = shared_service, shared_redis
    simulate(redis_server.url, "--count", 4000, "--rate", 0, "--seed", 11, "--symbols", 10)
    for _ in range(3):
        redis_server.publish(PATTERNS, DOCUMENTED)
    redis_server.publish("tickstock:alerts:indicators", '{"symbol":"AAPL","alert_type":"RSI_OVERBOUGHT","severity":"medium"}')
    until(lambda: service.received() >= 4004, "all are in")
    until(lambda: not service.json("/v1/events")["stale"], "fresh")
    return service


def test_all_recipes(filled, tmp_path):
    for about, script in RECIPES:
        place = tmp_path / re.sub(r"\W+", "-", about)[:40]
        place.mkdir()
        assert WRITTEN_FOR in script, about
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", script.replace(WRITTEN_FOR, filled.url)], cwd=place, timeout=60,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0 and done.stderr == "" and done.stdout, f"{about}\n{script}\n{done}"
        for begin, pattern in EXPECTED.items():
            if about.startswith(begin):
                assert re.search(pattern, done.stdout), f"{about}\n{script}\n{done.stdout}"
    for begin in EXPECTED:
        assert any(about.startswith(begin) for about, _ in RECIPES), begin


def test_the_examples_of_the_readme(filled, shared_redis):
    commands = re.findall(r"^curl .*$", (ROOT / "README.md").read_text(), re.M)
    assert len(commands) >= 4
    for command in commands:
        if "Bearer" in command or " -N" in command:
            continue  # these have tests of their own
        with subprocess.Popen(["bash", "-c", command.replace(WRITTEN_FOR, filled.url)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, start_new_session=True) as run:
            try:
                if "/poll" in command:  # whatever comes once it waits ends it; who waits behind plain CGI is counted nowhere
                    until(lambda run=run: shared_redis.publish(PATTERNS, DOCUMENTED) or run.poll() is not None, f"{command} is answered")
                said, _ = run.communicate(timeout=60)
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)  # bash and what it started
        assert run.returncode == 0 and said and '"status":4' not in said, f"{command}\n{said}"
