"""Constant product around a peg (libraries/Curve.sol). All WAD; rounding is against the trader.

Base reserve X (lots), root r = sqrt(k) (lots), peg p (quote per lot): quote reserve = p * k / X,
mid = p * k / X^2.
"""

from novation.model.fixed import div_up, full_mul_div, full_mul_div_up, mul_wad_up, sqrt
from novation.units import WAD

MAX_ROOT = 2**90


def mid(p: int, r: int, x: int) -> int:
    """p * r^2 / X^2, rounded down, WAD quote per lot."""
    return full_mul_div(r * r, p, x * x)


def quote_reserve_down(p: int, r: int, x: int) -> int:
    """Quote reserve p * k / X, rounded down, WAD quote."""
    return full_mul_div(r * r, p, x * WAD)


def quote_up(p: int, r: int, x0: int, x1: int) -> int:
    """|p * k / x1 - p * k / x0| rounded up, WAD quote."""
    return full_mul_div_up(r * r, p * abs(x0 - x1), x0 * x1 * WAD)


def quote_down(p: int, r: int, x0: int, x1: int) -> int:
    """As `quote_up`, rounded down."""
    return full_mul_div(r * r, p * abs(x0 - x1), x0 * x1 * WAD)


def base_for_quote_down(p: int, r: int, x: int, quote: int) -> int:
    """Lots bought for exactly `quote`: Q * X / (Y + Q), Y = p * k / X rounded up; rounded down."""
    y = full_mul_div_up(r * r, p, x * WAD)
    return full_mul_div(quote, x, y + quote)


def base_for_quote_up(p: int, r: int, x: int, quote: int) -> int:
    """Lots to sell for exactly `quote`: Q * X / (Y - Q), Y down; up; 0 when the curve has less."""
    y = quote_reserve_down(p, r, x)
    return 0 if quote >= y else full_mul_div_up(quote, x, y - quote)


def distance_fee_up(p: int, r: int, x0: int, x1: int, index: int, rate: int) -> int:
    """rate * integral of |mid / index - 1| * mid dX from x0 to x1, rounded up, WAD quote.

    A fill that crosses the index is cut where mid = index.
    """
    if rate == 0:
        return 0
    cut = r * sqrt(full_mul_div(p, 10**36, index)) // WAD
    if x0 < cut < x1 or x1 < cut < x0:
        return _piece_up(p, r, x0, cut, index, rate) + _piece_up(p, r, cut, x1, index, rate)
    return _piece_up(p, r, x0, x1, index, rate)


def _piece_up(p: int, r: int, x0: int, x1: int, index: int, rate: int) -> int:
    k = r * r
    total = full_mul_div(k, p, x0 * x0) + full_mul_div(k, p, x1 * x1) + full_mul_div(k, p, x0 * x1)
    away = div_up(abs(total - 3 * index), 3)
    return full_mul_div_up(quote_up(p, r, x0, x1), away * rate, index * WAD)


def flat_rate_up(base: int, age: int, cap: int, variance: int, seconds: int) -> int:
    """Base and age part of the fee rate: min(cap, base + age * sigma * sqrt(seconds)), up, WAD."""
    return min(cap, base + mul_wad_up(age, sqrt(variance * seconds * WAD)))


def push_down(r: int, band: int) -> int:
    """Lots that move the mid from the index to the band at peg = index, rounded down."""
    root = sqrt((WAD + band) * WAD)
    return r * (root - WAD) // root
