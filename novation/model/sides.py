"""Units and sizes of a market's two sides (libraries/Sides.sol): size = units * O / N, exactly.

O open interest (lots), N units of the side, both WAD. Every rounding leaves the account with less.
"""

from dataclasses import dataclass

from novation.model.fixed import div_floor, div_up
from novation.model.market_types import MarketView
from novation.units import K_UNIT

DUST = 10**9
"""Sizes below this (1e-9 lot) are dust: a position is closed, a side is empty."""


@dataclass
class Position:
    """`units` of its side, WAD, positive when long; `k` and `epoch` when last touched."""

    units: int = 0
    k: int = 0
    epoch: int = 0


def side_of(signed: int) -> int:
    """0 for the long side, 1 for the short one."""
    return 1 if signed < 0 else 0


def size_of(m: MarketView, units: int) -> int:
    """Size in lots of `units`, toward zero; the sign is that of the units."""
    n = m.units[side_of(units)]
    if units == 0 or n == 0:
        return 0
    size = abs(units) * m.open_interest // n
    return -size if units < 0 else size


def units_down(m: MarketView, side: int, size: int) -> int:
    """Units that `size` lots (unsigned) are worth on `side`: 1 to 1 on an empty side."""
    return size if m.open_interest == 0 else size * m.units[side] // m.open_interest


def units_up(m: MarketView, side: int, size: int) -> int:
    """As `units_down`, rounded up."""
    return size if m.open_interest == 0 else div_up(size * m.units[side], m.open_interest)


def profit(p: Position, k: int) -> int:
    """Profit of a position since its last touch, toward minus infinity, WAD quote."""
    return div_floor(abs(p.units) * (k - p.k), K_UNIT)
