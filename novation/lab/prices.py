"""A price path: what the outside world trades at, second by second, exactly."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

from novation.lab.candles import expand
from novation.lab.download import PREFIX, download
from novation.lab.pricefile import read_price_file
from novation.lab.synthetic import SYNTHETIC_LABEL, black_thursday


@dataclass(frozen=True)
class PricePath:
    """Prices that hold from their time until the next one.

    `synthetic` is set when any of the prices was never traded at by anybody, anywhere: the shape
    between a real candle's open, high, low and close is drawn too, and `source` says so.
    """

    label: str
    source: str
    synthetic: bool
    times: tuple[int, ...]
    prices: tuple[Decimal, ...]

    def __post_init__(self) -> None:
        if len(self.times) < 2 or len(self.times) != len(self.prices):
            raise ValueError("a path has at least two times, and a price for each")
        if any(later <= earlier for earlier, later in pairwise(self.times)):
            raise ValueError("the times of a path increase")

    @property
    def start(self) -> int:
        return self.times[0]

    @property
    def end(self) -> int:
        return self.times[-1]

    @property
    def duration(self) -> int:
        return self.end - self.start

    def at(self, time: int) -> Decimal:
        """The price that holds at `time`; before the start, the first one."""
        return self.prices[max(bisect_right(self.times, time) - 1, 0)]

    def between(self, start: int, end: int) -> "PricePath":
        """The path from `start` to `end`, cut to what there is of it."""
        first = max(bisect_right(self.times, start) - 1, 0)
        last = max(bisect_right(self.times, end), first + 2)
        cut = (self.times[first:last], self.prices[first:last])
        return PricePath(self.label, self.source, self.synthetic, *cut)

    def until(self, seconds: int) -> "PricePath":
        """The first so many seconds of the path."""
        count = max(bisect_right(self.times, self.start + seconds), 2)
        cut = (self.times[:count], self.prices[:count])
        return PricePath(self.label, self.source, self.synthetic, *cut)


def load_prices(spec: str | None, step: int, seed: int) -> PricePath:
    """The path of a CSV file, of `ccxt:exchange:SYMBOL:FROM:TO`, or (for None) the synthetic one.

    Candles are drawn out to a price every `step` seconds, or a quarter of the candle if that is
    less, so that the path touches each candle's open, high, low and close.
    """
    if spec is None:
        times, prices = black_thursday(step, seed)
        return PricePath(SYNTHETIC_LABEL, "drawn, not traded", True, times, prices)
    if spec.startswith(PREFIX):
        candles = download(spec)
        times, prices = expand(candles, step, seed)
        return PricePath(spec.removeprefix(PREFIX), drawn(len(candles)), False, times, prices)
    file = Path(spec)
    rows = read_price_file(file)
    if rows.candles:
        times, prices = expand(rows.candles, step, seed)
        return PricePath(file.name, drawn(len(rows.candles)), False, times, prices)
    source = f"{len(rows.rounds)} rounds of a Chainlink feed; a price holds until the next round"
    times, prices = split(rows.rounds)
    return PricePath(file.name, source, False, times, prices)


def drawn(candles: int) -> str:
    return f"{candles} real candles; the way between their open, high, low and close is drawn"


def split(points: Sequence[tuple[int, Decimal]]) -> tuple[tuple[int, ...], tuple[Decimal, ...]]:
    return tuple(time for time, _ in points), tuple(price for _, price in points)
