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


def members(schema, parts):
    """Names of all members, but for those of whole events, which the manual shows once."""
    for name, inner in schema.get("properties", {}).items():
        yield name
        yield from members(inner, parts)
    yield from members(schema["items"], parts) if "items" in schema and "$ref" not in schema["items"] else ()


def test_every_member_of_single_answers(contract):
    schemas = contract["components"]["schemas"]
    for name in ("Symbols", "SymbolRow", "SymbolNewest", "SymbolAnswer", "Snapshot", "Summary", "Channels", "Rejects"):
        found = list(members(schemas[name], schemas))
        assert found, name
        for member in found:
            assert f'"{member}"' in MANUAL.read_text(), f"{name}: {member}"


def test_what_parameters_do(contract):
    """What the table says of each stands in the manual, word for word; macros and line breaks do not count."""
    def words(text):
        return re.sub(r"\W+", " ", re.sub(r"^\.(Ql|Cm|Pa|Li|Ic) ", "", text, flags=re.M)).lower()
    manual = words(MANUAL.read_text())
    for p in contract["components"]["parameters"].values():
        assert p["in"] != "query" or words(p["description"]) in manual, p["description"]
