"""Liquidator.resolve: deficits over several markets, deficits that nobody can pay, and gas."""

from fractions import Fraction
from typing import Any

import pytest

from novation.units import WAD
from tests.unit.backstop.stressed import (
    DUST,
    ENTRY,
    HEARTBEAT,
    Stressed,
    assert_ended,
    maintenance_of,
    worth,
)
from tests.world import KEEP_PREMIUM, World, account_id


@pytest.fixture
def stress(world: World) -> Stressed:
    return Stressed(world)


def test_deficit_over_two_markets_is_split_by_maintenance(stress: Stressed) -> None:
    """50 ETH at 1600 and 2 BTC at 30,000: 80,640 to 60,360."""
    world = stress.world
    stress.insure(10_000, (100_000, 300_000))
    victim = world.deposit(world.trader, 18_000)
    other = world.deposit(world.other, 200_000)
    stress.fund_taker()
    stress.cross(stress.eth, victim, other, 50 * WAD, 2_000)
    stress.cross(stress.btc, victim, other, 2 * WAD, 30_000)
    world.push(stress.eth.feed, "1600")
    before = worth(stress, other)
    assert stress.health(victim).equity == -2_000 * WAD
    own = [maintenance_of(Fraction(80_000)), maintenance_of(Fraction(60_000))]
    told = stress.resolve(victim, stress.taker)
    shares = [2_000 * WAD * each / sum(own) for each in own]
    assert float(shares[0] / WAD) == pytest.approx(1_143.8298, abs=1e-4)
    covered = {e["market"]: e for e in told["Covered"]}
    assert covered[0]["insured"] == 1_000 * WAD
    assert covered[0]["charged"] == pytest.approx(float(shares[0]) - 1_000 * WAD, rel=1e-9)
    assert covered[1]["insured"] == pytest.approx(float(shares[1]), rel=1e-9)
    assert covered[1]["charged"] == 0
    assert sum(e["insured"] + e["charged"] for e in told["Covered"]) == 2_000 * WAD
    assert before - worth(stress, other) == pytest.approx(covered[0]["charged"], abs=DUST)
    assert_ended(stress, victim)
    assert stress.size(stress.taker) == pytest.approx(50 * WAD, abs=DUST)
    assert stress.size(stress.taker, stress.btc) == pytest.approx(2 * WAD, abs=DUST)


MISSING = 379 * WAD // 10


