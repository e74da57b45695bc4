"""Liquidator.liquidateToVenue and tryLiquidateMany."""

from typing import Any

import pytest

from novation.units import WAD
from tests.unit.backstop.stressed import Stressed, reason, refusal, worth
from tests.world import ZERO, World, account_id


@pytest.fixture
def stress(world: World) -> Stressed:
    made = Stressed(world)
    made.insure()
    made.long()
    return made


def poor(stress: Stressed) -> bytes:
    """An account of the taker's that has no money at all."""
    account = account_id(stress.world.stranger, 5)
    stress.world.known[account] = None
    assert stress.world.account(account).capital == 0
    return account


def calm(stress: Stressed) -> None:
    """Until fills are open again, with a fresh round at the same price: the fee rises with age."""
    world = stress.world
    world.touch(stress.victim)
    world.chain.mine_at(world.view(stress.eth).interruptedUntil)
    units = stress.index() // 10**10
    world.push(stress.eth.feed, f"{units // 10**8}.{units % 10**8:08d}")


def sold(stress: Stressed, **changes: Any) -> Any:
    return stress.liquidate(venue=stress.eth.vamm.address, **changes)


# To a venue


def test_taker_without_money_sells_to_the_pool_and_keeps_the_gain(stress: Stressed) -> None:
    """What he gains, the pool and the house together lose of the reward: all at the index."""
    world, account, pool = stress.world, poor(stress), stress.eth.pool
    stress.push_to(0.9)
    calm(stress)
    had, fees = worth(stress, pool), world.clearing.read("house").feesPending
    taken = sold(stress, taker=account, maxSize=10 * WAD, minNet=30 * WAD)
    assert taken.size == -10 * WAD
    assert 30 * WAD < taken.net < 35 * WAD
    assert taken.reward == pytest.approx(0.0075 * 10 * stress.index(), rel=1e-6)
    assert stress.size(account) == 0
    assert world.account(account).bitmap == 0
    assert worth(stress, account) == taken.net
    assert stress.size(pool) == pytest.approx(10 * WAD, abs=10)
    assert stress.size(stress.victim) == pytest.approx(90 * WAD, abs=10)
    house = (world.clearing.read("house").feesPending - fees) * 10**12
    assert house > 0
    gained = worth(stress, pool) - had
    assert gained + house + taken.net == pytest.approx(taken.reward, abs=100)


def test_pool_learns_of_its_inventory(stress: Stressed) -> None:
    stress.push_to(0.9)
    calm(stress)
    before = stress.eth.vamm.read("curve")
    sold(stress, taker=poor(stress), maxSize=10 * WAD)
    after = stress.eth.vamm.read("curve")
    assert after.reserve == pytest.approx(before.reserve + 10 * WAD, rel=1e-6)
    assert after.mid < before.mid
    assert stress.world.view(stress.eth).premium < 0


def test_taker_gains_what_is_asked_for_or_nothing_happens(stress: Stressed) -> None:
    stress.push_to(0.9)
    calm(stress)
    name, (net, minimum) = refusal(
        sold, stress, taker=poor(stress), maxSize=10 * WAD, minNet=100 * WAD
    )
    assert (name, minimum) == ("BackstopGain", 100 * WAD)
    assert 30 * WAD < net < 60 * WAD
    assert stress.size(stress.victim) == pytest.approx(100 * WAD, abs=10)


def test_price_worse_than_the_reward_is_refused_to_who_has_nothing(stress: Stressed) -> None:
    """30 lots move the pool by more than 0.75 %; who has money may pay the difference."""
    account = poor(stress)
    stress.push_to(0.9)
    calm(stress)
    ask = {"maxSize": 30 * WAD}
    name, (who, owed, available) = refusal(sold, stress, taker=account, **ask)
    assert (name, who, available) == ("ClearingTransferShort", account, 0)
    assert owed > 50 * WAD
    rich = stress.fund_taker(1_000)
    taken = sold(stress, taker=rich, **ask)
    assert taken.net < -owed // 2
    assert worth(stress, rich) == 1_000 * WAD + taken.net
    assert stress.size(rich) == 0


def test_takers_own_position_stays_as_it_was(stress: Stressed) -> None:
    taker = stress.fund_taker(100_000)
    stress.cross(stress.eth, taker, stress.other, 3 * WAD, 2_000)
    stress.push_to(0.9)
    calm(stress)
    word = stress.size(taker)
    taken = sold(stress, maxSize=10 * WAD)
    assert stress.size(taker) == pytest.approx(word, abs=10)
    assert taken.size == -10 * WAD
    assert stress.size(stress.eth.pool) == pytest.approx(10 * WAD, abs=10)


