"""docs/ATTACKS.md: each id of its list has one row, and each row names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docs" / "ATTACKS.md").read_text()
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
NOT_BUILT = "cannot arise"


def listed() -> list[str]:
    """The ids under "Ids", in order."""
    part = TEXT.split("\n## Ids\n")[1].split("\n## ")[0]
    return [each.strip() for line in part.split("\n- ")[1:] for each in line.split(",")]


def rows() -> list[list[str]]:
    """id, what happens, what shows it."""
    cells = [line.strip("| ").split(" | ") for line in TEXT.splitlines() if line.startswith("| ")]
    return [row for row in cells if row[0] != "id"]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(node.name for node in found)


def test_each_id_has_one_row_in_the_order_of_the_list() -> None:
    ids = listed()
    assert len(ids) > 150
    assert len(set(ids)) == len(ids)
    assert [row[0] for row in rows()] == ids


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_row_says_what_happens_and_what_shows_it(row: list[str]) -> None:
    assert len(row) == 3
    _, happens, shown = row
    assert len(happens) > 10
    tests = NAMED.findall(shown)
    assert NAMED.sub("", shown).replace("<br>", "").strip() in ("", NOT_BUILT)
    assert tests or shown == NOT_BUILT
    for path, name in tests:
        assert name in names_in(path), f"{path} has no {name}"