def orphan(stress: Stressed) -> tuple[bytes, bytes]:
    """0.0009 lots are worth 8.1 at 9,000: not charged. Of a loss of 45.9 there are 8."""
    world = stress.world
    market = world.list_market("60000")
    stress.set_terms(market)
    victim, other = world.deposit(world.trader, 8), world.deposit(world.other, 8)
    stress.fund_taker()
    stress.cross(market, victim, other, 9 * WAD // 10_000, 60_000)
    world.push(market.feed, "9000")
    assert stress.health(victim).equity == -MISSING
    world.touch(victim, other)
    assert world.account(other).pnl == MISSING + 8 * WAD
    return victim, other


def test_orphan_is_counted_and_lowers_the_release_ratio(stress: Stressed) -> None:
    """What is there for the winner's 45.9 is the victim's 8, for good."""
    world = stress.world
    victim, other = orphan(stress)
    told = stress.resolve(victim, stress.taker, 2)
    assert told["Orphaned"] == [{"account": victim, "insured": 0, "lost": MISSING}]
    assert [told["Covered"][0][k] for k in ("insured", "charged")] == [0, 0]
    assert world.clearing.read("orphanDeficit") == MISSING
    assert world.clearing.read("releaseRatio") == 8 * WAD * WAD // (MISSING + 8 * WAD)
    assert_ended(stress, victim)
    assert worth(stress, other) == MISSING + 16 * WAD


@pytest.mark.parametrize("stake", [30, 40])
def test_insurance_pays_orphans_without_allotment(stress: Stressed, stake: int) -> None:
    stress.insure(stake, (0, 0))
    victim, _ = orphan(stress)
    told = stress.resolve(victim, stress.taker, 2)
    insured = min(stake * WAD, MISSING)
    assert told["Orphaned"] == [{"account": victim, "insured": insured, "lost": MISSING - insured}]
    assert stress.capital(stress.fund) == stake * WAD - insured
    assert stress.world.clearing.read("orphanDeficit") == MISSING - insured
    claims = MISSING + 8 * WAD
    ratio = (8 * WAD + insured) * WAD // claims
    assert stress.world.clearing.read("releaseRatio") == ratio


def test_side_worth_10_is_charged(stress: Stressed) -> None:
    """0.0009 lots at 12,000 are worth 10.8: nobody else loses."""
    world = stress.world
    market = world.list_market("60000")
    stress.set_terms(market)
    victim, other = world.deposit(world.trader, 10), world.deposit(world.other, 10)
    stress.fund_taker()
    stress.cross(market, victim, other, 9 * WAD // 10_000, 60_000)
    world.push(market.feed, "12000")
    missing = 332 * WAD // 10
    told = stress.resolve(victim, stress.taker, 2)
    assert told["Covered"][0]["charged"] == missing
    assert "Orphaned" not in told
    assert worth(stress, other) == pytest.approx(20 * WAD, abs=DUST)
    assert world.clearing.read("orphanDeficit") == 0


def test_side_of_a_thousandth_lot_is_charged_whatever_it_is_worth(stress: Stressed) -> None:
    """A price that falls to almost nothing: the winner's profit was never there, and goes."""
    world = stress.world
    victim, other = world.deposit(world.trader, 10), world.deposit(world.other, 10)
    stress.fund_taker()
    stress.cross(stress.eth, victim, other, WAD // 25, ENTRY)
    world.push(stress.eth.feed, "0.05")
    told = stress.resolve(victim, stress.taker)
    assert told["Covered"][0]["charged"] == WAD // 25 * (ENTRY * 100 - 5) // 100 - 10 * WAD
    assert "Orphaned" not in told
    assert worth(stress, other) == pytest.approx(20 * WAD, abs=DUST)


# Gas


def crowd(stress: Stressed, count: int) -> None:
    """So many accounts hold the other side of the victim's 300 lots, equal parts each."""
    world, each = stress.world, 300 * WAD // count
    stress.victim = world.deposit(world.trader, 72_000)
    stress.fund_taker()
    bank = world.deposit(world.other, 120_000)
    sellers = [account_id(world.other, n) for n in range(1, count + 1)]
    for account in sellers:
        world.known[account] = None
        values = (bank, account, 120_000 * WAD // count)
        world.send("clearing", "transfer", *values, sender=world.other)
    for start in range(0, count, 50):
        part = sellers[start : start + 50]
        legs: list[dict[str, Any]] = [
            {"account": a, "size": -each, "cash": each * ENTRY, "transfer": 0} for a in part
        ]
        bought = each * len(part)
        legs += [{"account": stress.victim, "size": bought, "cash": -bought * ENTRY, "transfer": 0}]
        legs.sort(key=lambda leg: bytes(leg["account"]))
        world.send("clearing", "clear", 0, legs, 0, KEEP_PREMIUM, sender=stress.venue)
    world.push(stress.eth.feed, "1750")


def test_gas_does_not_grow_with_the_other_side(world: World) -> None:
    """10 and 300 accounts, to a taker and by deleverage."""
    spent: dict[int, list[int]] = {}
    for count in (10, 300):
        with world.isolated() as copy:
            stress = Stressed(copy)
            stress.insure()
            crowd(stress, count)
            assert copy.view(stress.eth).openInterest == 300 * WAD
            with copy.chain.isolated():
                told = stress.resolve(taker=stress.taker)
                assert told["Covered"][0]["charged"] > 2_000 * WAD
                spent[count] = [told["gas"]]
            stress.resolve()
            copy.chain.mine_at(copy.chain.now + HEARTBEAT)
            copy.push(stress.eth.feed, "1750")
            told = stress.resolve()
            assert told["Deleveraged"][0]["size"] == pytest.approx(300 * WAD, abs=DUST)
            spent[count].append(told["gas"])
            copy.check_identity()
    for few, many in zip(spent[10], spent[300], strict=True):
        assert 100_000 < few < 1_000_000
        assert abs(many - few) * 100 <= few
