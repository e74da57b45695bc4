"""The time of the block that every part of the model lives in."""

from dataclasses import dataclass


@dataclass
class Clock:
    """`now` is the block's timestamp, seconds. Whoever drives the model moves it."""

    now: int = 0
