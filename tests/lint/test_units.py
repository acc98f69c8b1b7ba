"""systemd's own judgement of the units that are installed."""

import re

import pytest

from conftest import ROOT, run

UNITS = ROOT / "etc/systemd"
EXPOSURE_MAX = 1.5  # of 10; "safe" ends at 2


@pytest.fixture
def units(tmp_path):
    """The units as installed, with programs that exist."""
    for path in (*UNITS.glob("*.service.in"), UNITS / "tickgate.socket"):
        text = path.read_text()
        text = re.sub(r"@(fcgidir|sbindir)@/[\w.-]+", "/bin/true", text).replace("@sysconfdir@", "/etc")
        assert "@" not in re.sub(r"@[a-z-]+(?=[ \n])", "", re.sub(r"^#.*", "", text, flags=re.M)), path
        (tmp_path / path.name.removesuffix(".in")).write_text(text)
    return tmp_path


@pytest.mark.parametrize("name", ["tickgate.service", "tickgate-subscriber.service"])
def test_the_service_is_hardened(units, name):
    said = run("systemd-analyze", "security", "--offline=yes", "--no-pager", units / name)
    exposure = float(re.search(r"Overall exposure level for \S+: ([\d.]+)", said).group(1))
    assert exposure <= EXPOSURE_MAX, said


def allowed_calls(unit):
    """The system calls that the SystemCallFilter= lines leave, in their order; sets as systemd has them."""
    sets, name = {}, None
    for line in run("systemd-analyze", "--no-pager", "syscall-filter").splitlines():
        if line.startswith("@"):
            name = line.strip()
            sets[name] = set()
        elif name and line.strip() and not line.strip().startswith("#"):
            sets[name].add(line.strip())

    def expand(word):
        return set().union(*map(expand, sets[word])) if word.startswith("@") else {word}

    calls = set()
    for line in re.findall(r"^SystemCallFilter=(.*)", unit, re.M):
        named = set().union(*map(expand, line.lstrip("~").split()))
        calls = calls - named if line.startswith("~") else calls | named
    return calls


def test_what_the_receive_thread_asks_for_is_permitted():
    unit = (UNITS / "tickgate-subscriber.service.in").read_text()
    assert {"sched_setscheduler", "setpriority", "read"} <= allowed_calls(unit)
    assert not {"mount", "ioperm", "setuid"} & allowed_calls(unit)
    assert "LimitRTPRIO=1" in unit and "LimitNICE=" in unit and "RestrictRealtime" not in unit


def test_systemd_finds_nothing_wrong(units):
    said = run("systemd-analyze", "verify", "--man=no", *units.glob("tickgate*"))
    assert not re.search(r"tickgate\S*:", said), said


def test_the_web_side_cannot_write_the_log():
    gateway, subscriber = ((UNITS / f"{name}.service.in").read_text() for name in ("tickgate", "tickgate-subscriber"))
    owner = re.search(r"^User=(.*)", subscriber, re.M).group(1)
    assert re.search(r"^User=(.*)", gateway, re.M).group(1) != owner
    assert "ReadWritePaths" not in gateway and "EnvironmentFile" not in gateway
    for line in (UNITS / "tickgate.tmpfiles").read_text().splitlines():
        if not line.startswith("#"):
            assert line.split()[2:5] == ["2750", owner, "www-data"], line
