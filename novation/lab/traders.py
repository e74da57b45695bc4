"""The lab's traders: what each kind decides on what it sees. Pure functions; no chain, no clock.

A decision depends on the trader's own traits, on what he sees now, and on a seeded generator.
Forecasts and moods are floats; amounts never are: a float enters an amount as parts per million.
Prices are WAD quote per lot, sizes WAD lots (positive when long), money WAD quote, rates WAD.
"""

from dataclasses import dataclass, replace
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
    SNIPER = "sniper"
    BASIS = "basis"
    LP = "LP"
    GAMBLER = "gambler"


@dataclass(frozen=True)
class Seen:
    """The market and the trader's own account, now.

    `spot` is the outside market's price, `index` the oracle's last round. `reserve` is the vAMM's
    base reserve. `premium` is (mid - index) / index, `funding` a rate per day that longs pay,
    `fee` what a trade costs in parts of its notional, `band` how far (ppm) the vAMM lets the mid
    leave the index. `most` is the leverage that initial margin lets, ppm.
    """

    time: int
    spot: int
    index: int
    mid: int
    reserve: int
    premium: int
    funding: int
    fee: int
    band: int
    size: int
    equity: int
    free: int
    most: int = 10 * PPM


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
        return leave(traits, seen)
    mood = round(float(draw.normal(0, 0.45)) * PPM)
    return toward(traits, seen, full_size(traits, seen) * mood // PPM)


def arbitrage(traits: Traits, seen: Seen, fair: int) -> Order | None:
    """Pushes the mid toward `fair` as far as the fee pays, and goes home when it has come there.

    Arbitrageurs take the index for fair. Snipers take the outside price, which the index follows
    with a delay: what they gain, LPs lose. On a constant product mid = c / x^2, so a mid at `edge`
    has the reserve x * sqrt(mid / edge).
    """
    if (out := stop_loss(traits, seen)) is not None:
        return out
    cost = seen.fee + traits.appetite
    gap = (seen.mid - fair) * WAD // fair
    if seen.size * gap > 0:
        return leave(traits, seen)
    if abs(gap) <= cost:
        return None
    edge = fair * (WAD + cost if gap > 0 else WAD - cost) // WAD
    reserve = isqrt(seen.reserve**2 * seen.mid // edge)
    most = full_size(traits, seen)
    target = max(min(seen.size + seen.reserve - reserve, most), -most)
    order = toward(traits, seen, target)
    gained = traits.appetite if gap > 0 else -traits.appetite
    limit = fair * (WAD + gained) // WAD  # with fee, whoever came first
    return replace(order, limit=limit) if isinstance(order, Trade) else order


def collect_funding(traits: Traits, seen: Seen) -> Order | None:
    """Holds the side that is paid while the rate is worth it; out when it turns."""
    if (out := stop_loss(traits, seen)) is not None:
        return out
    if abs(seen.funding) >= traits.appetite:
        side = -1 if seen.funding > 0 else 1
        return toward(traits, seen, side * full_size(traits, seen))
    if seen.size and abs(seen.funding) * 4 < traits.appetite:
        return leave(traits, seen)
    return None


def gamble(traits: Traits, seen: Seen) -> Order | None:
    """All in at his leverage, or the highest there is, on the side he was born to; never out.

    `appetite` has the side: positive buys. Whatever slippage, whatever comes: he stays.
    """
    leverage = min(traits.leverage, seen.most - seen.most // 20)
    size = full_size(replace(traits, leverage=leverage), seen)
    size = min(size, room(seen, 1 if traits.appetite > 0 else -1))
    if seen.size or worth(seen, size) < 2 * MIN_TRADE:
        return None
    size = size if traits.appetite > 0 else -size
    return Trade(size, limit_of(seen, size, traits.slippage))


def stop_loss(traits: Traits, seen: Seen) -> Order | None:
    """Out at any price of the day when margin is nearly gone; without money for the fee, stuck."""
    notional = worth(seen, abs(seen.size))
    if notional == 0 or seen.equity * PPM >= notional * traits.stop:
        return None
    if seen.equity * WAD <= notional * seen.fee:
        return None
    return leave(replace(traits, slippage=100_000), seen)


def leave(traits: Traits, seen: Seen) -> Order | None:
    """Closes, or as much of the position as the band lets through."""
    limit = limit_of(seen, -seen.size, traits.slippage)
    most = room(seen, -seen.size)
    if abs(seen.size) <= most:
        return Close(limit)
    if worth(seen, most) < MIN_TRADE or worth(seen, abs(seen.size) - most) < MIN_TRADE:
        return None
    return Trade(-most if seen.size > 0 else most, limit)


def full_size(traits: Traits, seen: Seen) -> int:
    """Lots at the trader's own leverage."""
    return max(seen.equity, 0) * traits.leverage // PPM * WAD // seen.index


def toward(traits: Traits, seen: Seen, target: int) -> Order | None:
    """The order that brings the position nearer to `target`; small differences are left alone."""
    size = target - seen.size
    if worth(seen, abs(size)) < max(MIN_TRADE, worth(seen, abs(seen.size)) // 5):
        return None
    if seen.size and worth(seen, abs(target)) < MIN_TRADE:
        return leave(traits, seen)
    most = min(seen.reserve * IMPACT_PPM // (2 * PPM), room(seen, size))
    size = max(min(size, most), -most)
    grows = abs(seen.size + size) > abs(seen.size)
    if worth(seen, abs(size)) < MIN_TRADE or 0 < worth(seen, abs(seen.size + size)) < MIN_TRADE:
        return None
    if grows and (seen.free <= 0 or is_dear(traits, seen, size)):
        return None
    return Trade(size, limit_of(seen, size, traits.slippage))


def is_dear(traits: Traits, seen: Seen, size: int) -> bool:
    """Whether fee and premium together are more than the trader bears."""
    premium = seen.premium if size > 0 else -seen.premium
    return (seen.fee + premium) * PPM > traits.slippage * WAD


def worth(seen: Seen, size: int) -> int:
    """Notional at the index, WAD quote."""
    return size * seen.index // WAD


def room(seen: Seen, size: int) -> int:
    """Lots that may be bought (sold, where `size` is negative) before the mid is at the band."""
    near = seen.band - seen.band // 50  # others trade in the same block
    if size > 0:
        edge = seen.index * (PPM + near) // PPM
        return max(seen.reserve - isqrt(seen.reserve**2 * seen.mid // edge), 0)
    edge = seen.index * (PPM - near) // PPM
    return max(isqrt(seen.reserve**2 * seen.mid // edge) - seen.reserve, 0)


def limit_of(seen: Seen, size: int, slippage: int) -> int:
    """The worst price with fee that is taken."""
    worst = slippage + seen.fee * PPM // WAD
    return seen.mid * (PPM + worst if size > 0 else PPM - worst) // PPM


def draw_traits(kind: Kind, draw: np.random.Generator) -> Traits:
    """A trader of that kind, unlike the next."""
    leverage = int(draw.integers(1_000_000, 4_000_000))
    stop = int(draw.integers(75_000, 140_000))
    slippage = int(draw.integers(4_000, 20_000))
    pick = {
        Kind.TREND: (2 * 10**15, 2 * 10**16),
        Kind.NOISE: (0, 1),
        Kind.ARBITRAGE: (10**14, 10**15),
        Kind.SNIPER: (10**14, 10**15),
        Kind.BASIS: (10**15, 6 * 10**15),
        Kind.LP: (3 * 10**16, 3 * 10**17),
        Kind.GAMBLER: (1, 2),
    }
    appetite = int(draw.integers(*pick[kind]))
    if kind in (Kind.ARBITRAGE, Kind.SNIPER):
        leverage, slippage = int(draw.integers(2_000_000, 5_000_000)), 20_000
    if kind is Kind.BASIS:
        leverage = int(draw.integers(1_000_000, 2_000_000))
    if kind is Kind.GAMBLER:
        leverage, slippage = int(draw.integers(4_000_000, 10_000_001)), 100_000
    return Traits(leverage, stop, slippage, appetite, int(draw.integers(2 * 3600, 24 * 3600)))
