"""/openapi.json behind lighttpd, and that the check of every other answer against it can fail."""

import copy
import json
import re

import pytest

from conftest import BUILD, DOCUMENTED, PATTERNS, until
from contract import Broken, contract_of

pytestmark = pytest.mark.web
FORMS = {"json": "application/json", "ndjson": "application/x-ndjson", "csv": "text/csv"}


def test_it_is_served_as_the_program_gives_it(shared_service):
    service = shared_service
    answer = service.get("/openapi.json")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "application/json"
    want = {**contract_of(BUILD / "tickgate.fcgi").document, "servers": [{"url": service.mount or "/"}]}
    assert answer.json() == want


@pytest.fixture(scope="module")
def one(shared_service, shared_redis):
    """A service with one event."""
    shared_redis.publish(PATTERNS, DOCUMENTED)
    until(lambda: shared_service.data("/v1/patterns"), "the event is there")
    return shared_service


def test_an_answer_that_is_not_as_described_is_noticed(one):
    contract = contract_of(BUILD / "tickgate.fcgi")
    answer = one.get("/v1/patterns")
    good, headers = answer.json(), dict(answer.headers)

    def check(value, status=200, url="/v1/patterns", method="GET", headers=headers):
        contract.check(method, "http://127.0.0.1" + url, status, headers, json.dumps(value))

    check(good)
    for spoil in (lambda v: v.pop("cursor"), lambda v: v.update(more=1), lambda v: v["data"][0].pop("confidence"),
                  lambda v: v["data"][0].update(kind="alert"), lambda v: v["data"][0].update(confidence="85"),
                  lambda v: v.update(stale=None), lambda v: v.update(gaps=[{"kind": "gap"}])):
        value = copy.deepcopy(good)
        spoil(value)
        with pytest.raises(Broken):
            check(value)
    chosen = {**good, "data": [{"symbol": "AAPL"}]}
    check(chosen, url="/v1/patterns?fields=symbol")
    for bad in (dict(value=chosen), dict(value=good, status=202), dict(value=good, url="/v1/other"), dict(value=good, method="DELETE"),
                dict(value=good, headers={**headers, "X-New": "1"}), dict(value=good, headers={**headers, "Content-Type": "text/plain"})):
        with pytest.raises(Broken):
            check(**bad)


def concrete(path, event):
    return path.replace("{symbol}", event["symbol"]).replace("{id}", event["id"])


def test_every_route_with_every_method_and_form(one):
    """Writes the table of statuses to routes.md in the build directory."""
    [event] = one.data("/v1/patterns")
    contract = contract_of(BUILD / "tickgate.fcgi")
    rows = ["| route | GET | HEAD | OPTIONS | POST | PUT | DELETE | json | ndjson | csv | .ndjson | .csv |", "|---" * 12 + "|"]
    for name, path in contract.document["paths"].items():
        url = concrete(name, event) + ("?symbols=AAPL" if name == "/v1/snapshot" else "")
        if "get" not in path:
            answer = one.get(url)
            assert answer.status_code == 405 and answer.headers["Allow"] == "POST, OPTIONS"
            continue
        if "text/event-stream" in str(path["get"]["responses"].get("200")) or "stream" in name or "poll" in name:
            continue  # these have tests of their own
        statuses = []
        for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
            answer = one.session.request(method, one.url + url, timeout=30)
            statuses.append(answer.status_code)
            assert answer.headers["Cache-Control"], (method, name)
            assert answer.status_code != 405 or "GET" in answer.headers["Allow"]
        assert statuses[0] == statuses[1] == 200 and statuses[2] == 204, (name, statuses)
        assert set(statuses[4:]) == {405} and (statuses[3] == 405) == ("post" not in path), (name, statuses)
        plain = next(iter(contract.answer(path["get"], "200")["content"]))
        many = "text/csv" in contract.answer(path["get"], "200").get("content", {})
        for form, accept in FORMS.items():
            answer = one.get(url, headers={"Accept": accept})
            statuses.append(answer.status_code)
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].split(";")[0] == (accept if many else plain), name
            assert ("Accept" in re.split(r"[\s,]+", answer.headers.get("Vary", ""))) == many, name
        for suffix in (".ndjson", ".csv"):
            answer = one.get(url + suffix) if "?" not in url else one.get(url.replace("?", suffix + "?"))
            statuses.append(answer.status_code)
            # What looks like a suffix on anything else is part of a symbol or an id, or of no route.
            assert answer.status_code == (200 if many else 400 if name.endswith("{id}") else 404), (name, suffix)
        rows.append(f"| {name} | " + " | ".join(map(str, statuses)) + " |")
    assert len(rows) > 20
    (BUILD / "routes.md").write_text("\n".join(rows) + "\n")
