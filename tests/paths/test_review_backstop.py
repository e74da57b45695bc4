"""Sequences of the review and of the attacks about takeovers: who takes, what, at what cost."""

import pytest

from novation.chain.contract import Contract
from novation.units import WAD
from tests.paths.acts import any_venue, calm, clear, cross, leg, refused, round_
from tests.paths.losses import (
    ALL,
    against,
    insured,
    resolve,
    take,
    takeover,
    worth,
)
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id, risk

WEI = 10
"""What roundings of one call come to."""


class TestAuthority:
    def test_inv_27_a_batch_makes_nobody_a_taker_who_did_not_agree(self, world: World) -> None:
        """Nor after an ask for the same account in a market without terms, which is skipped."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        honest = world.deposit(world.stranger, 50_000)
        insured(world)
        round_(world, eth, "1850")
        asks = [takeover(long, honest, market=9), takeover(long, honest)]
        with refused("LiquidatorNotAuthorised"):
            world.send("liquidator", "tryLiquidateMany", asks, sender=world.chain.accounts[6])
        assert world.size(honest, eth) == 0

    def test_inv_27_only_the_liquidator_enters(self, world: World) -> None:
        """Neither at the clearing house nor at the contract whose code it runs."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        mine = world.deposit(world.stranger, 50_000)
        insured(world)
        round_(world, eth, "1700")
        terms = world.liquidator.read("termsOf", 0)._asdict()
        chain, code = world.chain, world.clearing.read("backstop")
        for target in (world.clearing.address, code):
            door, end = Contract(chain, target, "Backstop"), Contract(chain, target, "Resolver")
            with refused("BackstopNotLiquidator"):
                chain.send(end, "resolve", long, mine, 0, 0, terms, sender=world.stranger)
            with refused("BackstopNotLiquidator"):
                chain.send(door, "takeover", takeover(long, mine), 0, terms, sender=world.stranger)

    def test_inv_27_insurance_victim_and_taker_are_three(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        fund = insured(world)
        round_(world, eth, "1850")
        with refused("BackstopSameAccount"):
            take(world, long, long, world.trader)
        with refused("LiquidatorNotAuthorised"):
            take(world, long, fund, world.trader)
        round_(world, eth, "1700")
        with refused("BackstopSameAccount"):
            resolve(world, long, long, sender=world.trader)
        with refused("BackstopSameAccount"):
            resolve(world, fund)


class TestTakeover:
    def test_liq_01_a_part_never_leaves_the_account_worse(self, world: World) -> None:
        """INV-15 from just below the margin down to almost nothing: E / M and E - M rise."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        for price in ("1858", "1850", "1800", "1770", "1752", "1750.01"):
            with world.isolated() as copy:
                round_(copy, eth, price)
                before, size = copy.health(long), copy.size(long, eth)
                took = take(copy, long, taker, copy.stranger)
                after, left = copy.health(long), copy.size(long, eth)
                assert 0 < -took.size <= size == left - took.size
                assert 0 <= left < size
                assert after.equity * before.maintenance >= before.equity * after.maintenance
                assert after.equity - after.maintenance > before.equity - before.maintenance
                assert after.equity >= 0

    def test_liq_01_rates_at_half_health(self, world: World) -> None:
        """E 1,090 of M 2,173: reward 0.5 % + 2.5 % / 2 = 1.75 %, penalty 1 %, 2.75 % < 6 % / 2."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        fund = insured(world)
        round_(world, eth, "1804.5")
        had, stake = world.health(long), worth(world, fund)
        assert had.equity / had.maintenance == pytest.approx(0.5016, rel=1e-3)
        took = take(world, long, taker, world.stranger)
        value = -took.size * 18_045 // 10
        assert took.reward / value == pytest.approx(0.017461, rel=1e-4)
        assert took.penalty / value == pytest.approx(0.01, rel=1e-9)
        assert took.topUp == 0
        assert worth(world, fund) - stake == took.penalty
        assert abs(took.net - took.reward) < WEI
        # it restores 1.2 times maintenance, and a little: the rate falls with the size
        now = world.health(long)
        assert now.equity * 10**6 // now.maintenance == pytest.approx(1_200_000, rel=5e-3)

    def test_re_07_penalty_gives_way_before_the_reward(self, world: World) -> None:
        """At a tenth of maintenance: the bound is 0.6 %, all of it reward; near 0 it goes to 0."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        for price, h in (("1760.62", 0.1), ("1750.2", 0.002)):
            with world.isolated() as copy:
                round_(copy, eth, price)
                had = copy.health(long)
                assert had.equity / had.maintenance == pytest.approx(h, rel=0.07)
                took = take(copy, long, taker, copy.stranger)
                assert took.penalty == 0
                # nothing is left: what E is worth went to the taker, and no deficit came of it
                assert took.size == -20 * WAD
                assert took.reward == pytest.approx(had.equity, rel=1e-6)
                assert 0 <= copy.health(long).equity < WAD // 10**6

    def test_re_07_bankruptcy_pays_no_more_than_rescue(self, world: World) -> None:
        """The least reward of 5 is the same on both sides of E = 0: nobody waits for it."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        with world.isolated() as copy:
            round_(copy, eth, "1750.001")
            took = take(copy, long, taker, copy.stranger, top_up=100 * WAD)
            assert took.reward + took.topUp == 5 * WAD
        round_(world, eth, "1749.999")
        with refused("BackstopBankrupt"):
            take(world, long, taker, world.stranger, top_up=100 * WAD)
        assert resolve(world, long, taker, sender=world.stranger) == (True, 5 * WAD)

    def test_liq_02_the_second_finds_a_healthy_account(self, world: World) -> None:
        """INV-37: one restores 1.2 times maintenance; a stale ask says so before anything."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        seen = world.clearing.read("position", long, 0)
        word = seen.units % 2**96 | seen.k % 2**128 << 96 | seen.epoch << 224
        with refused("BackstopPosition"):
            take(world, long, taker, world.stranger, expected=word - 1)
        ask = takeover(long, taker)
        world.send("liquidator", "tryLiquidateMany", [ask, ask, ask], sender=world.stranger)
        assert world.health(long).equity > world.health(long).maintenance
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)
        with refused("BackstopPosition"):
            take(world, long, taker, world.stranger, expected=word)

    def test_liq_06_a_cap_is_a_cap_and_no_demand(self, world: World) -> None:
        """More than there is takes what may be taken; below 500 quote it is refused, not more."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        with refused("LiquidationCapTooLow"):
            take(world, long, taker, world.stranger, size=WAD // 4)
        took = take(world, long, taker, world.stranger, size=WAD)
        assert took.size == -WAD
        assert -20 * WAD < take(world, long, taker, world.stranger, size=ALL).size < 0

    def test_liq_08_what_would_be_left_too_small_goes_whole(self, world: World) -> None:
        """INV-36: a position of 950 quote is below 1,000, and is taken whole at the first touch."""
        eth = world.markets[0]
        venue = any_venue(world)
        long = world.deposit(world.trader, 105)
        short = world.deposit(world.other, 1_000)
        cross(world, venue, long, short, WAD // 2, 2_000)
        taker = world.deposit(world.stranger, 1_000)
        insured(world)
        round_(world, eth, "1900")
        took = take(world, long, taker, world.stranger, top_up=100 * WAD)
        assert took.size == -WAD // 2
        assert world.account(long).bitmap == 0
        assert world.size(taker, eth) == WAD // 2

    def test_liq_12_a_takeover_never_grows_nor_flips_a_position(self, world: World) -> None:
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 50_000, 5_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "2140")
        took = take(world, short, taker, world.stranger, size=NO_LIMIT)
        assert 0 < took.size < 20 * WAD
        assert world.size(short, eth) == -20 * WAD + took.size
        assert world.size(taker, eth) == -took.size
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)

    def test_liq_16_who_pays_in_before_is_left_alone(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        world.deposit(world.trader, 300)
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)

    def test_liq_21_shut_market_caps_and_interruption_stop_no_takeover(self, world: World) -> None:
        """RL-14: reduce-only, a cap below what is open, and a market that fills nothing now."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        world.chain.send(eth.perp, "tightenCaps", 1, 1)
        world.chain.send(eth.perp, "reduceOnly")
        with refused("ClearingInterrupted"):
            cross(world, venue, taker, long, WAD, 1_850)
        assert take(world, long, taker, world.stranger, size=2 * WAD).size == -2 * WAD
        with refused("ClearingInterrupted"):
            take(world, long, taker, world.stranger, venue=eth.vamm.address)
        round_(world, eth, "1700")
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.size(taker, eth) == 20 * WAD == -world.size(short, eth)

    def test_rl_14_the_venue_sells_for_a_taker_without_capital(self, world: World) -> None:
        """Of a market that is reduce-only: the taker had nothing before, and has money after."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, _ = against(world, venue, 5_000, 50_000)
        insured(world)
        for price in ("1910", "1850"):
            round_(world, eth, price)
            calm(world, eth, price)
        round_(world, eth, "1800")
        calm(world, eth, "1800")
        world.chain.send(eth.perp, "reduceOnly")
        taker = account_id(world.stranger)
        world.known[taker] = None
        pool = world.size(eth.pool, eth)
        took = take(world, long, taker, world.stranger, gain=0, venue=eth.vamm.address)
        assert took.net > 0
        assert world.size(taker, eth) == 0
        assert world.size(eth.pool, eth) == pool - took.size
        assert world.account(taker).capital == took.net

    def test_rl_03_reward_of_an_account_without_capital_is_not_made_of_it(
        self, world: World
    ) -> None:
        """S5: it lives on other collateral; insurance adds the reward inside the budget of 400."""
        chain, eth = world.chain, world.markets[0]
        token = chain.deploy("MockToken", "Coin", "COIN", 18)
        feed = chain.deploy("MockFeed", 8)
        oracle = world.list_market("1", feed=feed).oracle
        world.push(feed, "1")
        values = (token.address, oracle.address, 100_000, 10_000_000, 10**30)
        world.send("vault", "listCollateral", *values)
        chain.send(token, "mint", world.trader, 10_000 * WAD)
        chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=world.trader)
        long, short = account_id(world.trader), world.deposit(world.other, 50_000)
        world.known[long] = None
        world.send("vault", "deposit", long, token.address, 10_000 * WAD, sender=world.trader)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        taker = world.deposit(world.stranger, 100_000)
        fund = insured(world)
        round_(world, eth, "1580")
        had = world.health(long)
        assert world.account(long).capital == 0 < had.equity < had.maintenance
        with world.isolated() as copy:
            took = take(copy, long, taker, copy.stranger)
            assert (took.reward, took.penalty, took.topUp) == (0, 0, 0)
        stake = worth(world, fund)
        took = take(world, long, taker, world.stranger, top_up=ALL)
        assert (took.reward, took.penalty) == (0, 0)
        assert took.topUp == 5 * WAD == stake - worth(world, fund)
        assert world.liquidator.read("budgetLeft", 0) == pytest.approx(395 * WAD, rel=1e-3)

    def test_re_02_a_takeover_of_the_pool_keeps_its_mid(self, world: World) -> None:
        """RL-15: 10.8 of 36 lots leave its account at the index; the curve follows, wei for wei."""
        eth = world.markets[0]
        world.deposit(world.trader, 500_000)
        world.trade(eth, world.trader, 36 * WAD)
        insured(world)
        thief = world.deposit(world.stranger, 100)
        spare = world.account(eth.pool).capital - 74_000 * WAD
        venue = any_venue(world)
        clear(world, venue, [leg(eth.pool, cash=-spare), leg(thief, cash=spare)])
        round_(world, eth, "3750")
        taker = world.deposit(world.other, 500_000)
        before = eth.vamm.read("curve")
        assert before.mid > 3_860 * WAD
        took = take(world, eth.pool, taker, world.other)
        after = eth.vamm.read("curve")
        assert took.size > 10 * WAD
        assert world.size(eth.pool, eth) == -36 * WAD + took.size
        assert abs(after.mid - before.mid) <= 1
        assert after.reserve == before.reserve
        assert after.root == before.root - took.size

    def test_inv_17_nobody_else_becomes_unhealthy(self, world: World) -> None:
        """At one index: a takeover leaves the equity and the maintenance of others alone."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        other = world.deposit(world.lp, 4_600)
        cross(world, venue, other, short, 20 * WAD, 2_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1890")
        world.touch(other)
        had = world.health(other)
        assert had.equity > had.maintenance
        round_(world, eth, "1880")
        before = world.health(other)
        assert before.equity > 0
        with world.isolated() as copy:
            take(copy, other, taker, copy.stranger)
            assert copy.health(long).equity == pytest.approx(2_600 * WAD, rel=1e-6)
            assert copy.health(long).maintenance == world.health(long).maintenance
        assert world.health(long).equity > world.health(long).maintenance

    def test_inv_16_rescue_of_a_sibling_gains_the_top_up_at_most(self, world: World) -> None:
        """Of 560 quote: a loss just below the margin, else the top-up less the penalty."""
        eth = world.markets[0]
        venue = any_venue(world)
        victim = world.deposit(world.trader, 66)
        helper = world.deposit(world.trader, 10_000, sub=1)
        short = world.deposit(world.other, 10_000)
        cross(world, venue, victim, short, 3 * WAD // 10, 2_000)
        fund = insured(world)
        for price in ("1890", "1850", "1800", "1785"):
            with world.isolated() as copy:
                round_(copy, eth, price)
                before, stake = worth(copy, victim, helper), worth(copy, fund)
                took = take(copy, victim, helper, copy.trader, top_up=ALL)
                gain = worth(copy, victim, helper) - before
                assert took.reward + took.topUp >= 5 * WAD
                assert gain <= max(took.topUp - took.penalty, 0) + WEI
                assert stake - worth(copy, fund) == took.topUp - took.penalty
                if price == "1890":
                    assert gain < 0


class TestService:
    def test_dos_01_sixteen_markets_are_taken_over_and_ended(self, world: World) -> None:
        """INV-33: every step under 10M gas, with each market accrued and each venue told."""
        venue = any_venue(world)
        while len(world.markets) < 16:
            world.list_market("2000")
        victim = world.deposit(world.trader, 10_500)
        other = world.deposit(world.other, 200_000)
        taker = world.deposit(world.stranger, 200_000)
        insured(world)
        for market in world.markets:
            price = 30_000 if market.number == 1 else 2_000
            cross(world, venue, victim, other, 6_000 * WAD // price, price, market.number)
        assert bin(world.account(victim).bitmap).count("1") == 16
        for market in world.markets:
            world.push(market.feed, "28100" if market.number == 1 else "1880")
        ask = takeover(victim, taker)
        receipt = world.send("liquidator", "liquidate", ask, sender=world.stranger)
        assert world.chain.gas(receipt) < 3_000_000
        for market in world.markets:
            world.push(market.feed, "21000" if market.number == 1 else "1400")
        with world.isolated() as copy:
            values = ("liquidator", "resolve", victim, taker, 2)
            receipt = copy.send(*values, sender=copy.stranger)
            assert copy.chain.gas(receipt) < 10_000_000
            assert copy.account(victim).bitmap == 0
            assert all(copy.size(victim, market) == 0 for market in copy.markets)
        assert resolve(world, victim, market=2) == (False, 0)
        world.chain.advance(HOUR + 100)
        for market in world.markets:
            world.push(market.feed, "21000" if market.number == 1 else "1400")
        receipt = world.send("liquidator", "resolve", victim, bytes(32), 2)
        assert world.chain.gas(receipt) < 10_000_000
        assert world.account(victim).bitmap == 0 == world.account(victim).pnl

    def test_liq_17_a_higher_maintenance_rate_takes_a_day(self, world: World) -> None:
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1870")
        world.chain.send(eth.perp, "setParams", risk(mmr=80_000))
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)
        world.chain.advance(DAY)
        world.push(eth.feed, "1870")
        assert take(world, long, taker, world.stranger).size < 0
