"""Margin of linear positions, as contracts/risk/MarginMath.sol computes it; formulas are there.

Money is WAD quote, sizes WAD lots and positive when long, rates WAD. Every rounding is against the
account.
"""

from dataclasses import dataclass

from novation.model.fixed import div_up, mul_wad_floor, mul_wad_up
from novation.model.market_types import MarketView
from novation.units import WAD

VENUE_IMR = WAD
VENUE_MMR = WAD // 10


@dataclass
class Sums:
    """Sums over an account's positions."""

    strict_loss: int = 0
    initial: int = 0
    dead_loss: int = 0
    maintenance: int = 0
    profit_weight: int = WAD
    markets: int = 0
    live: bool = True
    interrupted: bool = False
    isolated: bool = False

    def add(self, m: MarketView, size: int, venue: bool) -> None:
        """Counts a position of `size` lots in market `m`."""
        if size == 0:
            return
        strict = strict_price(m, size > 0)
        notional = mul_wad_up(abs(size), strict)
        rate = VENUE_IMR
        if not venue:
            crowd = 0 if m.open_interest == 0 else WAD
            if m.open_interest and m.depth:
                crowd = m.open_interest * WAD // m.depth
            extra = min(mul_wad_up(m.interest_rate, crowd), WAD)
            rate = rate_up(m.imr, notional, m.size_scale, extra)
        self.initial += mul_wad_up(notional, rate)
        self.strict_loss += mul_wad_floor(size, strict - m.index)
        self.profit_weight = min(self.profit_weight, m.profit_weight)
        self.maintenance += self.maintenance_of(m, size, venue)

    def maintenance_of(self, m: MarketView, size: int, venue: bool) -> int:
        """A dead market counts at its worse price, doubled, and marks these sums."""
        price = m.index
        if not m.live:
            price = min(m.index, m.strict) if size > 0 else max(m.index, m.strict)
            self.dead_loss += mul_wad_floor(size, price - m.index)
            self.live = False
        notional = mul_wad_up(abs(size), price)
        rate = VENUE_MMR if venue else rate_up(m.mmr, notional, m.size_scale, 0)
        required = mul_wad_up(notional, rate)
        return required if m.live else 2 * required


@dataclass(frozen=True)
class Health:
    """What margin says of an account; fields as in contracts/types/Ledger.sol."""

    equity: int
    maintenance: int
    initial_equity: int
    initial: int
    free: int


def strict_price(m: MarketView, long: bool) -> int:
    """The worse for the account of index and strict average, at most imr away from the index."""
    away = m.index * m.imr // WAD
    if long:
        return max(min(m.index, m.strict), m.index - away)
    return min(max(m.index, m.strict), m.index + away)


def rate_up(base: int, notional: int, scale: int, extra: int) -> int:
    return min(mul_wad_up(base, WAD + div_up(notional * WAD, scale) + extra), WAD)


def health_of(capital: int, pnl: int, sums: Sums, collateral: tuple[int, int]) -> Health:
    """`collateral`: its value for maintenance and for initial margin."""
    maintenance_value, initial_value = collateral
    base = capital + initial_value + sums.strict_loss
    spare = base + min(pnl, 0) - sums.initial
    return Health(
        equity=capital + maintenance_value + pnl + sums.dead_loss,
        maintenance=sums.maintenance,
        initial_equity=base + (mul_wad_floor(pnl, sums.profit_weight) if pnl > 0 else pnl),
        initial=sums.initial,
        free=min(spare, capital) if spare > 0 and sums.live else 0,
    )


def only_fell(e0: int, m0: int, e1: int, m1: int) -> bool:
    """Whether E - M and E / M are no worse (or M gone) and E is not negative."""
    if e1 < 0:
        return False
    return m1 == 0 or (e1 - m1 >= e0 - m0 and e1 * m0 >= e0 * m1)
