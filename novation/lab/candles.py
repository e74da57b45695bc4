"""Candles: what makes one impossible, and the way that a price takes inside one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import isqrt

import numpy as np

MAX_GAP_SECONDS = 6 * 3600
MAX_GAP_CANDLES = 3

# The way inside a candle is counted in 1e-8 quote.
POINT = 10**8
NOISE = 1000
NOISE_SHARE = 3  # the noise's spread in the middle of a leg is about a tenth of the candle's range


@dataclass(frozen=True)
class Candle:
    time: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal

    def fault(self) -> str | None:
        """Why no market can have traded like this."""
        if self.high < self.low:
            return f"high {self.high} is below low {self.low}"
        for name in ("open", "close"):
            value = getattr(self, name)
            if not self.low <= value <= self.high:
                return f"{name} {value} is outside [{self.low}, {self.high}]"
        return None


def interval_of(candles: Sequence[Candle]) -> int:
    """The spacing that most of the candles have."""
    gaps = Counter(b.time - a.time for a, b in pairwise(candles))
    return gaps.most_common(1)[0][0]


def gap_fault(before: int, after: int, interval: int) -> str | None:
    """Why two candles of this spacing cannot be neighbours: exchanges stop, but not for a day."""
    most = max(MAX_GAP_SECONDS, MAX_GAP_CANDLES * interval)
    if after - before > most:
        return f"no candle for {after - before} s before it, at most {most} s"
    return None


def expand(
    candles: Sequence[Candle], step: int, seed: int
) -> tuple[tuple[int, ...], tuple[Decimal, ...]]:
    """A price every `step` seconds, at least four a candle, touching what the candle touched.

    A candle that rose goes open, low, high, close; one that fell open, high, low, close. Between
    them it takes a seeded walk inside the candle, the same in every run whatever came before it.
    """
    usual = interval_of(candles)
    times: list[int] = []
    prices: list[Decimal] = []
    for at, candle in enumerate(candles):
        length = min(usual, candles[at + 1].time - candle.time) if at + 1 < len(candles) else usual
        count = max(length // step, 4)
        if length < count:
            raise ValueError(f"candles of {length} s are too short to draw a path inside")
        for place, price in enumerate(inside(candle, count, seed)):
            times.append(candle.time + place * length // count)
            prices.append(price)
    return tuple(times), tuple(prices)


def inside(candle: Candle, count: int, seed: int) -> list[Decimal]:
    """`count` prices from the candle's open to its close."""
    low, high = to_points(candle.low), to_points(candle.high)
    middle = [candle.low, candle.high]
    if candle.close < candle.open:
        middle.reverse()
    stops = [(0, candle.open), (count // 3, middle[0]), (2 * count // 3, middle[1])]
    stops.append((count - 1, candle.close))
    generator = np.random.default_rng([seed, candle.time])
    prices: list[Decimal] = [candle.open]
    for (start, first), (end, last) in pairwise(stops):
        leg = walk(to_points(first), to_points(last), end - start, low, high, generator)
        prices += [Decimal(point).scaleb(-8) for point in leg[:-1]]
        prices.append(last)
    return prices


def to_points(price: Decimal) -> int:
    return int(price.scaleb(8))


def walk(
    start: int, end: int, steps: int, low: int, high: int, generator: np.random.Generator
) -> list[int]:
    """`steps` points after `start`, the last being `end`: a random walk tied at both ends."""
    noise = [int(value) for value in generator.integers(-NOISE, NOISE + 1, steps).cumsum()]
    scale = NOISE_SHARE * NOISE * isqrt(steps) * steps
    points = []
    for at in range(1, steps + 1):
        off = (high - low) * (noise[at - 1] * steps - noise[-1] * at) // scale
        points.append(min(max(start + (end - start) * at // steps + off, low), high))
    return points
