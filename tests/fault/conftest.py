"""What the tests with a misbehaving Redis share with others: the FastCGI client of the flow tests, and ports."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/flow"), str(ROOT / "tools")]
