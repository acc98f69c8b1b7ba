"""The rules of the house, as tests. A missing tool is a failure in CI (CI=true) and a skip elsewhere."""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILDDIR", ROOT / "build"))


def tracked(*patterns):
    """The files of the house as git knows them, new ones that are not ignored included."""
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout
    return [p for p in map(ROOT.joinpath, sorted(set(out.splitlines()))) if p.is_file()]


def tool(name):
    path = shutil.which(name) or shutil.which(name, path=BUILD / "npm/node_modules/.bin")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed")
    return path


def run(*argv, **more):
    """Runs a tool from the top of the house; its output is the test's message."""
    done = subprocess.run([tool(argv[0]), *map(str, argv[1:])], **{"cwd": ROOT, "capture_output": True, "text": True, **more})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
