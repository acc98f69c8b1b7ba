"""What each program says about its settings before it starts, for what only the program can judge."""

import os
import re
import subprocess

import pytest
from conftest import BUILD, ROOT

EX_OK, EX_USAGE, EX_CONFIG = 0, 64, 78


def ask(program, *arguments, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("TICKGATE_") and k != "REDIS_URL"} | environment
    return subprocess.run([BUILD / program, "-c", "/dev/null", *arguments], env=env, capture_output=True, text=True,
                          timeout=60, check=False)


@pytest.mark.parametrize("program", ["tickgate-subscriber", "tickgate.fcgi"])
def test_the_defaults_are_fine(program):
    done = ask(program, "--check-config", TICKGATE_SERVICE_HOST="10.0.0.1", TICKGATE_PORT_80_TCP="tcp://10.0.0.1:80")
    assert (done.returncode, done.stdout) == (EX_OK, f"{program}: the settings are fine\n")
    assert "variable_ignored" in done.stderr and "name=TICKGATE_SERVICE_HOST" in done.stderr


@pytest.mark.parametrize("program, setting, why", [
    ("tickgate-subscriber", "redis.url=http://localhost", "must begin with redis://"),
    ("tickgate-subscriber", "redis.url=redis://localhost:99999", "port"),
    ("tickgate-subscriber", "channels.error=tickstock:*", "overlap"),
    ("tickgate-subscriber", "channels.alert=tickstock:errors", "tickstock:errors"),
    ("tickgate-subscriber", "redis.backoff_min=1h", "backoff_max"),
    ("tickgate.fcgi", "gateway.base_path=api", "base_path"),
    ("tickgate.fcgi", "access.admin_addresses=127.0.0.1 localhost", "localhost"),
    ("tickgate.fcgi", "cors.origins=https://charts.example https://charts.example/page", "charts.example/page"),
])
def test_what_only_the_program_can_judge(program, setting, why):
    done = ask(program, "--check-config", "-o", setting)
    assert (done.returncode, done.stdout) == (EX_CONFIG, "")
    assert why in done.stderr


def test_workers_are_judged_too():
    done = ask("tickgate.fcgi", "--check-config", "--workers", "0")
    assert done.returncode == EX_USAGE
    assert "--workers must be 1 to 64" in done.stderr


@pytest.mark.parametrize("program", ["tickgate-subscriber", "tickgate.fcgi"])
def test_a_password_from_the_environment_is_taken_and_hidden(program):
    done = ask(program, "--print-config", TICKGATE_REDIS_PASSWORD="hunter2", REDIS_URL="redis://u:hunter3@h:1/2")
    assert done.returncode == EX_OK
    assert "# environment TICKGATE_REDIS_PASSWORD\npassword = (hidden)\n" in done.stdout
    assert "# environment REDIS_URL\nurl = redis://u:***@h:1/2\n" in done.stdout
    assert "hunter" not in done.stdout + done.stderr


@pytest.mark.parametrize("program", ["tickgate-subscriber", "tickgate.fcgi"])
def test_help_and_version(program):
    done = ask(program, "--help")
    assert done.returncode == EX_OK
    assert done.stdout.startswith(f"usage: {program} [options]\n")
    done = ask(program, "--version")
    assert (done.returncode, done.stdout.split()[0]) == (EX_OK, program)
    done = ask(program, "--versoin")
    assert done.returncode == EX_USAGE
    assert "did you mean" in done.stderr and "--version" in done.stderr


def manual():
    """tickgate.conf(5): what stands below each setting, as one line."""
    entries, name = {}, None
    for line in (ROOT / "docs/man/tickgate.conf.5").read_text().splitlines():
        if line.startswith(".It Ic "):
            name = line.removeprefix(".It Ic ")
            entries[name] = ""
        elif line == ".El":
            name = None
        elif name:
            words = re.sub(r"^\.(Pa|Ev|Xr|Ic|Dq|Fl|Li) ", "", line)
            entries[name] += (" " if entries[name] else "") + words
    return entries


@pytest.mark.parametrize("program", ["tickgate-subscriber", "tickgate.fcgi"])
def test_the_manual_says_of_every_setting_what_the_program_says(program):
    entries, told = manual(), ask(program, "--help").stdout
    settings = re.findall(r"^  (\w+\.\w+) =(.*)\n      (.*)\n      \((.*)\)$", told, re.M)
    assert len(settings) > 20
    for name, standard, text, allowed in settings:
        allowed = allowed.removesuffix("; taken over on SIGHUP").removesuffix("; never printed")
        want = f"{text} Allowed: {allowed}. Default: {standard.strip() or 'empty'}."
        have = entries[name]
        squeeze = lambda s: re.sub(r"\W+", " ", re.sub(r"\\&|\\e", "", s)).strip()
        assert squeeze(have) == squeeze(want), name
