"""What other tools say: shellcheck, cppcheck, mandoc, Python's and Node's own parsers."""

import ast
import os
import re

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
