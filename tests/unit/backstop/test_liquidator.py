"""Liquidator.liquidate: how much is taken, for what, and who gets it."""

from fractions import Fraction
from typing import Any

import pytest

from novation.units import WAD
from tests.unit.backstop.stressed import (
    EVERYTHING,
    STAKE,
    Stressed,
    model_terms,
    reason,
    refusal,
)
from tests.world import DAY, FUND, HOUR, TRADE, World, account_id

WEI = 10**4
"""What roundings of rates of 1e-18 come to, on values of 1e5 quote and less."""


@pytest.fixture
def stress(world: World) -> Stressed:
    """The trader holds 100 lots against `other`; the taker has a million; insurance has 2000."""
    made = Stressed(world)
    made.insure()
    made.long()
    made.fund_taker()
    return made


def about(value: Fraction | float) -> Any:
    return pytest.approx(float(value), rel=1e-9)


# How much


def test_liquidate_takes_what_restores_the_target_and_no_more(stress: Stressed) -> None:
    """INV-15. At the old rate of maintenance, which is the highest: E = 1.2 * M."""
    stress.push_to(0.9)
    before, index = stress.health(), stress.index()
    x, reward, penalty = stress.plan()
    taken = stress.liquidate()
    assert (-taken.size, taken.reward, taken.penalty) == (x, reward, penalty)
    rate = Fraction(before.maintenance, 100 * index)
    value = Fraction(x * index, WAD)
    costs = Fraction(75, 10_000) + Fraction(1, 100)
    needed = Fraction(12, 10) * before.maintenance - before.equity
    assert float(value) == about(needed / (Fraction(12, 10) * rate - costs))
    assert x == pytest.approx(32.83475 * WAD, rel=1e-6)
    after = stress.health()
    assert after.equity == pytest.approx(before.equity - reward - penalty, abs=WEI)
    least = Fraction(12, 10) * (before.maintenance - rate * value)
    assert 0 <= after.equity - least < WEI
    assert Fraction(12, 10) <= Fraction(after.equity, after.maintenance) < Fraction(121, 100)
    assert after.equity - after.maintenance > before.equity - before.maintenance


def test_position_moves_to_the_taker_at_the_index(stress: Stressed) -> None:
    stress.push_to(0.9)
    interest = stress.world.view(stress.eth).openInterest
    winner = stress.touched(stress.other)
    taken = stress.liquidate()
    assert stress.size(stress.taker) == pytest.approx(-taken.size, abs=10)
    assert stress.size(stress.victim) == pytest.approx(100 * WAD + taken.size, abs=10)
    assert stress.size(stress.other) == pytest.approx(-100 * WAD, abs=10)
    assert stress.world.view(stress.eth).openInterest == interest == 100 * WAD
    taker = stress.touched(stress.taker)
    assert taker.capital + taker.pnl == pytest.approx(10**6 * WAD + taken.reward, abs=10)
    after = stress.touched(stress.other)
    assert after.capital + after.pnl == pytest.approx(winner.capital + winner.pnl, abs=10)


@pytest.mark.parametrize(("whole_below", "lots"), [(125_000, 32.83475), (125_100, 100)])
def test_whole_when_dust_would_be_left(stress: Stressed, whole_below: int, lots: float) -> None:
    """67.165 lots at 1862.445 are worth 125,091."""
    stress.set_terms(stress.eth, wholeBelow=whole_below)
    stress.push_to(0.9)
    taken = stress.liquidate()
    assert -taken.size == pytest.approx(lots * WAD, rel=1e-6)
    assert stress.size(stress.victim) == pytest.approx((100 - lots) * WAD, rel=1e-6, abs=1)
    assert bool(stress.world.account(stress.victim).bitmap & 1) == (lots != 100)