def test_interruption_stops_a_sale(stress: Stressed) -> None:
    stress.push_to(0.9)
    stress.world.touch(stress.victim)
    until = stress.world.view(stress.eth).interruptedUntil
    found = refusal(sold, stress, taker=poor(stress), maxSize=10 * WAD)
    assert found == ("ClearingInterrupted", [0, until])


def test_doors_refuse_each_others_venue(stress: Stressed) -> None:
    stress.push_to(0.9)
    vamm = stress.eth.vamm.address
    asks = {"liquidate": stress.ask(venue=vamm), "liquidateToVenue": stress.ask()}
    for function, ask in asks.items():
        found = refusal(stress.act, function, ask)
        assert found == ("LiquidatorVenue", [ask["venue"]])
    assert asks["liquidateToVenue"]["venue"] == ZERO


def test_venue_of_another_market_is_refused(stress: Stressed) -> None:
    stress.push_to(0.9)
    calm(stress)
    found = refusal(stress.liquidate, venue=stress.btc.vamm.address)
    assert found == ("ClearingNotVenue", [stress.btc.vamm.address, 0])


# Many


def test_many_go_each_by_itself_and_in_order(stress: Stressed) -> None:
    """Taken, healthy, no terms, taken, another word than expected, healthy by now."""
    world = stress.world
    rich, last = stress.long(100, sub=1), stress.long(50, sub=2)
    world.deposit(world.trader, 50_000, sub=1)
    stress.fund_taker()
    stress.push_to(0.9)
    asks = [
        stress.ask(maxSize=10 * WAD),
        stress.ask(victim=rich),
        stress.ask(market=7),
        stress.ask(victim=last),
        stress.ask(expected=stress.word(stress.victim)),
        stress.ask(victim=last),
    ]
    answer = stress.answer("tryLiquidateMany", asks)
    assert [o.done for o in answer] == [True, False, False, True, False, False]
    assert [reason(o)[0] for o in answer if not o.done] == [
        "BackstopHealthy",
        "LiquidatorNoTerms",
        "BackstopPosition",
        "BackstopHealthy",
    ]
    assert reason(answer[1])[1]["victim"] == rich
    assert reason(answer[2])[1] == {"market": 7}
    assert reason(answer[5])[1]["victim"] == last
    assert [o.reason for o in answer if o.done] == [b"", b""]
    told = stress.act("tryLiquidateMany", asks)["Liquidated"]
    assert [e["victim"] for e in told] == [stress.victim, last]
    assert [e["taken"] for e in told] == [answer[0].taken, answer[3].taken]
    moved = -sum(e["taken"].size for e in told)
    assert moved > 25 * WAD
    assert stress.size(stress.taker) == pytest.approx(moved, abs=10)
    assert stress.size(rich) == pytest.approx(100 * WAD, abs=10)


def test_top_ups_of_many_share_one_budget(stress: Stressed) -> None:
    victims = [stress.long(1, sub=n) for n in range(1, 4)]
    stress.fund_taker()
    stress.world.push(stress.eth.feed, "1760")
    asks = [stress.ask(victim=v, topUp=100 * WAD) for v in victims]
    answer = stress.answer("tryLiquidateMany", asks)
    assert [o.taken.topUp for o in answer] == [5 * WAD, 3 * WAD, 0]


def test_taker_of_somebody_else_refuses_all(stress: Stressed) -> None:
    stress.fund_taker()
    stress.push_to(0.9)
    asks = [stress.ask(maxSize=10 * WAD), stress.ask(taker=stress.other)]
    found = refusal(stress.act, "tryLiquidateMany", asks)
    assert found == ("LiquidatorNotAuthorised", [stress.other, stress.world.stranger])
    assert stress.size(stress.taker) == 0


def test_market_without_terms_does_not_let_a_taker_of_somebody_else_through(
    stress: Stressed,
) -> None:
    """The first ask is refused before its taker is looked at; the next names the same taker."""
    world = stress.world
    rich = world.deposit(world.lp, 1_000_000)
    stress.push_to(0.9)
    asks = [stress.ask(market=7, taker=rich), stress.ask(taker=rich)]
    found = refusal(stress.act, "tryLiquidateMany", asks)
    assert found == ("LiquidatorNotAuthorised", [rich, world.stranger])
    assert stress.size(rich) == 0
