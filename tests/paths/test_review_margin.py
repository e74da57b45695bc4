"""Sequences of the review across markets, and what two readings of the design differ in."""

import pytest

from novation.units import WAD
from tests.paths.acts import Leg, any_venue, calm, clear, cross, leg, refused, round_
from tests.paths.losses import LATER, WEI, insured, resolve, take, worth
from tests.world import DAY, HOUR, World, account_id, risk


def release(world: World, owner: str, amount: int, touch: list[bytes], least: int = WAD) -> None:
    values = (account_id(owner), amount, touch, least)
    world.send("clearing", "release", *values, sender=owner)


class TestAcrossMarkets:
    def test_rl_02_no_release_before_the_deficit_is_resolved(self, world: World) -> None:
        """S1': eth +100 % makes a sibling bankrupt; in btc an honest winner is not yet touched.

        The coalition put in 21,000. It can take nothing during the interruption, and after the
        resolution only what its sibling had: the honest claim is whole.
        """
        eth, btc = world.markets
        venue = any_venue(world)
        a = world.deposit(world.trader, 11_000)
        b = world.deposit(world.trader, 10_000, sub=1)
        c = world.deposit(world.trader, 10_000, sub=2)
        v1, v2 = world.deposit(world.stranger, 50_000), world.deposit(world.other, 50_000)
        cross(world, venue, a, b, 20 * WAD, 2_000)
        cross(world, venue, v1, v2, WAD, 30_000, btc.number)
        insured(world, 0)
        for step in ("30800", "31600", "32400"):
            round_(world, btc, step)
            calm(world, btc, step)
        round_(world, eth, "4000")
        with refused("ClearingInterrupted"):
            cross(world, venue, c, a, 20 * WAD, 4_000)
        with refused("ClearingInterrupted"):
            release(world, world.trader, 2_000 * WAD, [b, v2], 0)
        resolve(world, b)
        world.chain.advance(LATER)
        round_(world, eth, "4000")
        world.push(btc.feed, "32400")
        assert resolve(world, b) == (True, 0)
        calm(world, eth, "4000")
        world.push(btc.feed, "32400")
        world.touch(a, b, c, v1, v2)
        assert world.size(a, eth) == 0
        assert worth(world, a, b, c) == pytest.approx(31_000 * WAD, rel=1e-6)
        profit = world.account(a).pnl
        release(world, world.trader, profit, [v2], WAD)
        assert worth(world, v1) == pytest.approx(52_400 * WAD, rel=1e-3)
        assert world.clearing.read("releaseRatio") == WAD
        release(world, world.stranger, world.account(v1).pnl, [v2], WAD)

    def test_rl_07_a_thin_market_shares_no_account_with_a_deep_one(self, world: World) -> None:
        """S9: 1,000 short in a thin market beside 9,000 in a deep one: refused, either order."""
        thin = world.list_market("5", listed={"isolated": True})
        venue = any_venue(world)
        a, b = world.deposit(world.trader, 20_000), world.deposit(world.other, 20_000)
        lots, deep = 200 * WAD, 9 * WAD // 2
        cross(world, venue, a, b, deep, 2_000)
        with refused("ClearingIsolatedMarket"):
            cross(world, venue, a, b, lots, 5, thin.number)
        c, d = world.deposit(world.trader, 20_000, sub=1), world.deposit(world.other, 20_000, sub=1)
        cross(world, venue, c, d, lots, 5, thin.number)
        with refused("ClearingIsolatedMarket"):
            cross(world, venue, c, d, deep, 2_000)

    def test_rl_07_a_deficit_of_two_markets_is_split_by_maintenance(self, world: World) -> None:
        """Each market pays its part alone: 2:1 of maintenance is 2:1 of the deficit."""
        eth, btc = world.markets
        venue = any_venue(world)
        victim = world.deposit(world.trader, 5_100)
        e, b = world.deposit(world.other, 50_000), world.deposit(world.stranger, 50_000)
        cross(world, venue, victim, e, 20 * WAD, 2_000)
        cross(world, venue, victim, b, WAD // 3, 30_000, btc.number)
        insured(world, 0)
        round_(world, btc, "30001")
        round_(world, eth, "1700")
        before = worth(world, e), worth(world, b)
        taker = world.deposit(world.lp, 100_000)
        assert resolve(world, victim, taker, sender=world.lp)[0]
        paid = [had - worth(world, each) for had, each in zip(before, (e, b), strict=True)]
        ratio = 34_000 * (1 + 34_000 / 1e7) / (10_000 * (1 + 10_000 / 1e7))
        assert sum(paid) == pytest.approx(900 * WAD, rel=1e-2)
        assert paid[0] / paid[1] == pytest.approx(ratio, rel=1e-3)

    def test_rl_10_a_stranger_who_touches_in_a_dip_takes_nothing_for_good(
        self, world: World
    ) -> None:
        """S6': 400 of loss is collected in the dip; none of it can be released, none is lost."""
        eth, btc = world.markets
        venue = any_venue(world)
        v1 = world.deposit(world.stranger, 2_000)
        attacker = world.deposit(world.trader, 4_000)
        loser = world.deposit(world.trader, 3_100, sub=1)
        house = world.deposit(world.other, 50_000)
        cross(world, venue, v1, house, 4 * WAD, 2_000)
        cross(world, venue, attacker, loser, WAD, 30_000, btc.number)
        round_(world, btc, "30500")
        round_(world, eth, "1950")
        world.touch(v1, attacker)
        assert world.account(v1).capital == pytest.approx(1_800 * WAD, rel=1e-6)
        with refused("ClearingReleaseRatio"):
            release(world, world.trader, 500 * WAD, [])
        round_(world, eth, "2000")
        world.touch(v1, house, loser)
        assert worth(world, v1) == pytest.approx(2_000 * WAD, rel=1e-6)
        assert world.clearing.read("releaseRatio") == WAD
        release(world, world.stranger, world.account(v1).pnl, [])
        assert world.account(v1).capital == pytest.approx(2_000 * WAD, rel=1e-6)

    def test_rl_19_a_release_at_h_forfeits_and_changes_nobody_elses_h(self, world: World) -> None:
        """Half is backed: who insists gets half, the other half is surplus; h stays, for all."""
        eth = world.markets[0]
        venue = any_venue(world)
        shorts = [world.deposit(world.other, 20_000, sub) for sub in range(2)]
        longs = [world.deposit(o, 20_000) for o in (world.trader, world.stranger)]
        for long, short in zip(longs, shorts, strict=True):
            cross(world, venue, long, short, 10 * WAD, 2_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        world.touch(*longs, shorts[0])
        h = world.clearing.read("releaseRatio")
        assert h == pytest.approx(WAD // 2, rel=1e-2)
        with refused("ClearingReleaseRatio"):
            release(world, world.trader, 900 * WAD, [])
        surplus = world.check_identity()
        before = world.account(longs[0])
        release(world, world.trader, 900 * WAD, [], 0)
        after = world.account(longs[0])
        assert after.pnl == before.pnl - 900 * WAD
        assert after.capital - before.capital == pytest.approx(900 * h, rel=1e-9)
        assert world.clearing.read("releaseRatio") == pytest.approx(h, rel=1e-9)
        forfeited = 900 * WAD - (after.capital - before.capital)
        assert world.check_identity() - surplus == pytest.approx(forfeited, abs=WEI)
        release(world, world.stranger, 900 * WAD, [shorts[1]])


class TestAmbiguous:
    def test_a1_no_rate_is_negative_and_nothing_is_divided_by_no_maintenance(
        self, world: World
    ) -> None:
        """E < 0: the takeover is refused, not cheap. M 0: there is no position to take."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 5_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 20 * WAD, 2_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1700")
        with refused("BackstopBankrupt"):
            take(world, long, taker, world.stranger)
        flat = world.deposit(world.lp, 10)
        for market in (0, 1):
            with refused("BackstopPosition"):
                take(world, flat, taker, world.stranger, market=market)

    def test_a3_who_closes_all_passes_though_its_equity_falls(self, world: World) -> None:
        """Below initial margin, sold 5 below the index: E / M has no denominator any more."""
        eth = world.markets[0]
        venue = any_venue(world)
        account, other = world.deposit(world.trader, 2_400), world.deposit(world.other, 50_000)
        cross(world, venue, account, other, 10 * WAD, 2_000)
        for step in ("1950", "1900", "1890"):
            round_(world, eth, step)
            calm(world, eth, step)
        before = world.health(account)
        assert before.maintenance < before.equity < before.initial
        with refused("ClearingRiskRose"):
            cross(world, venue, other, account, 5 * WAD, 1_750)
        cross(world, venue, other, account, 10 * WAD, 1_885)
        after = world.health(account)
        assert (after.maintenance, after.initial) == (0, 0)
        assert after.equity == pytest.approx(before.equity - 50 * WAD, rel=1e-6)

    def test_a4_both_requirement_and_equity_are_taken_at_the_strict_price(
        self, world: World
    ) -> None:
        """Index 2,100 after an average near 2,000: a long's profit and cover count at the average,
        a short's margin at the index.
        """
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 5_000), world.deposit(world.other, 5_000)
        cross(world, venue, long, short, 10 * WAD, 2_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        view = world.view(eth)
        assert view.strict < 2_060 * WAD
        high, low = world.health(long), world.health(short)
        assert high.equity == pytest.approx(6_000 * WAD, rel=1e-3)
        # the profit is worth nothing to who withdraws, and the gap of index and average counts
        gap = 10 * (view.index - view.strict)
        assert high.initialEquity == pytest.approx(5_000 * WAD - gap, rel=1e-3)
        assert high.initial == pytest.approx(view.strict, rel=3e-2)
        assert low.initialEquity == low.equity
        assert low.initial > high.initial

    def test_a5_a_loss_eats_capital_before_a_transfer_is_taken(self, world: World) -> None:
        """100 of capital, 90 lost in the trade: a fee of 11 is not there, one of 10 would be."""
        venue = any_venue(world)
        payer, maker = world.deposit(world.trader, 100), world.deposit(world.other, 1_000)
        lots = WAD // 10

        def legs(cash: int, fee: int) -> list[Leg]:
            return [
                leg(payer, lots, -cash * WAD, -fee * WAD),
                leg(maker, -lots, cash * WAD, fee * WAD),
            ]

        with refused("ClearingTransferShort"):
            clear(world, venue, legs(290, 11))
        with refused("ClearingInitialMargin"):
            clear(world, venue, legs(290, 10))
        clear(world, venue, legs(260, 10))
        assert world.account(payer).capital == 30 * WAD
        assert world.account(maker).capital == 1_010 * WAD

    def test_a6_a_position_of_size_zero_still_has_its_loss(self, world: World) -> None:
        """S15: the market closed while the loser slept: 500 of 1,500 are gone when he leaves."""
        eth = world.markets[0]
        long, short = world.deposit(world.trader, 1_500), world.deposit(world.other, 50_000)
        cross(world, any_venue(world), long, short, 5 * WAD, 2_000)
        round_(world, eth, "1900")
        world.chain.send(eth.perp, "beginSettlement")
        world.chain.advance(DAY + HOUR)
        round_(world, world.markets[1], "30000")
        world.touch(short)
        assert (world.size(long, eth), world.account(long).bitmap) == (0, 1)
        assert world.account(long).capital == 1_500 * WAD
        with refused("ClearingCapitalTooLow"):
            world.withdraw(world.trader, 1_001 * 10**6, min_release=0)
        world.withdraw(world.trader, 999 * 10**6)
        assert worth(world, long) == pytest.approx(WAD, abs=WAD // 10)
        assert world.account(long).bitmap == 0

    def test_a8_a_withdrawal_releases_what_is_missing_and_no_more(self, world: World) -> None:
        """1,000 of profit: to take 20,100 of 20,000 capital, 100 is released, 900 stays junior."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 20_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 10 * WAD, 2_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        cross(world, venue, short, long, 10 * WAD, 2_100)
        world.touch(long, short)
        world.withdraw(world.trader, 5_000 * 10**6)
        assert world.account(long).pnl == pytest.approx(1_000 * WAD, rel=1e-3)
        profit = world.account(long).pnl
        world.withdraw(world.trader, 15_100 * 10**6)
        assert world.account(long).capital == 0
        assert world.account(long).pnl == profit - 100 * WAD

    def test_a9_fees_and_donations_back_no_profit(self, world: World) -> None:
        """R = V - capital - fees pending: neither a gift of tokens nor a fee raises h."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 20_000), world.deposit(world.other, 20_000)
        cross(world, venue, long, short, 10 * WAD, 2_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        world.touch(long)
        # surplus of a few wei is all that backs it
        ratio = world.clearing.read("releaseRatio")
        assert ratio < WAD // 10**6
        world.send("token", "mint", world.vault.address, 10_000 * 10**6)
        world.deposit(world.stranger, 100_000)
        assert world.clearing.read("releaseRatio") == ratio
        world.trade(eth, world.stranger, 20 * WAD)
        house, held = world.clearing.read("house"), world.vault.read("settlementWad")
        fees = house.feesPending * 10**12
        assert fees > WAD
        backing = held - house.capitalTotal - fees
        assert world.clearing.read("releaseRatio") == backing * WAD // house.profitTotal
        world.touch(long, short, account_id(world.stranger), eth.pool)
        assert world.clearing.read("releaseRatio") == WAD


class TestWeight:
    def test_rl_17_profit_that_counts_for_trades_counts_for_no_exit_by_transfer(
        self, world: World
    ) -> None:
        """Weight 50 %: it carries a new position, and no capital leaves to a sibling on it."""
        eth = world.markets[0]
        venue = any_venue(world)
        world.chain.send(eth.perp, "setParams", risk(profitWeight=500_000))
        long, short = world.deposit(world.trader, 5_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 20 * WAD, 2_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        world.touch(long, short)
        free = world.health(long).free
        sibling = account_id(world.trader, 1)
        world.known[sibling] = None
        for amount in (free + WAD, 100 * WAD):
            with refused("ClearingInitialMargin"):
                values = (long, sibling, amount)
                world.send("clearing", "transfer", *values, sender=world.trader)
        health = world.health(long)
        assert health.initialEquity > health.initial > health.initialEquity - 1_000 * WAD
        cross(world, venue, long, short, WAD // 10, 2_100)
