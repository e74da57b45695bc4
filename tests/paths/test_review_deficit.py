"""Sequences of the review in which a deficit is covered: who pays, and how much."""

import pytest

from novation.units import WAD
from tests.paths.acts import any_venue, cross, refused, round_
from tests.paths.losses import WEI, end, insured, resolve, worth
from tests.world import DAY, HOUR, World


class TestWhoPays:
    def test_rl_01_winners_pay_alike_whoever_takes_the_position(self, world: World) -> None:
        """S2: longs A and v of 10 lots each, D 5,000: 2,500 each, A taker or not."""
        eth = world.markets[0]
        venue = any_venue(world)
        a, v = world.deposit(world.trader, 20_000), world.deposit(world.stranger, 20_000)
        short = world.deposit(world.other, 5_000)
        cross(world, venue, a, short, 10 * WAD, 2_000)
        cross(world, venue, v, short, 10 * WAD, 2_000)
        insured(world, 0)
        round_(world, eth, "2500")
        with world.isolated() as copy:
            assert resolve(copy, short, a, sender=copy.trader) == (True, 0)
            assert copy.size(a, eth) == -10 * WAD == -copy.size(v, eth)
            assert copy.account(short).bitmap == 0
            for each in (a, v):
                assert worth(copy, each) == pytest.approx(22_500 * WAD, abs=WEI)
        end(world, short, "2500")
        for each in (a, v):
            assert worth(world, each) == pytest.approx(22_500 * WAD, rel=1e-6)
        assert world.view(eth).openInterest == 0 == world.clearing.read("orphanDeficit")

    def test_rl_01_the_only_counterparty_pays_all_of_it(self, world: World) -> None:
        """S2b: it takes the position over; O is 0 afterwards, and nothing is left behind."""
        eth = world.markets[0]
        short, long = world.deposit(world.other, 5_000), world.deposit(world.trader, 20_000)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        insured(world, 0)
        round_(world, eth, "2500")
        resolve(world, short, long, sender=world.trader)
        assert worth(world, long) == pytest.approx(25_000 * WAD, abs=WEI)
        assert worth(world, short) == 0 == world.clearing.read("orphanDeficit")
        assert world.view(eth).openInterest == 0
        assert world.clearing.read("releaseRatio") == WAD

    def test_rl_04_covered_and_gone_is_no_option(self, world: World) -> None:
        """S3: insurance pays 15,000, the price returns: the coalition has nothing left to win."""
        eth = world.markets[0]
        venue = any_venue(world)
        short, long = world.deposit(world.trader, 5_000), world.deposit(world.trader, 20_000, sub=1)
        cross(world, venue, long, short, 20 * WAD, 2_000)
        fund = insured(world)
        round_(world, eth, "3000")
        end(world, short, "3000")
        assert world.size(short, eth) == world.size(long, eth) == 0
        paid = 100_000 * WAD - worth(world, fund)
        assert paid == pytest.approx(15_000 * WAD, rel=1e-4)
        before = worth(world, short, long)
        round_(world, eth, "2000")
        assert worth(world, short, long) == before
        assert worth(world, short, long, fund) == pytest.approx(125_000 * WAD, rel=1e-6)

    def test_rl_07_a_market_draws_its_own_allotment_and_no_other(self, world: World) -> None:
        """INV-24: 1 % of 100,000 for the market that lost; its other side pays what is left."""
        eth = world.markets[0]
        short, long = world.deposit(world.other, 5_000), world.deposit(world.trader, 20_000)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        fund = insured(world)
        world.send("insurance", "setAllotment", 0, 10_000)
        round_(world, eth, "2500")
        taker = world.deposit(world.stranger, 100_000)
        resolve(world, short, taker, sender=world.stranger)
        assert worth(world, fund) == (99_000 - 5) * WAD
        assert worth(world, long) == pytest.approx(26_000 * WAD, abs=WEI)
        assert world.insurance.read("allotmentOf", 0) < WAD
        assert world.insurance.read("allotmentOf", 1) > 39_000 * WAD

    def test_rl_08_what_no_side_is_there_for_is_counted_and_ends(self, world: World) -> None:
        """S13: settled with B at -15,000: insurance pays all it has, the rest is written off."""
        eth = world.markets[0]
        short, long = world.deposit(world.other, 5_000), world.deposit(world.trader, 20_000)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        fund = insured(world, 10_000)
        round_(world, eth, "3000")
        world.chain.send(eth.perp, "beginSettlement")
        world.chain.advance(30 * HOUR)
        world.touch(long, short)
        assert world.account(short).bitmap == 0
        assert resolve(world, short) == (True, 0)
        assert worth(world, fund) == 0 == worth(world, short)
        assert world.clearing.read("orphanDeficit") == pytest.approx(5_000 * WAD, rel=1e-4)
        with refused("BackstopSolvent"):
            resolve(world, short)
        assert worth(world, long) == pytest.approx(40_000 * WAD, rel=1e-4)
        ratio = world.clearing.read("releaseRatio")
        assert ratio == pytest.approx(0.75 * WAD, rel=1e-3)

    def test_rl_08_in_the_window_of_settlement_the_other_side_pays(self, world: World) -> None:
        """Without waiting: no price comes any more, so no mark and no heartbeat are asked for."""
        eth = world.markets[0]
        short, long = world.deposit(world.other, 5_000), world.deposit(world.trader, 20_000)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        insured(world, 0)
        round_(world, eth, "2500")
        world.chain.send(eth.perp, "beginSettlement")
        assert resolve(world, short) == (True, 0)
        assert worth(world, long) == pytest.approx(25_000 * WAD, rel=1e-6)
        assert world.clearing.read("orphanDeficit") == 0
        world.chain.advance(30 * HOUR)
        world.touch(long, short)
        assert world.account(long).bitmap == 0

    def test_rl_13_a_jump_of_ones_own_pays_the_deficit_and_a_minimum(self, world: World) -> None:
        """S10, +11 % on 1,000 at 10 %: the fund pays 10 and the least reward 5, not 16.65 more."""
        eth = world.markets[0]
        venue = any_venue(world)
        short, long = world.deposit(world.trader, 102), world.deposit(world.trader, 1_000, sub=1)
        cross(world, venue, long, short, WAD // 2, 2_000)
        fund = insured(world)
        before = worth(world, short, long, fund)
        round_(world, eth, "2224")
        resolve(world, short, long, sender=world.trader)
        assert 100_000 * WAD - worth(world, fund) == pytest.approx(15 * WAD, rel=1e-6)
        assert worth(world, short, long, fund) == pytest.approx(before, abs=WEI)

    def test_re_06_the_budget_of_a_day_ends_every_farm(self, world: World) -> None:
        """A taker gets 5, or what is left of 1 % of the allotment; then nothing until tomorrow."""
        eth = world.markets[0]
        venue = any_venue(world)
        insured(world, 1_000)
        taker, long = world.deposit(world.stranger, 10_000), world.deposit(world.trader, 10_000)
        shorts = [world.deposit(world.other, 102, sub) for sub in range(2)]
        for short in shorts:
            cross(world, venue, long, short, WAD // 2, 2_000)
        round_(world, eth, "2300")
        paid = [resolve(world, short, taker, sender=world.stranger)[1] for short in shorts]
        # 1 % of 400 is 4, less what the first has cost; its deficit of 48 lowers the allotment
        assert paid[0] == 4 * WAD
        assert paid[1] == 0 == world.liquidator.read("budgetLeft", 0)
        world.chain.advance(DAY)
        assert world.liquidator.read("budgetLeft", 0) > 2 * WAD

    def test_liq_04_bankruptcy_is_nobodys_income(self, world: World) -> None:
        """INV-16: both sides and the taker are one, and there is no insurance: it gains nothing."""
        eth = world.markets[0]
        venue = any_venue(world)
        short, long = world.deposit(world.trader, 5_000), world.deposit(world.trader, 20_000, sub=1)
        cross(world, venue, long, short, 20 * WAD, 2_000)
        insured(world, 0)
        taker = world.deposit(world.trader, 100_000, sub=2)
        round_(world, eth, "2500")
        before = worth(world, short, long, taker)
        assert before == pytest.approx(125_000 * WAD, abs=WEI)
        assert resolve(world, short, taker, sender=world.trader) == (True, 0)
        after = worth(world, short, long, taker)
        assert before - WEI <= after <= before
        with refused("BackstopSolvent"):
            resolve(world, short, taker, sender=world.trader)
