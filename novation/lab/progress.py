"""How far a long run is: a bar with the time left on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY = 5.0


class Steps:
    """`with Steps("blocks", 500) as steps:` and then `steps.advance("index 130")` 500 times."""

    def __init__(self, name: str, total: int, out: TextIO | None = None) -> None:
        self.name = name
        self.total = total
        self.done = 0
        self._out = out or sys.stderr
        self._bar: Progress | None = None
        self._started = self._said = time.monotonic()

    def __enter__(self) -> "Steps":
        self._started = self._said = time.monotonic()
        if self._out.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(file=self._out),
            )
            self._bar.start()
            self._bar.add_task(self.name, total=self.total, note="")
        else:
            self._say(f"{self.name}: {self.total} to do")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None:
            self._say(f"{self.name}: done in {time.monotonic() - self._started:.1f} s")

    def advance(self, note: str = "") -> None:
        self.done += 1
        now = time.monotonic()
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=1, note=note)
        elif now - self._said >= LINE_EVERY:
            self._said = now
            left = (now - self._started) * (self.total - self.done) / self.done
            self._say(f"{self.name}: {self.done}/{self.total}, {left:.0f} s left  {note}".rstrip())

    def _say(self, line: str) -> None:
        print(line, file=self._out, flush=True)
