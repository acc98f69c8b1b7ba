"""`./dev run` itself: what it promises to whoever types it."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import BUILD, ROOT, SLOW, free_port, until

RUN = [sys.executable, str(ROOT / "tools/run.py"), "--build", str(BUILD)]


def refused(*arguments, command=("./dev", "run")):
    return subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_without_arguments_it_shows_live_data(launch):
    service = launch("-o", "log.level=warning")
    lines = service.output
    curls = [line for line in lines if line.startswith("curl ")]
    assert len(curls) == 3
    until(lambda: service.data("/v1/patterns?limit=3") and service.data("/v1/indicators?limit=3"), "detections", seconds=60)
    for line in curls:
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
        assert "data" in json.loads(done.stdout) or json.loads(done.stdout)["status"] == "ok", line
    publish = until(lambda: [line for line in service.output if line.startswith("redis-cli ")], "the line for redis-cli")[0]
    assert subprocess.run(shlex.split(publish), capture_output=True, text=True, check=True).stdout.strip() == "1"
    until(lambda: any(e["confidence"] == 85.5 and e["detected_at"] == 1234567890.123
                      for e in service.data("/v1/symbols/AAPL/patterns")), "what was published by hand")
    assert service.stop(signal.SIGINT) == 0


@pytest.mark.alone
def test_a_second_start_is_ready_within_three_seconds(launch):
    for _ in range(2):
        started = time.monotonic()
        service = launch(command=["./dev", "run"])
        took = time.monotonic() - started
        assert service.stop(signal.SIGINT) == 0
    assert took < 3, f"{took:.1f} s"


def test_ctrl_c_of_a_terminal_ends_everything_in_order(launch):
    service = launch("--no-demo")
    run_dir = os.path.dirname(listening_path(service))
    os.killpg(service.process.pid, signal.SIGINT)  # as a terminal does: the whole foreground group
    assert service.stop(signal.SIGINT) == 0
    assert "starting it again" not in service.log.read_text()
    assert not os.path.exists(run_dir)


def listening_path(service):
    """The path of the FastCGI socket, as the gateway's descriptor 3 tells."""
    inode = os.readlink(f"/proc/{service.pid('tickgate.fcgi')}/fd/3").strip("socket:[]")
    with open("/proc/net/unix") as f:
        return next(line.split()[7] for line in f if line.split()[6] == inode)


def test_a_killed_supervisor_leaves_nobody_behind(launch):
    service = launch("--no-demo")
    run_dir = os.path.dirname(listening_path(service))
    service.process.kill()
    service.stop()  # waits until its session is empty
    subprocess.run(["rm", "-rf", run_dir], check=True)


def test_two_runs_side_by_side(launch):
    one, two = launch("--no-demo", ready=False), launch("--no-demo", ready=False)
    one.wait_ready(), two.wait_ready()
    epochs = {s.json("/v1/patterns")["cursor"] for s in (one, two)}
    assert len(epochs) == 2
    assert one.stop(signal.SIGINT) == two.stop(signal.SIGINT) == 0


def test_a_redis_that_is_not_there_is_waited_for_five_seconds(launch):
    port = free_port()
    started = time.monotonic()
    service = launch("--redis", f"redis://:secret-word@127.0.0.1:{port}/0", "--no-demo")
    assert time.monotonic() - started < 12 * SLOW
    assert service.json("/v1/patterns")["stale"] is True
    assert service.json("/v1/health")["redis"]["connected"] is False
    assert service.stop(signal.SIGINT) == 0
    assert "secret-word" not in service.log.read_text()


def test_a_port_in_use_is_told(launch):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        done = refused("--port", str(s.getsockname()[1]), command=RUN)
    assert done.returncode == 1 and "cannot be used" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("arguments", [["--colour"], ["--server", "iis"], ["--mount", "/x/"], ["--port", "x"], ["--port", "0"], ["--workers", "0"], ["-o", "nonsense"], ["extra"]])
def test_wrong_options_are_usage_errors(arguments):
    done = refused(*arguments)
    assert done.returncode == 2 and "usage" in done.stderr


def test_a_setting_that_the_programs_refuse_ends_the_run(launch):
    service = launch("--no-demo", "-o", "redis.colour=red", ready=False)
    assert service.process.wait(30 * SLOW) == 1
    assert "redis.colour" in service.log.read_text()


@pytest.mark.parametrize("command", [("dance",), ("fuzz", "1"), ("fuzz", "long")])
def test_commands_that_do_not_exist_are_refused(command):
    done = refused(command=("./dev", *command))
    assert done.returncode == 2 and done.stderr.strip()


def test_help_names_every_command():
    done = refused(command=("./dev", "help"))
    assert done.returncode == 0
    for word in ("run", "test", "lint", "fault", "cover", "fuzz", "bench", "soak", "package", "help"):
        assert f"\n  {word} " in done.stdout


