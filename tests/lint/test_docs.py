"""Documents name what is there."""

import re

import pytest

from conftest import ROOT, tracked

TOUR = ROOT / "docs/tour.md"
LINKED = [p for p in tracked("*.md", "docs/*.md") if p.suffix == ".md"]


def test_every_file_the_tour_names_exists():
    names = set(re.findall(r"`((?:src|sql|www|tests|tools|docs|etc|dev)(?:/[\w.\-/]+)?)`", TOUR.read_text()))
    assert len(names) > 30
    missing = sorted(n for n in names if not (ROOT / n).exists())
    assert not missing


def test_the_tour_visits_every_source_file():
    text = TOUR.read_text()
    files = [str(p.relative_to(ROOT)) for p in tracked("src/*.c", "src/**/*.c", "sql/*.sql")]
    left_out = [f for f in files if f"`{f}`" not in text]
    assert not left_out


@pytest.mark.parametrize("path", LINKED, ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (path.parent / target).exists(), target


def test_readme_names_the_first_commands():
    text = (ROOT / "README.md").read_text()
    assert text.index("./dev run") < text.index("./dev test")


def test_every_program_has_a_manual_page():
    makefile = (ROOT / "Makefile.am").read_text()
    programs = set(re.findall(r"^(?:bin|fcgi|sbin)_PROGRAMS \+?= *(.+)$", makefile, re.M))
    names = {name.strip() for line in programs for name in line.split()}
    pages = {p.name.rsplit(".", 1)[0] for p in tracked("docs/man/*")}
    assert names, "no program found in Makefile.am"
    for name in names:
        assert {name, name.replace(".fcgi", "")} & pages, f"docs/man/{name}.8 is missing"
