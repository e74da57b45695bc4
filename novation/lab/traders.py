"""The lab's traders: what each kind decides on what it sees. Pure functions; no chain, no clock.

A decision depends on the trader's own traits, on what he sees now, and on a seeded generator.
Forecasts and moods are floats; amounts never are: a float enters an amount as parts per million.
Prices are WAD quote per lot, sizes WAD lots (positive when long), money WAD quote, rates WAD.
"""

from dataclasses import dataclass
from enum import Enum
from math import exp, isqrt, log, tanh

import numpy as np

from novation.units import PPM, WAD

MIN_TRADE = 50 * WAD  # smaller orders are not worth their gas
IMPACT_PPM = 3_000  # an order that would move the mid further is cut down to this
DAY = 86_400


class Kind(Enum):
    TREND = "trend"
    NOISE = "noise"
    ARBITRAGE = "arbitrageur"
    BASIS = "basis"
    LP = "LP"


@dataclass(frozen=True)
class Seen:
    """The market and the trader's own account, now.

    `spot` is the outside market's price, `index` the oracle's last round. `reserve` is the vAMM's
    base reserve. `premium` is (mid - index) / index, `funding` a rate per day that longs pay,
    `fee` what a trade costs in parts of its notional.
    """

    time: int
    spot: int
    index: int
    mid: int
    reserve: int
    premium: int
    funding: int
    fee: int
    size: int
    equity: int
    free: int


@dataclass(frozen=True)
class Trade:
    """Buy (positive) or sell `size` lots at no worse than `limit` with fee."""

    size: int
    limit: int


@dataclass(frozen=True)
class Close:
    limit: int


Order = Trade | Close


@dataclass(frozen=True)
class Traits:
    """What makes one trader unlike another of his kind.

    `leverage` of a full position, `stop` the margin rate at which he closes whatever he thinks,
    `slippage` the worst price he takes: all ppm. `appetite` is a kind's own threshold, WAD.
    """

    leverage: int
    stop: int
    slippage: int
    appetite: int
    horizon: int = DAY


class Trend:
    """A trader's own moving averages of the outside price: a forecast, so floats."""

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        self._time = 0
        self._fast = self._slow = 0.0

    def signal(self, time: int, spot: int) -> float:
        """Fast average over slow one, as a fraction; positive in an uptrend."""
        price = log(spot / WAD)
        if self._time == 0:
            self._fast = self._slow = price
        else:
            passed = max(time - self._time, 0)
            self._fast += (price - self._fast) * (1 - exp(-4 * passed / self.horizon))
            self._slow += (price - self._slow) * (1 - exp(-passed / self.horizon))
        self._time = time
        return self._fast - self._slow


