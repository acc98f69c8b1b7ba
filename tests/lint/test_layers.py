"""Includes point one way: base <- conf <- event, redis <- feed, publish, store, http, live <- api <- the mains; live reads store."""

import re

import pytest

from conftest import ROOT, tracked

# What a room may include besides itself.
MAY = {
    "base": set(),
    "conf": {"base"},
    "event": {"base", "conf"},
    "redis": {"base", "conf"},
    "feed": {"base", "conf", "event", "redis"},
    "publish": {"base", "conf", "event", "redis"},
    "store": {"base", "conf", "event"},
    "http": {"base", "conf", "event"},
    "live": {"base", "conf", "event", "store"},
    "api": {"base", "conf", "event", "publish", "store", "http", "live"},
}
# The simulator is a producer: of ours it needs the ground floor and the way to Redis, and nothing that decodes or keeps.
SIM = {"base", "conf", "redis", "sim"}

# Which libraries' headers are allowed where (folders or files).
LIBRARIES = {
    r"hiredis": ("src/redis/", "src/feed/", "src/publish/", "src/sim/"),
    r"sqlite3\.h": ("src/store/",),
    r"(fcgiapp|fastcgi|fcgi_config|fcgios|fcgi_stdio)\.h": ("src/http/", "src/live/record.c"),
    r"jansson\.h": ("src/store/state.c", "src/sim/record.c", "tests/"),  # small files of ours; messages have event/json.c
    r"ini\.h": ("src/conf/",),
    r"nettle/": ("src/api/tokens.c", "tests/"),
}

FILES = tracked("src/*.c", "src/*.h", "src/**/*.c", "src/**/*.h")


def includes(path):
    return re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', path.read_text(), re.M)


def test_there_is_something_to_look_at():
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_includes_point_one_way(path):
    name = str(path.relative_to(ROOT / "src"))
    room = name.split("/")[0] if "/" in name else None
    for header in includes(path):
        target = header.split("/")[0]
        if "/" not in header or target not in {*MAY, "sim"}:
            continue
        if room is None:
            assert target != "sim", f"{name} includes {header}"
        elif room == "sim":
            assert target in SIM, f"{name} includes {header}"
        else:
            assert target == room or target in MAY[room], f"{name} includes {header}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_libraries_stay_in_their_rooms(path):
    name = str(path.relative_to(ROOT))
    for header in includes(path):
        for library, places in LIBRARIES.items():
            if re.search(library, header):
                assert name.startswith(places), f"{name} includes <{header}>, which belongs to {', '.join(places)}"


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".h"], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_header_says_what_it_is(path):
    text = path.read_text()
    assert text.startswith(("/*\n * ", "/* ")), "a header opens with what the thing is"
    assert re.search(r"^#ifndef [A-Z_]+_H$", text, re.M)
