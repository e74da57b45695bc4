"""What margin promises of any account: in the model, which equals the contracts."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from novation.model.margin import Sums, health_of
from novation.model.market_types import MarketView
from novation.units import WAD
from tests.unit.risk.test_liquidation_properties import market

MOST = 300_000
"""Initial rate, ppm, and notional up to the size scale: where all markets of the specs are."""
Held = tuple[MarketView, int]


@st.composite
def held(draw: st.DrawFn) -> Held:
    """A live position, with an average up to 40 % away and some interest beside it."""
    imr = draw(st.integers(5_000, MOST))
    mmr = draw(st.integers(2_500, imr - 1))
    index = draw(st.integers(10**16, 10**24))
    scale = draw(st.sampled_from([10_000, 10**6, 10**7]))
    strict = index * draw(st.integers(60, 140)) // 100
    view = market(index, mmr * 10**12, scale, strict=strict)
    interest, depth = draw(st.integers(0, 10**24)), draw(st.integers(0, 10**22))
    view = replace(
        view, imr=imr * 10**12, open_interest=interest, depth=depth, interest_rate=10**16
    )
    lots = draw(st.integers(1, scale)) * WAD * WAD // index
    return view, lots * draw(st.sampled_from([1, -1]))


def sums_of(positions: list[Held]) -> Sums:
    sums = Sums()
    for view, size in positions:
        sums.add(view, size, False)
    return sums


@settings(max_examples=300, deadline=None, derandomize=True)
@given(positions=st.lists(held(), min_size=1, max_size=5), pnl=st.integers(-(10**25), 10**25))
def test_inv_14_who_has_initial_margin_is_far_from_a_takeover(
    positions: list[Held], pnl: int
) -> None:
    """IM >= MM: with the least capital that initial margin asks for, equity covers maintenance.

    At any average: what the strict price takes off the requirement it takes off equity as well.
    """
    sums = sums_of(positions)
    capital = max(sums.initial - sums.strict_loss - min(pnl, 0), 0)
    health = health_of(capital, pnl, sums, (0, 0))
    assert health.initial_equity >= health.initial
    assert health.equity >= health.maintenance > 0
    assert health.free == 0 or capital == 0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(position=held(), more=st.integers(1, 10**24), rest=st.lists(held(), max_size=3))
def test_inv_14_more_of_a_position_never_asks_for_less(
    position: Held, more: int, rest: list[Held]
) -> None:
    view, size = position
    larger = size + (more if size > 0 else -more)
    one, two = (sums_of([*rest, (view, each)]) for each in (size, larger))
    assert two.maintenance >= one.maintenance
    assert two.initial >= one.initial
    assert two.strict_loss <= one.strict_loss


@settings(max_examples=300, deadline=None, derandomize=True)
@given(positions=st.lists(held(), min_size=1, max_size=4), dead=st.integers(0, 3))
def test_inv_14_a_market_that_dies_frees_nothing(positions: list[Held], dead: int) -> None:
    """Its price goes: equity and what it has above maintenance fall, nothing may be withdrawn."""
    at = dead % len(positions)
    view, size = positions[at]
    gone = [*positions]
    gone[at] = (replace(view, live=False), size)
    capital = 10**24
    had = health_of(capital, 0, sums_of(positions), (0, 0))
    has = health_of(capital, 0, sums_of(gone), (0, 0))
    assert has.equity <= had.equity
    assert has.free == 0
    assert has.equity - has.maintenance <= had.equity - had.maintenance
