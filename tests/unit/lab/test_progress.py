"""Long work says how far it is, also where there is no terminal."""

import io

import pytest

from novation.lab import progress
from novation.lab.progress import Steps


def test_without_a_terminal_a_line_comes_now_and_then(monkeypatch):
    clock = iter(range(0, 1000, 2))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    with Steps("blocks", 10, out) as steps:
        for _ in range(10):
            steps.advance("index 130")
    lines = out.getvalue().splitlines()
    assert lines[0] == "blocks: 10 to do"
    assert "3/10, " in lines[1]
    assert "s left  index 130" in lines[1]
    assert lines[-1].startswith("blocks: done in")
    assert len(lines) < 7


def test_work_that_fails_is_not_called_done():
    out = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Steps("blocks", 10, out):
        raise KeyboardInterrupt
    assert "done" not in out.getvalue()


def test_on_a_terminal_there_is_a_bar(monkeypatch):
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: True)
    with Steps("blocks", 3, out) as steps:
        for _ in range(3):
            steps.advance()
    assert "3/3" in out.getvalue()
