"""Holds every answer that a test receives against /openapi.json: route, status, headers, type, and the shape of the body.

The document is taken from the binary under test, run as a plain CGI program, so that it is there whatever the service does.
"""

import copy
import functools
import json
import os
import re
import subprocess
import urllib.parse

import jsonschema

OURS = re.compile(r"/(v1|livez|readyz|metrics|openapi\.json)(/|$)")
SUFFIXES = (".json", ".ndjson", ".csv")
METHODS = {"GET": "get", "HEAD": "get", "OPTIONS": "options", "POST": "post"}
# What the web server, HTTP itself or CORS adds to any answer.
ANY = {"date", "server", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive",
       "x-content-type-options", "vary", "accept-ranges", "access-control-allow-origin", "access-control-expose-headers"}
KINDS = {"pattern": "Pattern", "indicator": "Indicator", "alert": "Alert", "health": "HealthReport", "session": "Session",
         "error": "Error", "gap": "Gap"}


class Broken(AssertionError):
    """An answer that the document does not describe."""


def resolved(node, document, depth=0):
    """The schema with every $ref replaced by what it points at; ours are not recursive."""
    assert depth < 40
    if isinstance(node, list):
        return [resolved(n, document, depth + 1) for n in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return resolved(target, document, depth + 1)
    return {k: resolved(v, document, depth + 1) for k, v in node.items()}


def pattern_of(path):
    """A path of the document as a regular expression, and how much of it is fixed: the most fixed one wins."""
    escaped = re.escape(path).replace(r"\{symbol\}", "(?:.+)").replace(r"\{id\}", "(?:[^/]+)")
    return re.compile(escaped), len(re.sub(r"\{\w+\}", "", path)) + ("{" not in path)


class Contract:
    def __init__(self, document):
        self.document = document
        schemas = document["components"]["schemas"]
        self.paths = sorted(((*pattern_of(p), p) for p in document["paths"]), key=lambda row: -row[1])
        self.problem = self.validator(schemas["Problem"])
        self.events = {kind: self.validator(schemas[name]) for kind, name in KINDS.items()}
        self.events["chosen"] = self.validator({"anyOf": [schemas["Chosen"], schemas["Event"]]})
        self.seen = set()
        self.checked = 0

    def validator(self, schema):
        return jsonschema.Draft202012Validator(resolved(schema, self.document))

    @functools.lru_cache(maxsize=None)
    def of_schema(self, name):
        """Lists have their events checked apart, each by its kind: an array of alternatives is slow to validate."""
        schema = copy.deepcopy(self.document["components"]["schemas"][name])
        if name.endswith("List"):
            schema["properties"]["data"] = {"type": ["array", "object"]}
        return self.validator(schema)

    def match(self, path):
        for regex, _, name in self.paths:
            if regex.fullmatch(path):
                return name
        for suffix in SUFFIXES:
            if path.endswith(suffix):
                name = self.match_list(path.removesuffix(suffix))
                if name:
                    return name
        return None

    def match_list(self, stem):
        name = next((n for regex, _, n in self.paths if regex.fullmatch(stem)), None)
        operation = name and self.document["paths"][name]["get"]
        return name if name and "text/csv" in self.answer(operation, "200").get("content", {}) else None

    def find(self, path):
        """A suffix belongs to a list's last word, before a symbol's name could have it: as route.c does."""
        for suffix in SUFFIXES:
            if path.endswith(suffix) and (name := self.match_list(path.removesuffix(suffix))):
                return name
        return self.match(path)

    def answer(self, operation, status):
        node = operation["responses"].get(status)
        if node and "$ref" in node:
            node = self.document["components"]["responses"][node["$ref"].rsplit("/", 1)[1]]
        return node

    def check(self, method, url, status, headers, body):
        """`body` None: not to be looked at (a stream, or HEAD)."""
        parts = urllib.parse.urlsplit(url)
        path = urllib.parse.unquote(parts.path)
        kind = headers.get("Content-Type", "").split(";")[0]
        if not OURS.match(path) or kind == "text/html":  # the page's, or the web server's own
            return
        self.checked += 1
        what = f"{method} {url}: {status}"
        name = self.find(path)
        if name is None:
            self.check_problem(what, 404, status, kind, body, "route_not_found")
            return
        operation = self.document["paths"][name].get(METHODS.get(method, "none"))
        if operation is None:
            self.check_problem(what, 405, status, kind, body, "method_not_allowed")
            return
        answer = self.answer(operation, str(status))
        if answer is None:
            raise Broken(f"{what}: {name} has no such status")
        self.check_headers(what, answer, headers)
        if body is None or status in (204, 304):
            return
        if kind not in answer.get("content", {}):
            raise Broken(f"{what}: {kind!r} is not among {list(answer.get('content', {}))}")
        if kind.endswith("json") and kind != "application/x-ndjson":
            schema = answer["content"][kind]["schema"]["$ref"].rsplit("/", 1)[1]
            self.check_body(what, schema, json.loads(body), "fields" in urllib.parse.parse_qs(parts.query))

    def check_problem(self, what, wanted, status, kind, body, code):
        if status not in (wanted, 400, 413, 414, 429, 503) or kind != "application/problem+json":
            raise Broken(f"{what}: neither in the document nor a {wanted}")
        if body:
            problem = json.loads(body)
            self.raise_first(what, self.problem, problem)
            if status == wanted and problem["code"] != code:
                raise Broken(f"{what}: {problem['code']} is not {code}")

    def check_headers(self, what, answer, headers):
        known = {n.lower() for n in answer.get("headers", {})} | ANY
        unknown = [n for n in headers if n.lower() not in known]
        if unknown:
            raise Broken(f"{what}: headers that are not in the document: {unknown}")

    def check_body(self, what, schema, value, chosen):
        self.raise_first(what, self.of_schema(schema), value)
        if schema == "Problem" and value["status"] != int(what.rsplit(" ", 1)[1]):
            raise Broken(f"{what}: the problem says {value['status']}")
        if not schema.endswith("List"):
            return
        lists = value["data"].values() if isinstance(value["data"], dict) else [value["data"]]
        for event in (e for events in lists for e in events):
            name = "chosen" if chosen else event.get("kind")
            if name not in self.events or schema not in ("EventList", KINDS.get(name, schema.removesuffix("List")) + "List"):
                raise Broken(f"{what}: an event of kind {name!r} in a {schema}")
            # One of each shape, so that a test which reads ten thousand events is not about jsonschema's speed.
            seen = (name, event.get("time_source"), *((k, type(v)) for k, v in event.items()))
            if seen not in self.seen:
                self.raise_first(what, self.events[name], event)
                self.seen.add(seen)

    @staticmethod
    def raise_first(what, validator, value):
        error = next(validator.iter_errors(value), None)
        if error:
            raise Broken(f"{what}: {error.json_path}: {error.message[:500]}")

    def hook_at(self, mount):
        """For requests.Session.hooks["response"], of a service that is mounted there."""

        def hook(response, stream=False, **_):
            body = None if stream or response.request.method == "HEAD" else response.content
            url = response.url.replace(mount, "", 1) if mount else response.url
            self.check(response.request.method, url, response.status_code, response.headers, body)

        return hook


@functools.lru_cache(maxsize=None)
def contract_of(program):
    """The document that this tickgate.fcgi gives."""
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": "/openapi.json", "SCRIPT_NAME": "",
           "QUERY_STRING": "", "PATH": os.environ["PATH"], "TICKGATE_PATHS_STATE_DIR": "/nonexistent"}
    done = subprocess.run([str(program)], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 "), done
    return Contract(json.loads(body))
