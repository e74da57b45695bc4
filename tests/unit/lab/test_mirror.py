"""The mirror's sums, and that it cries out when money is missing, made, or counted twice."""

from dataclasses import replace

import pytest

from novation.chain.words import AccountWord, HouseWord, PositionWord
from novation.lab.errors import ConservationError
from novation.lab.mirror import Mirror
from novation.model.market_types import MarketState, MarketView
from novation.units import FEE_UNIT, K_UNIT, RATIO_UNIT, WAD

LONG, SHORT = b"\1" * 32, b"\2" * 32
VIEW = MarketView(
    index=200 * WAD,
    strict=200 * WAD,
    open_interest=10 * WAD,
    units=[10 * WAD, 10 * WAD],
    k=[5 * K_UNIT, -5 * K_UNIT],
    epoch=[0, 0],
    imr=WAD // 10,
    mmr=WAD * 6 // 100,
    size_scale=10**7 * WAD,
    interest_rate=0,
    depth=100 * WAD,
    profit_weight=WAD // 2,
    min_notional=WAD,
    open_interest_cap=10**6 * WAD,
    account_cap=10**9 * WAD,
    updated_at=1,
    variance=0,
    premium=0,
    interrupted_until=0,
    live=True,
    state=MarketState.ACTIVE,
    isolated=False,
)
"""Longs have gained 5 a lot since their last touch, shorts lost as much."""


@pytest.fixture
def mirror():
    made = Mirror("0x" + "aa" * 20, "0x" + "bb" * 20, 0)
    made.accounts = {LONG: AccountWord(1000 * WAD, 7 * WAD, 1), SHORT: AccountWord(900 * WAD, 0, 1)}
    made.positions = {LONG: PositionWord(10 * WAD, 0, 0), SHORT: PositionWord(-10 * WAD, 0, 0)}
    made.fees = 3
    made.bring_to(VIEW)
    return made


CLAIMS = 1907 * WAD + 3 * FEE_UNIT
HOUSE = HouseWord(1900 * WAD, 7 * WAD, 3)


def test_books_add_up_and_what_is_over_is_surplus(mirror):
    books = mirror.check(1, CLAIMS + 11, HOUSE)
    assert (books.capital, books.pnl, books.untouched) == (1900 * WAD, 7 * WAD, 0)
    assert books.surplus == 11
    assert books.ratio == WAD
    assert (mirror.holdings[LONG].untouched, mirror.holdings[SHORT].untouched) == (
        50 * WAD,
        -50 * WAD,
    )


def test_health_counts_what_a_touch_would_add(mirror):
    assert mirror.health(LONG).equity == 1057 * WAD
    assert mirror.health(SHORT).equity == 850 * WAD
    assert mirror.size(SHORT) == -10 * WAD


def test_profit_without_backing_lowers_the_ratio(mirror):
    mirror.accounts[SHORT] = AccountWord(900 * WAD, -7 * WAD, 1)
    books = mirror.check(1, 1903 * WAD, HOUSE)
    assert books.ratio == (3 * WAD - 3 * FEE_UNIT) * WAD // (7 * WAD)


def test_position_of_an_ended_epoch_converts(mirror):
    mirror.ended[0, 0] = (2 * K_UNIT, RATIO_UNIT // 2)
    mirror.bring_to(replace(VIEW, epoch=[1, 0], units=[5 * WAD, 10 * WAD], open_interest=5 * WAD))
    held = mirror.holdings[LONG]
    assert held.size == 5 * WAD
    assert held.untouched == 20 * WAD + 15 * WAD


@pytest.mark.parametrize(
    ("vault", "said"),
    [(CLAIMS - 1, "V is"), (1900 * WAD, "V is"), (0, "V is")],
)
def test_missing_money_stops_the_run(mirror, vault, said):
    with pytest.raises(ConservationError, match=f"block 9: {said}"):
        mirror.check(9, vault, HOUSE)


@pytest.mark.parametrize(
    ("house", "said"),
    [
        (HouseWord(1900 * WAD + 1, 7 * WAD, 3), "capitalTotal"),
        (HouseWord(1900 * WAD, 7 * WAD - 1, 3), "profitTotal"),
        (HouseWord(1900 * WAD, 7 * WAD, 4), "feesPending"),
    ],
)
def test_totals_that_are_not_the_sums_stop_the_run(mirror, house, said):
    with pytest.raises(ConservationError, match=said):
        mirror.check(9, CLAIMS, house)


@pytest.mark.parametrize("interest", [10 * WAD + 2_000, 10 * WAD - 1])
def test_sizes_that_are_not_open_interest_stop_the_run(mirror, interest):
    mirror.view = replace(VIEW, open_interest=interest)
    with pytest.raises(ConservationError, match="open interest"):
        mirror.check(9, CLAIMS, HOUSE)


@pytest.mark.parametrize("size", [3 * WAD, -3 * WAD])
def test_deleveraged_lots_are_worth_the_index_of_their_block(mirror, size):
    (topic,) = [t for t, name in mirror._topics.items() if name == "Deleveraged"]
    data = "0x" + (size % 2**256).to_bytes(32, "big").hex()
    log = {"address": mirror.clearing, "topics": [topic, "0x00", "0x00"], "data": data}
    mirror.take([log])
    mirror.bring_to(replace(VIEW, index=150 * WAD))
    mirror.bring_to(replace(VIEW, index=400 * WAD))
    assert (mirror.losses.deleveraged, mirror.losses.notional) == (3 * WAD, 450 * WAD)


def test_position_in_a_market_that_is_not_mirrored_is_refused(mirror):
    (topic,) = [t for t, name in mirror._topics.items() if name == "PositionSet"]
    topics = [topic, "0x" + LONG.hex(), "0x" + (7).to_bytes(32, "big").hex()]
    log = {"address": mirror.clearing, "topics": topics, "data": "0x" + "00" * 32}
    with pytest.raises(ValueError, match="market 7"):
        mirror.take([log])
