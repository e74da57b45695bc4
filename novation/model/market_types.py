"""A perpetual market's data: stored state, view, parameters. Index 0 of a pair is long."""

from dataclasses import dataclass, field
from enum import IntEnum


class MarketState(IntEnum):
    """Life of a market, in order. Only the first two go back and forth."""

    ACTIVE = 0
    REDUCE_ONLY = 1
    SETTLING = 2
    CLOSED = 3


def _pair() -> list[int]:
    return [0, 0]


@dataclass
class MarketWords:
    """What the contract stores in its four words (types/MarketWords.sol).

    Prices WAD quote per lot; times seconds; premiums 1e-9; variance 1e-13 per second; k 1e27 quote
    per unit lot; open interest and units WAD; velocity 1e-12 a day.
    """

    index: int = 0
    strict: int = 0
    accrued_at: int = 0
    valid_until: int = 0
    interruption: int = 0
    short: int = 0
    open_interest: int = 0
    premium_average: int = 0
    premium: int = 0
    variance: int = 0
    k: list[int] = field(default_factory=_pair)
    units: list[int] = field(default_factory=_pair)
    epoch: list[int] = field(default_factory=_pair)
    velocity: int = 0


@dataclass
class MarketView:
    """A market at this moment, all WAD but times and k (types/Market.sol)."""

    index: int
    strict: int
    open_interest: int
    units: list[int]
    k: list[int]
    epoch: list[int]
    imr: int
    mmr: int
    size_scale: int
    interest_rate: int
    depth: int
    profit_weight: int
    min_notional: int
    open_interest_cap: int
    account_cap: int
    updated_at: int
    variance: int
    premium: int
    interrupted_until: int
    live: bool
    state: MarketState
    isolated: bool


@dataclass(frozen=True)
class RiskParams:
    """As people set them: rates ppm, caps and scales whole quote, seconds, WAD lots."""

    imr: int
    mmr: int
    ramp_seconds: int
    profit_weight: int
    funding_cap: int
    velocity: int
    interest_rate: int
    size_scale: int
    min_notional: int
    account_cap: int
    open_interest_cap: int
    backing_multiple: int
    """Most open interest over what backs the market: 1 over the modelled gap loss."""


@dataclass(frozen=True)
class Listing:
    """What a market is born with and keeps. Windows in seconds, `full_premium` WAD."""

    strict_window: int
    premium_window: int
    short_window: int
    interruption: int
    full_premium: int
    settlement_window: int
    isolated: bool = False
    oracle_maximum: int = 1
    """Largest price the oracle can return, WAD quote per lot."""
