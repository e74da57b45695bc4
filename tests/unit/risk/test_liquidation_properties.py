"""What no takeover may break, whatever the account: in the model, which equals the contract."""

from dataclasses import dataclass
from fractions import Fraction

from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from novation.model.fixed import mul_wad_up
from novation.model.liquidation import MAX_TARGET, MIN_TARGET, LiquidationTerms
from novation.model.margin import Sums, only_fell
from novation.model.market_types import MarketState, MarketView
from novation.units import PPM, WAD

NO_LIMIT = 2**256 - 1
MAX_SIZE = 2**79 - 1
UNIT = WAD // 1_000
"""Of minReward."""


def market(index: int, mmr: int, scale: int, live: bool = True, strict: int = 0) -> MarketView:
    """Only what maintenance needs; prices and rates WAD, `scale` whole quote."""
    return MarketView(
        index=index,
        strict=strict or index,
        open_interest=0,
        units=[0, 0],
        k=[0, 0],
        epoch=[0, 0],
        imr=2 * mmr,
        mmr=mmr,
        size_scale=scale * WAD,
        interest_rate=0,
        depth=0,
        profit_weight=0,
        min_notional=50 * WAD,
        open_interest_cap=0,
        account_cap=0,
        updated_at=0,
        variance=0,
        premium=0,
        interrupted_until=0,
        live=live,
        state=MarketState.ACTIVE,
        isolated=False,
    )


@dataclass
class Book:
    """An account: what is to be taken comes first."""

    held: list[tuple[MarketView, int]]
    equity: int
    venue: bool = False

    def maintenance(self) -> int:
        sums = Sums()
        return sum(sums.maintenance_of(m, size, self.venue) for m, size in self.held if size)

    def own(self) -> int:
        return Sums().maintenance_of(*self.held[0], self.venue)

    def take(self, terms: LiquidationTerms, cap: int = NO_LIMIT) -> tuple[int, int, int]:
        """Takes over the first position; lots, reward, penalty."""
        m, size = self.held[0]
        values = (self.equity, self.maintenance(), abs(size), m.index, self.own())
        x, reward, penalty = terms.plan(*values, cap)
        self.equity -= reward + penalty
        self.held[0] = (m, size - x if size > 0 else size + x)
        return x, reward, penalty


