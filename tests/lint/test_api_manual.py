"""tickgate-api(7) leaves nothing out that /openapi.json, which is made of the tables, has."""

import json
import re

import pytest

from conftest import ROOT
from test_openapi import document

MANUAL = ROOT / "docs/man/tickgate-api.7"


@pytest.fixture(scope="module")
def contract():
    return json.loads(document())


def told(text):
    return re.search(rf"(?<![\w/.]){re.escape(text)}(?![\w/])", MANUAL.read_text())


def test_every_route(contract):
    for path, operations in contract["paths"].items():
        written = re.sub(r"\{(\w+)\}(.+)$", r" Ns Ar \1 Ns Ic \2", path)
        written = re.sub(r"\{(\w+)\}$", r" Ns Ar \1", written)
        for method in operations.keys() & {"get", "post"}:
            line = f".It {'Ic POST ' if method == 'post' else ''}Ic {written}\n{operations[method]['summary']}\n"
            assert line in MANUAL.read_text(), line


def test_every_parameter_and_header(contract):
    parts = contract["components"]
    for p in parts["parameters"].values():
        assert p["in"] == "path" or told(p["name"]), p["name"]
    for name in parts["headers"]:
        assert name.startswith("Access-Control") or name == "Accept-Post" or told(name), name


def test_every_problem(contract):
    problems = contract["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert len(problems) > 20
    for code in problems:
        assert re.search(rf"^\.It \d\d\d {code}$", MANUAL.read_text(), re.M), code
