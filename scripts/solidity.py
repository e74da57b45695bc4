"""Reads Solidity source as text: enough to find imports and to count lines of code."""

import re
from collections.abc import Iterator

COMMENT_OR_STRING = re.compile(
    r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
IMPORT = re.compile(r"""\bimport\s+(?:[^"';]*?\bfrom\s+)?["']([^"']+)["']""")


def blank(source: str, *, strings: bool) -> str:
    """The source with its comments, and if asked its strings, as spaces. Lines stay in place."""

    def erase(match: re.Match[str]) -> str:
        keep = match[0][0] in "\"'" and not strings
        return match[0] if keep else re.sub(r"[^\n]", " ", match[0])

    return COMMENT_OR_STRING.sub(erase, source)


def imports(source: str) -> Iterator[tuple[int, str]]:
    """(line, target) of every import."""
    code = blank(source, strings=False)
    for match in IMPORT.finditer(code):
        yield line_at(code, match.start()), match[1]


def line_at(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