@st.composite
def positions(draw: st.DrawFn, dead: bool = False) -> tuple[MarketView, int]:
    """From 50 quote to five million, at prices from 0.01 to a million."""
    index = draw(st.integers(10**16, 10**24) | st.integers(10**20, 10**23))
    mmr = draw(st.integers(5_000, 250_000)) * 10**12
    scale = draw(st.sampled_from([10_000, 1_000_000, 10_000_000, 2**40]))
    value = draw(st.integers(50, 3_000) | st.integers(50, 5_000_000))
    size = min(value * WAD * WAD // index + draw(st.integers(1, 10**6)), MAX_SIZE)
    live = not (dead and draw(st.booleans()))
    strict = index * draw(st.integers(80, 120)) // 100
    side = draw(st.sampled_from([1, -1]))
    return market(index, mmr, scale, live, strict), side * size


@st.composite
def terms_of(draw: st.DrawFn, mmr: int) -> LiquidationTerms:
    """Inside the bounds of a market with this rate of maintenance, WAD."""
    most = mmr // 10**12 - 1
    high = draw(st.integers(1, most))
    low = draw(st.integers(1, high))
    penalty = draw(st.integers(0, most - high))
    target = draw(st.sampled_from([MIN_TARGET, 1_200_000, MAX_TARGET]))
    whole = draw(st.sampled_from([50, 1_000, 20_000]))
    lot = draw(st.integers(1, whole))
    bound = (low + penalty) * lot // 1_000
    reward = draw(st.just(bound) | st.integers(0, bound))
    made = LiquidationTerms(low, high, penalty, target, lot, whole, reward, 10_000)
    made.check(most + 1, 50)
    return made


@st.composite
def unhealthy(draw: st.DrawFn, most: int = 4, least: int = 0) -> tuple[Book, LiquidationTerms]:
    """0 <= E < M, often within a few wei of either end; other markets may be without a price.

    `most` markets; `least` percent of health.
    """
    first = draw(positions())
    others = [draw(positions(dead=True)) for _ in range(draw(st.integers(0, most - 1)))]
    book = Book([first, *others], 0, draw(st.sampled_from([False, False, False, True])))
    full = book.maintenance()
    ends = st.sampled_from([0, 1, 1_000, full // 2, full - 10**6, full - 1_000, full - 1])
    book.equity = draw(ends | st.integers(full * least // 100, full - 1))
    book.equity = max(book.equity, full * least // 100)
    mmr = WAD // 10 if book.venue else first[0].mmr
    return book, draw(terms_of(min(mmr, first[0].mmr)))


def capped(book: Book, terms: LiquidationTerms, part: int) -> int:
    """A cap that is not refused: a part of the position, or none."""
    m, size = book.held[0]
    cap = abs(size) * part // 100
    left = abs(size) - cap
    return NO_LIMIT if cap < terms.lots(m.index) or terms.leaves_dust(left, m.index) else cap


@settings(max_examples=700, deadline=None, derandomize=True)
@given(case=unhealthy(), part=st.integers(1, 100))
def test_inv_15_takeover_only_lowers_risk(case: tuple[Book, LiquidationTerms], part: int) -> None:
    """E / M never falls, E - M strictly rises, E is never negative, in any number of markets."""
    book, terms = case
    equity, full = book.equity, book.maintenance()
    x, reward, penalty = book.take(terms, capped(book, terms, part))
    after = book.maintenance()
    event("whole" if book.held[0][1] == 0 else "part")
    assert x > 0
    assert book.equity >= 0
    assert book.equity - after > equity - full
    assert only_fell(equity, full, book.equity, after)
    assert book.equity == equity - reward - penalty


@settings(max_examples=700, deadline=None, derandomize=True)
@given(case=unhealthy(), part=st.integers(1, 100))
def test_reward_and_penalty_stay_below_what_maintenance_frees(
    case: tuple[Book, LiquidationTerms], part: int
) -> None:
    """reward + penalty <= r * h * V, exactly; the reward has its least rate unless that binds."""
    book, terms = case
    (m, size), own = book.held[0], book.own()
    h = Fraction(book.equity, book.maintenance())
    x, reward, penalty = book.take(terms, capped(book, terms, part))
    value = Fraction(x * m.index, WAD)
    most = Fraction(own * WAD, abs(size) * m.index) * h * value
    assert reward + penalty <= most
    rates = Fraction(terms.reward_min, PPM), Fraction(terms.reward_max, PPM)
    assert reward <= rates[0] * value + (rates[1] - rates[0]) * (1 - h) * value + value / WAD
    bound = most < (rates[1] + Fraction(terms.penalty, PPM)) * value * Fraction(1_000_001, 10**6)
    event("bound" if bound else "free")
    if not bound:
        assert reward >= rates[0] * value - 2 - value / WAD
        assert penalty >= Fraction(terms.penalty, PPM) * value - 2


@settings(max_examples=700, deadline=None, derandomize=True)
@given(case=unhealthy(most=2, least=75))
def test_size_is_the_smallest_that_restores_the_target(
    case: tuple[Book, LiquidationTerms],
) -> None:
    """At the rate of the old size, unless least lot or dust binds. A millionth less does not."""
    book, terms = case
    (m, size), full, equity, own = book.held[0], book.maintenance(), book.equity, book.own()
    rate = own * WAD // mul_wad_up(abs(size), m.index)
    costs = sum(terms.rates(rate, equity * WAD // full))
    x, _, _ = book.take(terms)
    assume(x < abs(size))
    t = Fraction(terms.target, PPM)

    def short(value: Fraction) -> Fraction:
        """Of t * M, when so much has been taken."""
        return t * (full - Fraction(rate, WAD) * value) - (equity - Fraction(costs, WAD) * value)

    value = Fraction(x * m.index, WAD)
    assert short(value) <= 10**10
    assert Fraction(book.equity) >= t * book.maintenance() - 10**10
    event("least lot" if x == terms.lots(m.index) else "formula")
    if x != terms.lots(m.index):
        assert short(value * Fraction(999_999, 1_000_000)) > 0


@settings(max_examples=400, deadline=None, derandomize=True)
@given(case=unhealthy(most=3, least=40), steps=st.integers(2, 40))
def test_splitting_into_least_lots_does_not_earn_top_ups(
    case: tuple[Book, LiquidationTerms], steps: int
) -> None:
    """Victim and taker together lose to penalties what insurance adds, and more, step by step.

    Not where r * h holds reward and penalty down, nor in positions below a least lot: there only
    the budget bounds it.
    """
    book, terms = case
    m = book.held[0][0]
    insured, free = 0, True
    for _ in range(steps):
        lots, h = abs(book.held[0][1]), Fraction(book.equity, book.maintenance())
        if lots < terms.lots(m.index) or h >= 1:
            break
        most = Fraction(book.own() * WAD, lots * m.index) * h
        free = free and most > Fraction(terms.reward_max + terms.penalty + 1, PPM)
        least = terms.lots(m.index)
        cap = NO_LIMIT if terms.leaves_dust(lots - least, m.index) else least
        x, reward, penalty = book.take(terms, cap)
        top_up = max(terms.min_reward * UNIT - reward, 0)
        insured += penalty - top_up
        if free:
            # Reward and penalty are rounded down, each at its rate and at its amount.
            assert top_up <= penalty + 2 + 2 * x * m.index // WAD // WAD
        if book.held[0][1] == 0:
            break
    event("free" if free else "held down")
    event("insurance lost" if insured < 0 else "insurance gained")
    if free:
        assert insured >= -steps * 10**7
