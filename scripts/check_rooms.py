"""Refuses imports across rooms, and contracts that have grown too large.

A room is a folder of contracts/. It imports the shared rooms, itself, Solady and OpenZeppelin;
EXCEPTIONS lists the rest. The model in novation/model imports nothing that knows of a chain.
"""

import ast
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.solidity import blank, imports, line_at

ROOT = Path(__file__).resolve().parent.parent

SHARED = {"types", "libraries", "interfaces"}
ROOMS = SHARED | {
    "backstop",
    "clearing",
    "governance",
    "lens",
    "markets",
    "mocks",
    "oracles",
    "risk",
    "venues",
}
EXCEPTIONS = {  # risk/ holds pure arithmetic that these rooms inline
    "clearing": {"risk"},
    "lens": {"risk"},
    "markets": {"risk"},
}
PACKAGES = ("solady/", "@openzeppelin/")
MODEL_IMPORTS = ("novation.model", "novation.types", "novation.units")

FILE_LINES = 350
FUNCTION_LINES = 40
RUNTIME_BYTES = 22_000  # the EVM refuses more than 24,576

FUNCTION = re.compile(r"\b(?:function\s+\w+|modifier\s+\w+|constructor|receive|fallback)\s*[({]")


class NothingToCheck(Exception):
    """A check that finds no file must not pass."""


@dataclass(frozen=True, order=True)
class Violation:
    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


def code_lines(text: str) -> int:
    return sum(1 for line in text.splitlines() if line.strip())


def import_fault(file: Path, room: str, target: str) -> str | None:
    """Why this file, a path below contracts/, may not import the target; None if it may."""
    if room == "mocks":
        return None
    if not target.startswith("."):
        return None if target.startswith(PACKAGES) else f"{target}: not Solady or OpenZeppelin"
    path = Path(os.path.normpath(file.parent / target))
    other = path.parts[0]
    if other == ".." or len(path.parts) < 2:
        return f"{target} is in no room"
    if other == room or other in SHARED | EXCEPTIONS.get(room, set()):
        return None
    return f"{room}/ may not import {other}/ ({path.name})"


def function_bodies(code: str) -> Iterator[tuple[int, str]]:
    """(offset, text) of every function with a body, given code without comments and strings."""
    for match in FUNCTION.finditer(code):
        opening = re.compile(r"[{;]").search(code, match.end() - 1)
        if opening is None or opening[0] == ";":
            continue  # declared only
        depth = 0
        for brace in re.compile(r"[{}]").finditer(code, opening.start()):
            depth += 1 if brace[0] == "{" else -1
            if depth == 0:
                yield match.start(), code[match.start() : brace.end()]
                break


def check_solidity(root: Path) -> Iterator[Violation]:
    contracts = root / "contracts"
    sources = sorted(contracts.rglob("*.sol"))
    if not sources:
        raise NothingToCheck("contracts/ has no Solidity files")
    for path in sources:
        name, file = str(path.relative_to(root)), path.relative_to(contracts)
        room = file.parts[0]
        if room not in ROOMS:
            yield Violation(name, 1, f"{room} is no room; the rooms are {', '.join(sorted(ROOMS))}")
            continue
        source = path.read_text(encoding="utf-8")
        for line, target in imports(source):
            if fault := import_fault(file, room, target):
                yield Violation(name, line, fault)
        code = blank(source, strings=True)
        if (lines := code_lines(code)) > FILE_LINES:
            yield Violation(name, 1, f"{lines} lines of code, {FILE_LINES} allowed")
        for offset, body in function_bodies(code):
            if (lines := code_lines(body)) > FUNCTION_LINES:
                what = body.split("(")[0].split("{")[0].strip()
                reason = f"{what} has {lines} lines of code, {FUNCTION_LINES} allowed"
                yield Violation(name, line_at(code, offset), reason)


def imported_modules(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """Full names of what an import statement names; none for any other statement."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else ()
    base = ".".join([*above, *([node.module] if node.module else [])])
    # `from novation import units` names a module, `from novation.units import WAD` names one in it.
    return [f"{base}.{alias.name}" for alias in node.names] if base == "novation" else [base]


def check_model(root: Path) -> Iterator[Violation]:
    sources = sorted((root / "novation" / "model").rglob("*.py"))
    if not sources:
        raise NothingToCheck("novation/model/ has no Python files")
    for path in sources:
        relative = path.relative_to(root)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
            for module in imported_modules(node, relative.parent.parts):
                standard = module.split(".")[0] in sys.stdlib_module_names
                ours = any(module == m or module.startswith(f"{m}.") for m in MODEL_IMPORTS)
                if not standard and not ours:
                    line = getattr(node, "lineno", 1)
                    yield Violation(str(relative), line, f"the model may not import {module}")


def check_runtime_sizes(root: Path) -> Iterator[Violation]:
    for path in sorted((root / ".build" / "artifacts").glob("*.json")):
        artifact = json.loads(path.read_text(encoding="utf-8"))
        size = len(artifact["deployedBytecode"]) // 2 - 1
        if artifact["sourceId"].startswith("contracts/") and size > RUNTIME_BYTES:
            reason = f"{artifact['name']} has {size:,} bytes of code, {RUNTIME_BYTES:,} allowed"
            yield Violation(artifact["sourceId"], 1, reason)


def main(root: Path = ROOT) -> int:
    try:
        violations = [*check_solidity(root), *check_model(root), *check_runtime_sizes(root)]
    except NothingToCheck as error:
        print(f"check_rooms: {error}", file=sys.stderr)
        return 2
    for violation in sorted(violations):
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
