"""The curve: bit for bit as compiled, and against exact fractions for what it promises."""

import random
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import pytest

from novation.model import curve
from novation.units import WAD

COUNT = 2_000
Point = tuple[int, int, int, int]


def log_uniform(rng: random.Random, least: int, most: int) -> int:
    """Every magnitude is as likely as any other."""
    bits = rng.randint(least.bit_length(), most.bit_length())
    return min(max(rng.getrandbits(bits), least), most)


def wide(rng: random.Random) -> Point:
    """Peg, root and two reserves anywhere inside the bounds of the library."""
    p = log_uniform(rng, 1, 2**80 - 1)
    r, x0, x1 = (log_uniform(rng, 10**6, 2**90 - 1) for _ in range(3))
    return p, r, x0, x1


def usual(rng: random.Random) -> Point:
    """A pool as there may be one: the reserves within a third of the root."""
    p = rng.randint(WAD, 100_000 * WAD)
    r = rng.randint(WAD, 100_000 * WAD)
    x0, x1 = (r * rng.randint(670_000, 1_330_000) // 10**6 for _ in range(2))
    return p, r, x0, x1


@pytest.fixture
def rng() -> random.Random:
    return random.Random(11)


class TestDifferential:
    def test_mid_and_quotes_are_the_compiled_ones(self, harness: Any, rng: random.Random) -> None:
        points = [wide(rng) for _ in range(COUNT)] + [usual(rng) for _ in range(COUNT)]
        harness.compare("mid", curve.mid, [(p, r, x) for p, r, x, _ in points])
        harness.compare("quoteUp", curve.quote_up, points)
        harness.compare("quoteDown", curve.quote_down, points)

    def test_sizes_for_a_quote_are_the_compiled_ones(
        self, harness: Any, rng: random.Random
    ) -> None:
        inputs = []
        for i in range(2 * COUNT):
            p, r, x, _ = (wide if i % 2 else usual)(rng)
            inputs.append((p, r, x, log_uniform(rng, 1, 2**120)))
            reserve = p * r * r // (x * WAD)
            inputs.append((p, r, x, max(reserve + rng.randint(-1, 1), 1)))  # the curve's last wei
        harness.compare("baseForQuoteDown", curve.base_for_quote_down, inputs)
        harness.compare("baseForQuoteUp", curve.base_for_quote_up, inputs)

    def test_fees_and_depth_are_the_compiled_ones(self, harness: Any, rng: random.Random) -> None:
        fees = []
        for _ in range(COUNT):
            p, r, x0, x1 = usual(rng)
            index = p * rng.randint(500_000, 2_000_000) // 10**6
            fees.append((p, r, x0, x1, index, rng.choice((0, 1, WAD // 20, WAD))))
        harness.compare("distanceFeeUp", curve.distance_fee_up, fees)
        rates = [tuple(log_uniform(rng, 0, 10**17) for _ in range(4)) for _ in range(COUNT)]
        aged = [(*rate, rng.choice((0, 1, 600))) for rate in rates]
        harness.compare("flatRateUp", curve.flat_rate_up, aged)
        depths = [(log_uniform(rng, 0, 2**90), rng.randint(10**15, 2 * 10**17)) for _ in aged]
        harness.compare("pushDown", curve.push_down, depths)


class TestQuotes:
    def test_quotes_are_the_constant_product_rounded_once(self, rng: random.Random) -> None:
        for _ in range(COUNT):
            p, r, x0, x1 = usual(rng)
            exact = abs(Fraction(p * r * r, x1) - Fraction(p * r * r, x0)) / WAD
            assert curve.quote_up(p, r, x0, x1) == ceil(exact)
            assert curve.quote_down(p, r, x0, x1) == floor(exact)
            assert curve.mid(p, r, x0) == floor(Fraction(p * r * r, x0 * x0))

    def test_parts_of_a_fill_never_cost_less_than_the_whole(self, rng: random.Random) -> None:
        """Exactly: each part is rounded against the trader (INV-12)."""
        for _ in range(COUNT):
            p, r, x0, x1 = usual(rng)
            cuts = sorted(rng.randint(min(x0, x1), max(x0, x1)) for _ in range(5))
            path = [x0, *(cuts if x0 < x1 else reversed(cuts)), x1]
            steps = list(pairwise(path))
            assert sum(curve.quote_up(p, r, *s) for s in steps) >= curve.quote_up(p, r, x0, x1)
            assert sum(curve.quote_down(p, r, *s) for s in steps) <= curve.quote_down(p, r, x0, x1)

    def test_size_for_a_quote_is_never_worth_more_and_hardly_less(self, rng: random.Random) -> None:
        """Two more wei of lots would cost more than the quote: prices here are at least 1."""
        for _ in range(COUNT):
            p, r, x, _ = usual(rng)
            quote = log_uniform(rng, 10**6, p * r * r // (x * WAD) // 3)
            bought = curve.base_for_quote_down(p, r, x, quote)
            assert curve.quote_up(p, r, x, x - bought) <= quote
            assert curve.quote_up(p, r, x, x - bought - 2) >= quote
            sold = curve.base_for_quote_up(p, r, x, quote)
            assert curve.quote_down(p, r, x, x + sold) >= quote
            if sold > 2:
                assert curve.quote_down(p, r, x, x + sold - 2) <= quote

    def test_selling_for_all_the_curve_has_is_not_possible(self) -> None:
        reserve = 2_000 * 100 * WAD
        assert curve.base_for_quote_up(2_000 * WAD, 100 * WAD, 100 * WAD, reserve) == 0
        assert curve.base_for_quote_up(2_000 * WAD, 100 * WAD, 100 * WAD, reserve - 1) > 0


def exact_distance(p: int, r: int, x0: int, x1: int, index: int, rate: int) -> Fraction:
    """rate * integral of |mid / index - 1| * mid dX where mid does not cross the index."""
    k = p * r * r

    def antiderivative(x: int) -> Fraction:
        return -Fraction(k * k, 3 * x**3 * index) + Fraction(k, x)

    return abs(antiderivative(x1) - antiderivative(x0)) * rate / WAD**2


def slack(p: int, r: int, x0: int, x1: int, index: int, rate: int) -> int:
    """What rounding prices to a wei does to a fee of c * away * rate / index.

    The mean of three mids, each rounded, and its distance, rounded up, come to less than two wei.
    """
    return 2 * curve.quote_up(p, r, x0, x1) * rate // (index * WAD) + 2


class TestDistanceFee:
    def test_fee_is_the_integral_up_to_the_rounding_of_a_price(self, rng: random.Random) -> None:
        for _ in range(COUNT):
            p, r, x0, x1 = usual(rng)
            mids = (curve.mid(p, r, x0), curve.mid(p, r, x1))
            aside = rng.randint(1, 500_000)
            index = rng.choice(
                (min(mids) * 10**6 // (10**6 + aside), max(mids) * (10**6 + aside) // 10**6 + 2)
            )
            args = (p, r, x0, x1, index, rng.choice((WAD // 20, WAD)))
            assert abs(curve.distance_fee_up(*args) - exact_distance(*args)) <= slack(*args)

    def test_parts_never_pay_less_than_the_whole(self, rng: random.Random) -> None:
        """Up to the rounding of a price per part (see slack); INV-12."""
        for _ in range(COUNT):
            p, r, x0, x1 = usual(rng)
            index = p * rng.randint(700_000, 1_400_000) // 10**6
            cuts = sorted(rng.randint(min(x0, x1), max(x0, x1)) for _ in range(7))
            path = [x0, *(cuts if x0 < x1 else reversed(cuts)), x1]
            steps = list(pairwise(path))
            parts = sum(curve.distance_fee_up(p, r, *s, index, WAD) for s in steps)
            whole = curve.distance_fee_up(p, r, x0, x1, index, WAD)
            assert parts >= whole - 3 * slack(p, r, x0, x1, index, WAD)
            assert parts <= whole + 3 * slack(p, r, x0, x1, index, WAD) + 4 * len(steps)

    def test_fill_across_the_index_pays_both_ways(self) -> None:
        """From 1 % above to 1 % below: not the net distance, which is about 0."""
        p, r = 2_000 * WAD, 1_000 * WAD
        x0, x1 = r * 995 // 1_000, r * 1_005 // 1_000
        fee = curve.distance_fee_up(p, r, x0, x1, p, WAD)
        half = curve.distance_fee_up(p, r, x0, r, p, WAD)
        assert half * 19 // 10 < fee < half * 21 // 10

    def test_no_rate_no_fee(self) -> None:
        assert curve.distance_fee_up(WAD, WAD, WAD, 2 * WAD, WAD, 0) == 0


class TestFlatRate:
    def test_rate_stops_at_its_cap(self) -> None:
        base, age, cap = 5 * 10**14, WAD, 2 * 10**16
        assert curve.flat_rate_up(base, age, cap, 10**18, 600) == cap
        assert curve.flat_rate_up(base, age, cap, 0, 600) == base

    def test_rate_grows_with_the_square_root_of_the_age(self) -> None:
        """Variance 1e-8 a second: 100 s are 0.1 % of deviation."""
        assert curve.flat_rate_up(0, WAD, WAD, 10**10, 100) == 10**15


class TestDepth:
    def test_push_moves_the_mid_to_the_band(self, rng: random.Random) -> None:
        for _ in range(COUNT):
            r, band = rng.randint(WAD, 100_000 * WAD), rng.randint(10**15, 2 * 10**17)
            x = r - curve.push_down(r, band)
            exact = Fraction(r * r, x * x) - 1 - Fraction(band, WAD)
            # a wei of sqrt(1 + band) is 2e-18 of the mid; it is never pushed past the band
            assert -Fraction(6, WAD) < exact <= Fraction(6, WAD)
