import re
from pathlib import Path

import pytest

from novation import artifacts
from novation.deploy import roles

CONTRACTS = Path(__file__).resolve().parents[3] / "contracts"
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
CONTRACT = re.compile(r"\b(?:abstract\s+)?contract\s+(\w+)(?:\s+is\s+([^{]*))?\s*\{")
RESTRICTED = re.compile(r"\bfunction\s+(\w+)\s*\([^)]*\)[^{;]*\brestricted\b", re.DOTALL)


def restricted_functions() -> dict[str, set[str]]:
    """Contract -> its restricted functions, inherited ones included, from the sources."""
    own: dict[str, set[str]] = {}
    parents: dict[str, list[str]] = {}
    for path in sorted(CONTRACTS.rglob("*.sol")):
        source = COMMENT.sub("", path.read_text(encoding="utf-8"))
        marks = list(CONTRACT.finditer(source))
        ends = [mark.start() for mark in marks[1:]] + [len(source)]
        for mark, end in zip(marks, ends, strict=False):  # an end and no contract: an interface
            body = source[mark.end() : end]
            own[mark[1]] = set(RESTRICTED.findall(body))
            parents[mark[1]] = re.findall(r"\b(\w+)\b", mark[2] or "")
    assert any(own.values()), "no restricted function found: the pattern no longer fits"

    def all_of(name: str) -> set[str]:
        return own.get(name, set()).union(*(all_of(p) for p in parents.get(name, [])))

    return {name: found for name in own if (found := all_of(name))}


def is_deployable(name: str) -> bool:
    return bool(artifacts.load(name).bytecode)


def test_every_restricted_function_has_a_role() -> None:
    found = {n: fs for n, fs in restricted_functions().items() if is_deployable(n)}
    assert found == {name: set(table) for name, table in roles.FUNCTIONS.items()}


@pytest.mark.parametrize("contract", sorted(roles.FUNCTIONS))
def test_functions_of_the_table_are_in_the_abi_once(contract: str) -> None:
    found = roles.selectors(contract)
    assert sum(map(len, found.values())) == len(roles.FUNCTIONS[contract])


def test_only_what_tightens_acts_at_once() -> None:
    at_once = {f for t in roles.FUNCTIONS.values() for f, r in t.items() if r == roles.GUARDIAN}
    assert at_once == {"stopVenue", "tightenCap", "tightenCaps", "tightenThrottle", "reduceOnly"}
