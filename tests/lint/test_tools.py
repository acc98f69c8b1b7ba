"""What other tools say: shellcheck, cppcheck, mandoc, Python's and Node's own parsers."""

import ast
import os
import pathlib
import re
import subprocess
import sys

import pytest

from conftest import ROOT, run, tool, tracked


def shell_scripts():
    for path in tracked():
        if path.suffix == ".sh" or (path.suffix == "" and path.read_bytes()[:20].startswith((b"#!/bin/sh", b"#!/bin/bash"))):
            yield path


def test_shellcheck():
    scripts = list(shell_scripts())
    assert len(scripts) >= 3
    run("shellcheck", *scripts)


def test_cppcheck():
    build = os.environ.get("BUILDDIR", str(ROOT / "build"))
    run(
        "cppcheck", "--std=c11", "--language=c", "--enable=warning,performance,portability", "--error-exitcode=1", "--quiet",
        "--inline-suppr", "--suppressions-list=tests/lint/cppcheck.suppressions", "-j2", "-D__cppcheck__", "-D_GNU_SOURCE",
        '-DTICKGATE_SYSCONFDIR="/etc/tickgate"', "-Isrc", f"-I{build}/src", f"-I{build}", "src",
    )


@pytest.mark.parametrize("path", tracked("docs/man/*"), ids=lambda p: p.name)
def test_mandoc(path):
    assert run("mandoc", "-Tlint", "-Wwarning", path) == ""


@pytest.mark.parametrize("path", tracked("*.py", "**/*.py"), ids=lambda p: str(p.relative_to(ROOT)))
def test_python_parses(path):
    ast.parse(path.read_text(), feature_version=(3, 11))


def test_the_page_holds_to_its_own_policy():
    """The sample configuration allows the page nothing inline and nothing from elsewhere."""
    html = (ROOT / "www/index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|\bstyle=|<style", html)
    for target in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert not target.startswith(("/", "http")), f"{target}: relative, or a mount point breaks it"
    assert "innerHTML =" not in (ROOT / "www/app.js").read_text()


def test_ports_are_handed_out_once():
    """Two processes at a time, more ports than a block has, none of the range from which connections go out."""
    code = "import ports; print(*(ports.free_port() for _ in range(90)), flush=True); input()"
    low = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii").split()[0])
    pair = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT / "tools", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in "12"]
    given = [int(port) for p in pair for port in p.stdout.readline().split()]
    for p in pair:
        p.communicate("\n", timeout=30)
    assert len(set(given)) == 180
    assert all(11000 <= port < low for port in given) or low < 12000
