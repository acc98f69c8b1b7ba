"""Format, size, and what does not belong into the sources."""

import re

import pytest

from conftest import ROOT, run, tracked

SOURCES = tracked("*.c", "*.h", "**/*.c", "**/*.h")
PROGRAMS = tracked("src/*.c", "src/**/*.c")
FUNCTION_MAX, FILE_MAX = 100, 600


def named(paths):
    return pytest.mark.parametrize("path", paths, ids=lambda p: str(p.relative_to(ROOT)))


def test_clang_format():
    run("clang-format", "--dry-run", "-Werror", *SOURCES)


@named(PROGRAMS)
def test_sizes(path):
    lines = path.read_text().splitlines()
    assert len(lines) <= FILE_MAX, f"{len(lines)} lines: is it still one room?"
    start = None
    for n, line in enumerate(lines, 1):
        if line == "{":
            start = n
        elif line == "}" and start is not None:
            assert n - start <= FUNCTION_MAX, f"line {start}: a function of {n - start} lines"
            start = None


def without_comments(text):
    """Comments blanked out, strings kept."""
    token = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    return re.sub(token, lambda m: " " if m.group().startswith("/") else m.group(), text, flags=re.S)


SQL = re.compile(r'"\s*(SELECT\s|INSERT\s+(INTO|OR)\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|CREATE\s+(TABLE|INDEX)|BEGIN\s+IMMEDIATE)')


@named([p for p in PROGRAMS if p.name != "db.c"])
def test_sql_stands_in_sql_files(path):
    found = SQL.search(without_comments(path.read_text()))
    assert found is None, f"SQL belongs into sql/*.sql: {found.group()}"


def test_sql_is_recognised():
    assert SQL.search(without_comments('x("SELECT a FROM b");'))
    assert not SQL.search(without_comments('/* "SELECT a" */ x("no such table");'))


@named(tracked("src", "tests", "www", "sql", "tools", "dev"))
def test_nothing_is_left_open(path):
    marks = "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK"))
    found = re.search(rf"\b({marks})\b", path.read_text(errors="replace"))
    assert found is None, f"{found.group()}: do it, or say in a document that it is not done"


@named(PROGRAMS)
def test_no_typedef_for_structs_and_no_exit_below_main(path):
    text = without_comments(path.read_text())
    assert not re.search(r"\btypedef\s+struct\b", text)
    if path.parent != ROOT / "src" and path.parent.name != "sim":
        assert not re.search(r"\b(exit|abort|assert)\s*\(", text), "errors go up; the mains decide"