def follow_trend(traits: Traits, signal: float, seen: Seen) -> Order | None:
    """Holds leverage in the direction of the trend, more of it the clearer it is."""
    if (out := stop_loss(traits, seen)) is not None:
        return out
    if abs(signal) * WAD < traits.appetite:
        return None
    conviction = round(tanh(signal * 40) * PPM)
    return toward(traits, seen, full_size(traits, seen) * conviction // PPM)


def trade_noise(traits: Traits, seen: Seen, draw: np.random.Generator) -> Order | None:
    """Takes a position for reasons of its own, and later is out again."""
    if (out := stop_loss(traits, seen)) is not None:
        return out
    if seen.size and draw.random() < 0.4:
        return Close(limit_of(seen, -seen.size, traits.slippage))
    mood = round(float(draw.normal(0, 0.45)) * PPM)
    return toward(traits, seen, full_size(traits, seen) * mood // PPM)


def arbitrage(traits: Traits, seen: Seen) -> Order | None:
    """Pushes the mid back to the index as far as the fee pays, and takes the way home when it can.

    On a constant product, mid = c / x^2: a mid at `there` has reserve x * sqrt(mid / there).
    """
    if (out := stop_loss(traits, seen)) is not None:
        return out
    cost = seen.fee + traits.appetite
    if abs(seen.premium) <= cost:
        return None
    edge = seen.index * (WAD + cost if seen.premium > 0 else WAD - cost) // WAD
    reserve = isqrt(seen.reserve**2 * seen.mid // edge)
    most = full_size(traits, seen)
    target = max(min(seen.size + seen.reserve - reserve, most), -most)
    return toward(traits, seen, target)


def collect_funding(traits: Traits, seen: Seen) -> Order | None:
    """Holds the side that is paid while the rate is worth it; out when it turns."""
    if (out := stop_loss(traits, seen)) is not None:
        return out
    if abs(seen.funding) >= traits.appetite:
        side = -1 if seen.funding > 0 else 1
        return toward(traits, seen, side * full_size(traits, seen))
    if seen.size and abs(seen.funding) * 4 < traits.appetite:
        return Close(limit_of(seen, -seen.size, traits.slippage))
    return None


def stop_loss(traits: Traits, seen: Seen) -> Order | None:
    """Out at any price of the day when margin is nearly gone."""
    notional = abs(seen.size) * seen.index // WAD
    if notional == 0 or seen.equity * PPM >= notional * traits.stop:
        return None
    return Close(limit_of(seen, -seen.size, 100_000))


def full_size(traits: Traits, seen: Seen) -> int:
    """Lots at the trader's own leverage."""
    return max(seen.equity, 0) * traits.leverage // PPM * WAD // seen.index


def toward(traits: Traits, seen: Seen, target: int) -> Order | None:
    """The order that brings the position nearer to `target`; small differences are left alone."""
    size = target - seen.size
    small = max(MIN_TRADE, abs(seen.size) * seen.index // WAD // 5)
    if abs(size) * seen.index // WAD < small:
        return None
    if seen.size and abs(target) * seen.index // WAD < MIN_TRADE:
        return Close(limit_of(seen, size, traits.slippage))
    most = seen.reserve * IMPACT_PPM // (2 * PPM)
    size = max(min(size, most), -most)
    grows = abs(seen.size + size) > abs(seen.size)
    if size == 0 or (grows and seen.free <= 0):
        return None
    return Trade(size, limit_of(seen, size, traits.slippage))


def limit_of(seen: Seen, size: int, slippage: int) -> int:
    return seen.mid * (PPM + slippage if size > 0 else PPM - slippage) // PPM


# Liquidity providers


class LpStep(Enum):
    ASK = "LP request withdrawal"
    TAKE = "LP withdraw"
    DEPOSIT = "LP request deposit"
    MINT = "LP deposit"


@dataclass(frozen=True)
class LpSeen:
    """`value` of the shares and what was paid for them, WAD quote; what requests are open.

    `ready` says that an open request can be executed now.
    """

    value: int
    paid: int
    capital: int
    depositing: bool
    withdrawing: bool
    ready: bool


def provide(traits: Traits, seen: LpSeen, draw: np.random.Generator) -> LpStep | None:
    """Stays; asks for his money after a loss of `appetite`, or for no reason; may come back."""
    if seen.depositing or seen.withdrawing:
        step = LpStep.MINT if seen.depositing else LpStep.TAKE
        return step if seen.ready else None
    if seen.value > 0:
        hurt = (seen.paid - seen.value) * WAD >= seen.paid * traits.appetite
        return LpStep.ASK if hurt or draw.random() < 0.002 else None
    return LpStep.DEPOSIT if seen.capital >= 1000 * WAD and draw.random() < 0.01 else None


def draw_traits(kind: Kind, draw: np.random.Generator) -> Traits:
    """A trader of that kind, unlike the next."""
    leverage = int(draw.integers(1_000_000, 4_000_000))
    stop = int(draw.integers(75_000, 140_000))
    slippage = int(draw.integers(3_000, 15_000))
    pick = {
        Kind.TREND: (2 * 10**15, 2 * 10**16),
        Kind.NOISE: (0, 1),
        Kind.ARBITRAGE: (10**14, 10**15),
        Kind.BASIS: (10**15, 6 * 10**15),
        Kind.LP: (3 * 10**16, 3 * 10**17),
    }
    appetite = int(draw.integers(*pick[kind]))
    if kind is Kind.ARBITRAGE:
        leverage, slippage = int(draw.integers(2_000_000, 5_000_000)), 2_000
    if kind is Kind.BASIS:
        leverage = int(draw.integers(1_000_000, 2_000_000))
    return Traits(leverage, stop, slippage, appetite, int(draw.integers(2 * 3600, 24 * 3600)))
