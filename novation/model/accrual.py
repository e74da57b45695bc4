"""How time and a new price move a market (libraries/Accrual.sol, Decay.sol).

Averages advance by the value that stood during the interval, so that n touches equal one up to
rounding.
"""

from dataclasses import dataclass

from novation.model.fixed import clamp, div_floor, div_up, exp_wad, ln_wad, tdiv
from novation.model.market_types import MarketWords
from novation.units import WAD

PREMIUM_PAYMENTS_PER_DAY = 3
DAY = 86_400
VARIANCE_WINDOW = 3_600
PREMIUM_UNIT = 10**9
VELOCITY_UNIT = 10**6
VARIANCE_UNIT = 10**5
MAX_VARIANCE = 2**32 - 1


@dataclass(frozen=True)
class Terms:
    """Windows in seconds; `cap` and `velocity` WAD a day; `depth` WAD lots."""

    strict_window: int
    premium_window: int
    full_premium: int
    cap: int
    velocity: int
    depth: int


def weight(dt: int, tau: int) -> int:
    """exp(-dt / tau), WAD."""
    return exp_wad(-(dt * WAD // tau))


def toward(average: int, target: int, w: int) -> int:
    """The average after an interval in which `target` stood; rounded toward `target`."""
    return target + tdiv((average - target) * w, WAD)


def elapse(s: MarketWords, c: Terms, dt: int) -> int:
    """Lets `dt` live seconds pass. Their funding, WAD quote per lot, positive when longs pay."""
    w = weight(dt, c.premium_window)
    premium = s.premium * PREMIUM_UNIT
    average = s.premium_average * PREMIUM_UNIT
    area = premium * dt + tdiv((average - premium) * c.premium_window * (WAD - w), WAD)
    if c.depth < s.open_interest:
        area = tdiv(area * c.depth, s.open_interest)
    area = area * PREMIUM_PAYMENTS_PER_DAY + _velocity(s, c, premium, dt)
    area = clamp(area, c.cap * dt)
    g = tdiv(area * s.index, DAY * WAD)

    s.premium_average = toward(s.premium_average, s.premium, w)
    s.strict = toward(s.strict, s.index, weight(dt, c.strict_window))
    return g


def follow(s: MarketWords, dt: int, short_window: int) -> None:
    """Lets the short average follow the index for `dt` seconds."""
    if dt:
        s.short = toward(s.short, s.index, weight(dt, short_window))


def _velocity(s: MarketWords, c: Terms, premium: int, dt: int) -> int:
    """v' = v + velocity * skew * dt per hour; the mean of both stands. WAD seconds a day."""
    if c.depth == 0:
        s.velocity = 0
    if c.depth == 0 or (c.velocity == 0 and s.velocity == 0):
        return 0
    skew = clamp(tdiv(premium * WAD, c.full_premium), WAD)
    before = s.velocity * VELOCITY_UNIT
    after = clamp(before + tdiv(tdiv(c.velocity * skew, WAD) * dt, 3600), c.cap)
    s.velocity = tdiv(after, VELOCITY_UNIT)
    return tdiv((before + after) * dt, 2)


def move(s: MarketWords, dp: int, g: int) -> None:
    """Side indices: K_long += floor(O * (dP - g) / N_long), K_short the mirror image."""
    if s.open_interest == 0:
        return
    total = s.open_interest * 10**9 * (dp - g)
    if total == 0:
        return
    s.k[0] += div_floor(total, s.units[0])
    s.k[1] += div_floor(-total, s.units[1])


def observe(s: MarketWords, dp: int, seconds: int) -> None:
    """Takes a new round's squared return per second into the variance; saturates."""
    r = abs(dp) * WAD // s.index
    rate = r * r // WAD // seconds // VARIANCE_UNIT
    v = toward(s.variance, rate, weight(seconds, VARIANCE_WINDOW))
    s.variance = min(v, MAX_VARIANCE)


def gap_seconds(index: int, short: int, threshold: int, tau: int) -> int:
    """Seconds until |index / short - 1| falls to `threshold` (WAD) by itself, rounded up."""
    d = abs(index - short)
    if d * WAD <= threshold * short:
        return 0
    end = index * threshold // (WAD + threshold if index > short else WAD - threshold)
    return div_up(ln_wad(d * WAD // max(end, 1)) * tau, WAD)