def test_position_below_whole_below_is_taken_whole(stress: Stressed) -> None:
    small = stress.long(Fraction(2, 5), sub=1)
    stress.push_to(0.9, Fraction(2, 5))
    taken = stress.liquidate(victim=small)
    assert taken.size == -2 * WAD // 5
    assert stress.size(small) == 0
    assert stress.world.account(small).bitmap == 0


def test_least_lot_is_taken_when_less_would_do(stress: Stressed) -> None:
    """0.222 of 1 lot would do, worth 419; 500 quote it is."""
    small = stress.long(1, sub=1)
    stress.push_to(0.99, 1)
    taken = stress.liquidate(victim=small)
    lot = -(-500 * WAD * WAD // stress.index())
    assert taken.size == -lot
    assert stress.size(small) == pytest.approx(WAD - lot, abs=10)


# Caps


def test_cap_takes_no_more_than_asked(stress: Stressed) -> None:
    stress.push_to(0.9)
    x, reward, penalty = stress.plan(10 * WAD)
    taken = stress.liquidate(maxSize=10 * WAD)
    assert (taken.size, x) == (-10 * WAD, 10 * WAD)
    assert (taken.reward, taken.penalty) == (reward, penalty)
    assert stress.size(stress.taker) == pytest.approx(10 * WAD, abs=10)


def test_cap_below_the_least_lot_is_refused_with_numbers(stress: Stressed) -> None:
    stress.push_to(0.9)
    least = -(-500 * WAD * WAD // stress.index())
    found = refusal(stress.liquidate, maxSize=least - 1)
    assert found == ("LiquidationCapTooLow", [least - 1, least])
    assert stress.liquidate(maxSize=least).size == -least


def test_cap_that_would_leave_dust_is_refused_with_the_whole(stress: Stressed) -> None:
    small = stress.long(Fraction(7, 10), sub=1)
    stress.push_to(0.9, Fraction(7, 10))
    found = refusal(stress.liquidate, victim=small, maxSize=3 * WAD // 10)
    assert found == ("LiquidationCapTooLow", [3 * WAD // 10, 7 * WAD // 10])
    assert stress.liquidate(victim=small, maxSize=7 * WAD // 10).size == -7 * WAD // 10


# Reward and penalty


@pytest.mark.parametrize(
    ("health", "reward_ppm", "penalty_ppm"),
    [(0.9, 7_500, 10_000), (0.6, 15_000, 10_000), (0.4, 20_000, None), (0.1, None, 0)],
)
def test_reward_and_penalty_are_exact_and_the_penalty_gives_way_first(
    stress: Stressed, health: float, reward_ppm: int | None, penalty_ppm: int | None
) -> None:
    """Of the value; None: what is left of r * h."""
    price = stress.push_to(health)
    h, index = stress.health(), stress.index()
    taken = stress.liquidate(maxSize=10 * WAD)
    rate = h.maintenance * WAD // (100 * index)
    most = rate * (h.equity * WAD // h.maintenance) // WAD - 1_000
    loss = 25_000 * (WAD - h.equity * WAD // h.maintenance) // 10**6
    reward = min(5_000 * 10**12 + loss, most)
    penalty = min(10_000 * 10**12, most - reward)
    assert taken.reward == 10 * index * reward // WAD
    assert taken.penalty == 10 * index * penalty // WAD
    left = float(Fraction(h.maintenance, 100 * index)) * health * 10**6
    assert reward / 10**12 == pytest.approx(reward_ppm or left, rel=1e-6)
    if penalty_ppm is None:
        penalty_ppm = int(left - reward_ppm)  # type: ignore[operator]
    assert penalty / 10**12 == pytest.approx(penalty_ppm, rel=1e-3)
    assert Fraction(index, WAD) == price


def test_reward_and_penalty_leave_the_victim_and_reach_taker_and_insurance(
    stress: Stressed,
) -> None:
    stress.push_to(0.9)
    equity = stress.health().equity
    taken = stress.liquidate()
    assert taken.reward > 458 * WAD
    assert taken.penalty > 611 * WAD
    assert stress.capital(stress.taker) == 10**6 * WAD + taken.reward
    assert stress.world.account(stress.taker).pnl == 0
    assert stress.capital(stress.fund) == STAKE * WAD + taken.penalty
    assert stress.world.account(stress.fund).pnl == 0
    left = stress.touched(stress.victim)
    assert left.capital + left.pnl == pytest.approx(equity - taken.reward - taken.penalty, abs=10)


def test_returned_and_told_are_the_same(stress: Stressed) -> None:
    stress.push_to(0.9)
    answer = stress.answer("liquidate", stress.ask())
    events = stress.act("liquidate", stress.ask())
    (told,) = events["Liquidated"]
    assert told["taken"] == answer
    assert (told["market"], told["victim"], told["taker"]) == (0, stress.victim, stress.taker)
    assert answer.net == answer.reward > 0
    assert answer.topUp == 0
    assert "Spending" not in events


def test_equity_of_zero_pays_nothing_and_all_is_taken(stress: Stressed) -> None:
    stress.world.push(stress.eth.feed, "1760")
    assert stress.health().equity == 0
    taken = stress.liquidate()
    assert list(taken) == [-100 * WAD, 0, 0, 0, 0]
    left = stress.touched(stress.victim)
    assert (left.capital, left.pnl, left.bitmap) == (0, 0, 0)


# Top-up


def test_top_up_fills_to_the_least_reward_inside_the_budget(stress: Stressed) -> None:
    small = stress.long(1, sub=1)
    stress.push_to(0.99, 1)
    assert stress.world.liquidator.read("budgetLeft", 0) == 8 * WAD
    taken = stress.liquidate(victim=small, topUp=EVERYTHING)
    assert taken.reward == pytest.approx(500 * 0.00525 * WAD, rel=1e-5)
    assert taken.topUp == 5 * WAD - taken.reward
    assert taken.net == pytest.approx(5 * WAD, abs=10)
    assert stress.capital(stress.taker) == 10**6 * WAD + 5 * WAD
    assert stress.capital(stress.fund) == STAKE * WAD + taken.penalty - taken.topUp


def test_re_06_dust_is_topped_up_by_no_more_than_it_paid(stress: Stressed) -> None:
    """93 quote, below the least lot: the keeper gets what the victim pays, and no more."""
    lots = Fraction(1, 20)
    small = stress.long(lots, sub=1)
    stress.push_to(0.9, lots)
    taken = stress.liquidate(victim=small, topUp=EVERYTHING)
    assert taken.size == -WAD // 20
    assert taken.topUp == taken.penalty > 0
    assert taken.reward + taken.topUp < 5 * WAD
    assert stress.capital(stress.fund) == STAKE * WAD
    assert stress.world.liquidator.read("budgetLeft", 0) == 8 * WAD - taken.topUp


@pytest.mark.parametrize("most", [0, WAD, 5 * WAD, 6 * WAD])
def test_top_up_is_no_more_than_asked(stress: Stressed, most: int) -> None:
    small = stress.long(1, sub=1)
    stress.world.push(stress.eth.feed, "1760")
    taken = stress.liquidate(victim=small, topUp=most)
    assert (taken.reward, taken.topUp) == (0, min(most, 5 * WAD))


def test_top_ups_stop_at_the_days_budget_and_begin_again_the_next_day(stress: Stressed) -> None:
    """1 % a day of 40 % of what insurance has left."""
    victims = [stress.long(1, sub=n) for n in range(1, 5)]
    now = stress.world.chain.now
    stress.world.chain.mine_at(now - now % DAY + DAY + HOUR)
    stress.world.push(stress.eth.feed, "1760")
    got = [stress.liquidate(victim=v, topUp=EVERYTHING).topUp for v in victims[:3]]
    assert got == [5 * WAD, 298 * WAD // 100, 0]
    assert stress.world.liquidator.read("budgetLeft", 0) == 0
    stress.world.chain.advance(DAY)
    stress.world.push(stress.eth.feed, "1760")
    assert stress.world.liquidator.read("budgetLeft", 0) == (STAKE * WAD - 798 * WAD // 100) // 250
    ask = stress.ask(victim=victims[3], topUp=EVERYTHING)
    events = stress.act("liquidate", ask)
    day = stress.world.chain.now // DAY
    assert events["Spending"] == [{"market": 0, "day": day, "amount": 5 * WAD}]
    assert stress.capital(stress.fund) == STAKE * WAD - 1_298 * WAD // 100


def test_without_allotment_there_is_no_top_up(stress: Stressed) -> None:
    stress.world.send("insurance", "setAllotment", 0, 0)
    stress.world.push(stress.eth.feed, "1760")
    assert stress.liquidate(topUp=EVERYTHING).topUp == 0


# Who may not, and what stops nothing


def test_gain_below_the_least_is_refused(stress: Stressed) -> None:
    stress.push_to(0.9)
    _, reward, _ = stress.plan()
    found = refusal(stress.liquidate, minNet=reward + 1)
    assert found == ("BackstopGain", [reward, reward + 1])
    assert stress.liquidate(minNet=reward).net == reward


def test_another_position_than_expected_is_refused(stress: Stressed) -> None:
    stress.push_to(0.9)
    word = stress.word(stress.victim)
    found = refusal(stress.liquidate, expected=word + 1)
    assert found == ("BackstopPosition", [stress.victim, 0, word, word + 1])
    assert stress.liquidate(expected=word).size < 0


def test_account_without_a_position_is_refused(stress: Stressed) -> None:
    found = refusal(stress.liquidate, victim=account_id(stress.world.lp))
    assert found == ("BackstopPosition", [account_id(stress.world.lp), 0, 0, 0])


@pytest.mark.parametrize("health", [1.0001, 1.5])
def test_healthy_account_is_refused(stress: Stressed, health: float) -> None:
    stress.push_to(health)
    h = stress.health()
    found = refusal(stress.liquidate)
    assert found == ("BackstopHealthy", [stress.victim, h.equity, h.maintenance])


def test_bankrupt_account_is_refused(stress: Stressed) -> None:
    stress.world.push(stress.eth.feed, "1750")
    found = refusal(stress.liquidate)
    assert found == ("BackstopBankrupt", [stress.victim, -1_000 * WAD])


def test_second_takeover_is_refused_when_the_first_restored(stress: Stressed) -> None:
    """In the same block: the second finds another position, or a healthy account."""
    stress.push_to(0.9)
    outcomes = stress.answer("tryLiquidateMany", [stress.ask(), stress.ask()])
    assert [o.done for o in outcomes] == [True, False]
    assert reason(outcomes[1])[0] == "BackstopHealthy"
    word = stress.word(stress.victim)
    stress.liquidate(expected=word)
    h = stress.health()
    found = refusal(stress.liquidate)
    assert found == ("BackstopHealthy", [stress.victim, h.equity, h.maintenance])
    assert refusal(stress.liquidate, expected=word)[0] == "BackstopPosition"


def test_market_without_terms_is_refused(stress: Stressed) -> None:
    assert refusal(stress.liquidate, market=2) == ("LiquidatorNoTerms", [2])


def test_taker_is_the_callers_or_one_he_may_trade_for(stress: Stressed) -> None:
    world = stress.world
    stress.push_to(0.9)
    wanted = ("LiquidatorNotAuthorised", [stress.taker, world.lp])
    assert refusal(stress.liquidate, sender=world.lp) == wanted
    world.send("clearing", "setDelegate", stress.taker, world.lp, FUND, sender=world.stranger)
    assert refusal(stress.liquidate, sender=world.lp) == wanted
    world.send("clearing", "setDelegate", stress.taker, world.lp, TRADE, sender=world.stranger)
    assert stress.liquidate(sender=world.lp).size < 0
    assert stress.size(stress.taker) > 32 * WAD


@pytest.mark.parametrize("party", ["victim", "fund"])
def test_victim_and_insurance_are_no_takers(stress: Stressed, party: str) -> None:
    """The fund's contract never acts as a taker; its account is refused to whoever may."""
    world = stress.world
    stress.push_to(0.9)
    account = getattr(stress, party)
    owner = world.trader
    if party == "fund":
        owner = world.insurance.address
        world.chain.request("anvil_impersonateAccount", owner)
        world.chain.request("anvil_setBalance", owner, hex(WAD))
    found = refusal(stress.liquidate, taker=account, sender=owner)
    assert found == ("BackstopSameAccount", [account])


def test_taker_needs_initial_margin_for_what_he_takes(stress: Stressed) -> None:
    poor = account_id(stress.world.stranger, 1)
    stress.push_to(0.9)
    _, reward, _ = stress.plan()
    name, (account, equity, required) = refusal(stress.liquidate, taker=poor)
    assert (name, account) == ("ClearingInitialMargin", poor)
    assert equity == pytest.approx(reward, abs=10)
    assert required > 0.1 * 32.8 * 1_862 * WAD


def test_reduce_only_and_caps_do_not_stop_a_takeover(stress: Stressed) -> None:
    world = stress.world
    stress.push_to(0.9)
    world.chain.send(stress.eth.perp, "tightenCaps", WAD, 1_000)
    world.chain.send(stress.eth.perp, "reduceOnly")
    assert stress.liquidate().size == pytest.approx(-32.83475 * WAD, rel=1e-6)
    world.chain.mine_at(world.view(stress.eth).interruptedUntil)
    with pytest.raises(Exception, match="ClearingReduceOnly"):
        stress.cross(stress.eth, stress.taker, stress.other, WAD, 1_862)


def test_interruption_does_not_stop_a_takeover(stress: Stressed) -> None:
    stress.push_to(0.9)
    until = stress.world.view(stress.eth).interruptedUntil
    assert until > stress.world.chain.now + 10
    assert refusal(stress.cross, stress.eth, stress.taker, stress.other, WAD, 1_862) == (
        "ClearingInterrupted",
        [0, until],
    )
    assert stress.liquidate().size < 0


def test_stale_price_is_refused_with_the_oracles_error(stress: Stressed) -> None:
    stress.push_to(0.9)
    written = stress.world.view(stress.eth).updatedAt
    stress.world.chain.mine_at(written + HOUR + 61)
    name, (feed, _, until) = refusal(stress.liquidate)
    assert (name, feed) == ("OracleStale", stress.eth.feed.address)
    assert until == written + HOUR + 60


def test_settling_market_is_refused(stress: Stressed) -> None:
    stress.push_to(0.9)
    stress.world.chain.send(stress.eth.perp, "beginSettlement")
    assert refusal(stress.liquidate) == ("ClearingMarketState", [0, 2])


def test_short_is_taken_as_a_long_is(stress: Stressed) -> None:
    """A mirror: 100 lots short with the same money."""
    world = stress.world
    short = world.deposit(world.trader, 24_000, sub=1)
    world.deposit(world.other, 100_000, sub=1)
    stress.cross(stress.eth, account_id(world.other, 1), short, 100 * WAD, 2_000)
    world.push(stress.eth.feed, "2112")
    h = stress.health(short)
    assert 0 < h.equity < h.maintenance
    x, reward, penalty = model_terms().plan(
        h.equity, h.maintenance, 100 * WAD, stress.index(), h.maintenance, EVERYTHING
    )
    taken = stress.liquidate(victim=short)
    assert list(taken) == [x, reward, penalty, 0, reward]
    assert stress.size(stress.taker) == pytest.approx(-x, abs=10)
