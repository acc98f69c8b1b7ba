"""/openapi.json as others see it: redocly's own rules, and the mount point."""

import json
import os
import subprocess

import pytest

from conftest import BUILD, run


def document(base_path=""):
    env = {"GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "PATH_INFO": base_path + "/openapi.json", "SCRIPT_NAME": "",
           "QUERY_STRING": "", "PATH": os.environ["PATH"], "TICKGATE_GATEWAY_BASE_PATH": base_path}
    program = BUILD / "tickgate.fcgi"
    if not program.exists():
        pytest.skip("not built")
    done = subprocess.run([program], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True)
    head, _, body = done.stdout.partition("\n\n")
    assert head.startswith("Status: 200 OK"), done.stdout[:500] + done.stderr
    return body


def test_redocly_finds_nothing(tmp_path):
    """With its default rules: no configuration, no file of exceptions."""
    (tmp_path / "openapi.json").write_text(document())
    output = run("redocly", "lint", "openapi.json", cwd=tmp_path, env={**os.environ, "REDOCLY_TELEMETRY": "off", "CI": "true"})
    assert "Your API description is valid" in output and "warning" not in output.lower(), output


def test_the_server_is_where_it_is_mounted():
    assert json.loads(document())["servers"] == [{"url": "/"}]
    assert json.loads(document("/tickgate"))["servers"] == [{"url": "/tickgate"}]
    assert json.loads(document())["openapi"] == "3.1.0"
