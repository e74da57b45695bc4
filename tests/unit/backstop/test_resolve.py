"""Liquidator.resolve: how a bankrupt account ends, who pays, and where its position goes."""

import pytest

from novation.chain.contract import Contract
from novation.units import WAD
from tests.unit.backstop.stressed import (
    DUST,
    ENTRY,
    HEARTBEAT,
    STAKE,
    Stressed,
    assert_ended,
    refusal,
    worth,
)
from tests.world import HOUR, World, account_id


@pytest.fixture
def stress(world: World) -> Stressed:
    return Stressed(world)


def winners(stress: Stressed, lots: int = 100) -> tuple[bytes, bytes]:
    """The victim's 100 lots against 75 and 25; more lots come from the taker. At 2000."""
    world = stress.world
    stress.victim = world.deposit(world.trader, 24_000)
    first, second = world.deposit(world.other, 100_000), world.deposit(world.other, 50_000, sub=1)
    extra = lots - 100
    stress.fund_taker()
    for buyer, size in ((stress.victim, 100), (stress.taker, extra)):
        for seller, part in ((first, 3), (second, 1)):
            if size:
                stress.cross(stress.eth, buyer, seller, size * WAD * part // 4, ENTRY)
    return first, second


# To a taker


def test_insurance_pays_first_and_the_other_side_the_rest_pro_rata(stress: Stressed) -> None:
    """A deficit of 1000: 800 by insurance, 150 and 50 by who holds 75 and 25 lots."""
    stress.insure()
    first, second = winners(stress)
    stress.world.push(stress.eth.feed, "1750")
    had = [worth(stress, a) for a in (first, second)]
    told = stress.resolve(taker=stress.taker)
    (covered,) = told["Covered"]
    assert covered["account"] == stress.victim
    assert [covered[k] for k in ("market", "insured", "charged")] == [
        0,
        800 * WAD,
        pytest.approx(200 * WAD, abs=DUST),
    ]
    assert had[0] - worth(stress, first) == pytest.approx(150 * WAD, abs=DUST)
    assert had[1] - worth(stress, second) == pytest.approx(50 * WAD, abs=DUST)
    assert stress.capital(stress.fund) == STAKE * WAD - 805 * WAD
    assert stress.world.clearing.read("orphanDeficit") == 0
    assert "Orphaned" not in told


def test_position_goes_to_the_taker_at_the_index_with_the_least_reward(
    stress: Stressed,
) -> None:
    stress.insure()
    first, second = winners(stress)
    stress.world.push(stress.eth.feed, "1750")
    answer = stress.answer("resolve", stress.victim, stress.taker, 0)
    assert list(answer) == [True, 5 * WAD]
    told = stress.resolve(taker=stress.taker)
    (event,) = told["Resolved"]
    assert list(event.values()) == [stress.victim, stress.taker, True, 5 * WAD]
    assert told["Spending"][0]["amount"] == 5 * WAD
    assert_ended(stress, stress.victim)
    assert stress.size(stress.taker) == pytest.approx(100 * WAD, abs=DUST)
    assert stress.capital(stress.taker) == 1_000_005 * WAD
    assert abs(worth(stress, stress.taker) - 1_000_005 * WAD) < DUST
    assert stress.size(first) == pytest.approx(-75 * WAD, abs=DUST)
    assert stress.size(second) == pytest.approx(-25 * WAD, abs=DUST)
    assert stress.world.view(stress.eth).openInterest == 100 * WAD


def test_deficit_inside_the_allotment_costs_nobody_else(stress: Stressed) -> None:
    stress.insure()
    first, second = winners(stress)
    stress.world.push(stress.eth.feed, "1755")
    had = [worth(stress, a) for a in (first, second)]
    (covered,) = stress.resolve(taker=stress.taker)["Covered"]
    assert (covered["insured"], covered["charged"]) == (500 * WAD, 0)
    assert [worth(stress, a) for a in (first, second)] == had
    assert stress.capital(stress.fund) == STAKE * WAD - 505 * WAD


def test_without_insurance_the_other_side_pays_all_and_the_taker_gets_nothing(
    stress: Stressed,
) -> None:
    first, second = winners(stress)
    stress.world.push(stress.eth.feed, "1750")
    had = [worth(stress, a) for a in (first, second)]
    told = stress.resolve(taker=stress.taker)
    assert told["Resolved"][0]["paid"] == 0
    assert had[0] - worth(stress, first) == pytest.approx(750 * WAD, abs=DUST)
    assert had[1] - worth(stress, second) == pytest.approx(250 * WAD, abs=DUST)


def test_taker_without_margin_is_refused_and_nothing_moves(stress: Stressed) -> None:
    stress.insure()
    winners(stress)
    poor = account_id(stress.world.stranger, 9)
    stress.world.push(stress.eth.feed, "1750")
    name, (account, equity, required) = refusal(stress.resolve, taker=poor)
    assert (name, account, equity) == ("ClearingInitialMargin", poor, 0)
    assert required > 17_500 * WAD
    assert stress.capital(stress.fund) == STAKE * WAD


def test_taker_of_somebody_else_is_refused(stress: Stressed) -> None:
    first, _ = winners(stress)
    stress.world.push(stress.eth.feed, "1750")
    found = refusal(stress.resolve, taker=first)
    assert found == ("LiquidatorNotAuthorised", [first, stress.world.stranger])


def test_solvent_account_is_refused(stress: Stressed) -> None:
    """Equity of exactly 0 is solvent: a takeover moves it."""
    winners(stress)
    stress.world.push(stress.eth.feed, "1760")
    assert refusal(stress.resolve, taker=stress.taker) == ("BackstopSolvent", [stress.victim, 0])
    stress.world.push(stress.eth.feed, "1765")
    found = refusal(stress.resolve, taker=stress.taker)
    assert found == ("BackstopSolvent", [stress.victim, 500 * WAD])


def test_only_the_liquidator_may_call_the_clearing_house(stress: Stressed) -> None:
    winners(stress)
    world = stress.world
    inner = Contract(world.chain, world.clearing.address, "Resolver")
    terms = world.liquidator.read("termsOf", 0)
    values = (stress.victim, stress.taker, 0, 0, list(terms))
    found = refusal(world.chain.send, inner, "resolve", *values, sender=world.stranger)
    assert found == ("BackstopNotLiquidator", [world.stranger])


# Without a taker


def test_first_call_marks_and_the_next_is_too_early(stress: Stressed) -> None:
    stress.insure()
    winners(stress)
    stress.world.push(stress.eth.feed, "1750")
    told = stress.resolve()
    mark = stress.world.chain.now
    assert told["Marked"] == [{"account": stress.victim, "time": mark}]
    assert (told["Resolved"][0]["done"], told["Resolved"][0]["paid"]) == (False, 0)
    assert "Covered" not in told
    assert stress.size(stress.victim) == pytest.approx(100 * WAD, abs=DUST)
    assert stress.capital(stress.fund) == STAKE * WAD
    round_ = stress.world.view(stress.eth).updatedAt
    assert refusal(stress.resolve) == ("BackstopWait", [stress.victim, mark, round_])


def marked(stress: Stressed, price: str = "1750") -> int:
    """Marks the victim; when."""
    stress.world.push(stress.eth.feed, price)
    stress.resolve()
    return stress.world.chain.now


def test_later_round_waits_for_a_heartbeat_while_the_venue_fills(stress: Stressed) -> None:
    winners(stress)
    mark = marked(stress)
    world = stress.world
    world.chain.mine_at(mark + 1_800)
    world.push(stress.eth.feed, "1750")
    found = refusal(stress.resolve)
    assert found == ("BackstopWait", [stress.victim, mark + HEARTBEAT, mark])
    world.chain.mine_at(mark + HEARTBEAT - 10)
    world.push(stress.eth.feed, "1750")
    assert refusal(stress.resolve) == found
    world.chain.next_at(mark + HEARTBEAT)
    assert stress.resolve()["Resolved"][0]["done"] is True


def test_later_round_is_enough_when_the_venue_refuses_a_least_lot(stress: Stressed) -> None:
    """Somebody has sold so much to the pool that its mid is more than 0.5 % below the index."""
    winners(stress)
    world = stress.world
    mark = marked(stress)
    world.chain.mine_at(mark + 1_800)
    world.push(stress.eth.feed, "1750")
    world.trade(stress.eth, world.stranger, -WAD)
    assert refusal(stress.resolve)[0] == "BackstopWait"
    world.trade(stress.eth, world.stranger, -10 * WAD)
    assert stress.resolve()["Deleveraged"][0]["account"] == stress.victim
    assert world.chain.now < mark + HEARTBEAT - HOUR // 4


def test_deleverage_shrinks_the_other_side_pro_rata_and_moves_no_pnl(stress: Stressed) -> None:
    """150 and 50 short against the victim's 100 and the taker's 100."""
    stress.insure(10_000)
    first, second = winners(stress, 200)
    mark = marked(stress)
    world = stress.world
    world.chain.mine_at(mark + HEARTBEAT)
    world.push(stress.eth.feed, "1750")
    others = (first, second, stress.taker)
    had = [worth(stress, a) for a in others]
    assert [stress.size(a) for a in others] == [
        pytest.approx(lots * WAD, abs=DUST) for lots in (-150, -50, 100)
    ]
    told = stress.resolve()
    (gone,) = told["Deleveraged"]
    assert (gone["account"], gone["market"]) == (stress.victim, 0)
    assert gone["size"] == 100 * WAD
    assert world.view(stress.eth).openInterest == 100 * WAD
    assert [stress.size(a) for a in others] == [
        pytest.approx(lots * WAD, abs=DUST) for lots in (-75, -25, 100)
    ]
    assert [worth(stress, a) for a in others] == had
    assert told["Covered"][0]["insured"] == 1_000 * WAD
    assert_ended(stress, stress.victim)
    for account in others:
        world.touch(account)
    assert [worth(stress, a) for a in others] == [pytest.approx(w, abs=DUST) for w in had]


def test_charge_falls_on_the_sizes_before_the_deleverage(stress: Stressed) -> None:
    first, second = winners(stress, 200)
    mark = marked(stress)
    stress.world.chain.mine_at(mark + HEARTBEAT)
    stress.world.push(stress.eth.feed, "1750")
    had = [worth(stress, a) for a in (first, second)]
    stress.resolve()
    assert had[0] - worth(stress, first) == pytest.approx(750 * WAD, abs=DUST)
    assert had[1] - worth(stress, second) == pytest.approx(250 * WAD, abs=DUST)


def test_mark_lapses_a_day_after_its_first_moment_of_use(stress: Stressed) -> None:
    winners(stress)
    mark = marked(stress)
    world = stress.world
    late = mark + HEARTBEAT + 86_400
    world.chain.mine_at(late - 5)
    world.push(stress.eth.feed, "1750")
    with world.chain.isolated():
        world.chain.next_at(late)
        assert stress.resolve()["Resolved"][0]["done"] is True
    world.chain.next_at(late + 1)
    told = stress.resolve()
    assert told["Marked"] == [{"account": stress.victim, "time": late + 1}]


def test_account_that_recovers_cannot_be_deleveraged(stress: Stressed) -> None:
    winners(stress)
    mark = marked(stress)
    stress.world.chain.mine_at(mark + HEARTBEAT)
    stress.world.push(stress.eth.feed, "1800")
    told = stress.resolve()
    assert told["Marked"] == [{"account": stress.victim, "time": 0}]
    assert not told["Resolved"][0]["done"]
    assert stress.size(stress.victim) != 0
    assert refusal(stress.resolve)[0] == "BackstopSolvent"


def test_mark_of_a_recovered_account_is_gone_when_it_is_bankrupt_again(stress: Stressed) -> None:
    """RL-9: who was found solvent is marked anew, and waits anew."""
    winners(stress)
    mark = marked(stress)
    stress.world.push(stress.eth.feed, "1800")
    stress.resolve()
    stress.world.chain.mine_at(mark + HEARTBEAT)
    stress.world.push(stress.eth.feed, "1750")
    told = stress.resolve()
    assert told["Marked"][0]["time"] > mark + HEARTBEAT
    assert refusal(stress.resolve)[0] == "BackstopWait"
