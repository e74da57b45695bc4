"""Attacks on accounting and margin; ids as in the list of attacks."""

from typing import Any

import pytest

from novation.units import WAD
from tests.paths.acts import Leg, any_venue, calm, clear, cross, enable_pool, leg, refused, round_
from tests.paths.losses import ALL, against, insured, resolve, take, worth
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id, risk


def funded(world: World, hours: int) -> None:
    """Rounds at 2,000, so that the feed lives through so many hours."""
    for _ in range(hours):
        world.chain.advance(HOUR - 10)
        world.push(world.markets[0].feed, "2000")


class TestAccounting:
    def test_acc_08_funding_received_is_funding_paid_less_roundings(self, world: World) -> None:
        """Longs of 30, shorts of 12 and the pool of 18, a day: what came is what went, in wei."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 200_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 12 * WAD, 2_000)
        world.trade(eth, world.trader, 18 * WAD)
        world.touch(long, short, eth.pool)
        before = [worth(world, each) for each in (long, short, eth.pool)]
        funded(world, 24)
        world.touch(long, short, eth.pool)
        after = [worth(world, each) for each in (long, short, eth.pool)]
        gains = [b - a for a, b in zip(before, after, strict=True)]
        assert gains[0] < -5 * WAD
        assert gains[1] > 0 < gains[2]
        assert 0 <= -sum(gains) < 10**6

    def test_acc_08_funding_that_an_insolvent_side_owes_is_no_capital(self, world: World) -> None:
        """It is junior on the other side until it is collected or charged: V covers all capital."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 4_100, 50_000)
        world.deposit(world.stranger, 200_000)
        world.trade(eth, world.stranger, 30 * WAD)
        round_(world, eth, "1700")
        world.chain.advance(HOUR)
        round_(world, eth, "1700")
        world.touch(short)
        assert world.account(short).capital == 50_000 * WAD
        assert world.account(short).pnl > 5_900 * WAD
        house = world.clearing.read("house")
        held = world.vault.read("settlementWad")
        assert held >= house.capitalTotal + house.feesPending * 10**12
        assert world.clearing.read("releaseRatio") < WAD
        assert worth(world, long) < -1_900 * WAD

    def test_acc_09_nobody_is_kept_in_by_what_another_was_paid_first(self, world: World) -> None:
        """The long owes more than it has; the short closes first, then a new long, both freely."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 4_100, 50_000)
        other, maker = world.deposit(world.stranger, 50_000), world.deposit(world.lp, 50_000)
        round_(world, eth, "1780")
        calm(world, eth, "1780")
        world.touch(short)
        cross(world, venue, short, maker, 20 * WAD, 1_780)
        calm(world, eth, "1780")
        cross(world, venue, other, maker, WAD, 1_780)
        cross(world, venue, maker, other, WAD, 1_780)
        assert world.account(other).bitmap == 0 == world.account(short).bitmap
        world.withdraw(world.stranger, 50_000 * 10**6 - 1)
        world.withdraw(world.other, 50_000 * 10**6)
        assert worth(world, long) < 0

    def test_acc_13_no_limit_price_is_more_than_compared(self, world: World) -> None:
        """Largest, least and wrapping limits: the fill is the same, and no money is made."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        found = []
        for limit in (NO_LIMIT, 2**255, 2**128 + 1, 115 * 10**57):
            with world.isolated() as copy:
                copy.trade(eth, copy.trader, WAD, limit=limit)
                found.append(copy.account(account).capital + copy.account(account).pnl)
        assert max(found) - min(found) < 10**12
        assert max(found) < 20_000 * WAD
        for limit in (0, 1, 1_999 * WAD):
            with refused("VammPriceLimit"):
                world.trade(eth, world.trader, WAD, limit=limit)
        with refused("VammPriceLimit"):
            world.trade(eth, world.trader, -WAD, limit=2**255)

    @pytest.mark.parametrize("fee", [-1, -5 * WAD])
    def test_acc_16_no_leg_is_paid_by_the_house(self, world: World, fee: int) -> None:
        """Rebates come from the other leg: what is paid out and not paid in does not balance."""
        venue = any_venue(world)
        maker, taker = world.deposit(world.trader, 5_000), world.deposit(world.other, 5_000)
        legs = [leg(maker, WAD, -2_000 * WAD, -2 * fee), leg(taker, -WAD, 2_000 * WAD, fee)]
        with refused("ClearingUnbalancedLegs"):
            clear(world, venue, legs)
        for house in (2**256 + fee, 2**128 + fee):
            with refused("ClearingUnbalancedLegs|AmountOverflow"):
                clear(world, venue, legs, fee=house)
        legs = [leg(maker, WAD, -2_000 * WAD, -fee), leg(taker, -WAD, 2_000 * WAD, fee)]
        clear(world, venue, legs)
        assert worth(world, maker, taker) == 10_000 * WAD


class TestMargin:
    def test_mrg_02_a_winner_who_withdraws_to_the_edge_is_no_loss_of_the_pool(
        self, world: World
    ) -> None:
        """All that is free leaves; 10 % are left of notional at the worse price, not 6.

        The next fall makes it a takeover at the curve: the pool is paid its price and fee.
        """
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 6_000, 50_000)
        for step in ("2050", "2100"):
            round_(world, eth, step)
            calm(world, eth, step)
        world.touch(long, short)
        units = world.health(long).free // 10**12
        world.withdraw(world.trader, units)
        health = world.health(long)
        assert health.equity - world.account(long).pnl >= health.initial > 4_000 * WAD
        profit = world.account(long).pnl // 10**12
        with refused("ClearingInitialMargin"):
            world.withdraw(world.trader, profit + 2 * 10**6)
        insured(world)
        for step in ("2020", "1960", "1905", "1860"):
            round_(world, eth, step)
            calm(world, eth, step)
        round_(world, eth, "1814")
        calm(world, eth, "1814")
        seller = account_id(world.stranger)
        world.known[seller] = None
        health, pool = world.health(long), worth(world, eth.pool)
        assert 0 < health.equity < health.maintenance
        took = take(world, long, seller, world.stranger, gain=0, venue=eth.vamm.address)
        assert took.net > 0 > took.size
        assert worth(world, eth.pool) > pool

    def test_mrg_05_an_exit_asked_for_counts_as_shares_until_it_is_paid(self, world: World) -> None:
        """Nothing pending is margin: neither escrow, nor shares in cooldown, nor a stake."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 3_000)
        enable_pool(world, eth, world.trader)
        world.chain.send(eth.vamm, "requestDeposit", account, 2_000 * WAD, sender=world.trader)
        assert world.health(account).equity == 1_000 * WAD
        with refused("ClearingInitialMargin"):
            world.trade(eth, world.trader, 10 * WAD)
        world.push(eth.feed, "2000")
        world.chain.send(eth.vamm, "executeDeposit", account)
        shares = eth.vamm.read("sharesOf", account)
        world.chain.send(eth.vamm, "requestWithdrawal", account, shares, WAD, sender=world.trader)
        assert world.health(account).equity == 1_000 * WAD
        with refused("ClearingInitialMargin"):
            world.trade(eth, world.trader, 10 * WAD)

    @pytest.mark.parametrize("together", [False, True])
    def test_mrg_09_fills_at_a_bad_price_are_checked_with_all_before(
        self, world: World, together: bool
    ) -> None:
        """Bought at 2,400 of an index of 2,000 with 800 behind: two of 400 fit, in any packing."""
        venue = any_venue(world)
        buyer, seller = world.deposit(world.trader, 1_300), world.deposit(world.other, 50_000)

        def legs(times: int) -> list[Leg]:
            one = [leg(buyer, WAD, -2_400 * WAD), leg(seller, -WAD, 2_400 * WAD)]
            return one * times

        if together:
            with refused("ClearingInitialMargin"):
                clear(world, venue, legs(3))
            clear(world, venue, legs(2))
        else:
            clear(world, venue, legs(1))
            clear(world, venue, legs(1))
        with refused("ClearingInitialMargin"):
            clear(world, venue, legs(1))
        assert world.account(buyer).capital == pytest.approx(500 * WAD, rel=1e-9)
        assert world.health(buyer).equity > world.health(buyer).initial

    def test_mrg_10_a_token_whose_feed_died_stops_no_takeover(self, world: World) -> None:
        """A wei of it in the account, its feed at 0: takeover, trades and settlement go on."""
        chain, eth = world.chain, world.markets[0]
        token, feed = chain.deploy("MockToken", "Coin", "COIN", 18), chain.deploy("MockFeed", 8)
        dead = world.list_market("1", feed=feed)
        terms = (token.address, dead.oracle.address, 100_000, 10_000_000, 10**30)
        world.send("vault", "listCollateral", *terms)
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        chain.send(token, "mint", world.stranger, 1)
        chain.send(token, "approve", world.vault.address, 1, sender=world.stranger)
        world.send("vault", "deposit", long, token.address, 1, sender=world.stranger)
        chain.send(feed, "push", 0)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        assert take(world, long, taker, world.stranger, size=2 * WAD).size == -2 * WAD
        calm(world, eth, "1850")
        world.close(eth, world.trader)
        assert not world.account(long).bitmap & 1
        world.withdraw(world.trader, world.account(long).capital // 10**12)

    def test_mrg_12_no_cap_keeps_margin_from_who_needs_it(self, world: World) -> None:
        """The cap of a token is full, the caps of the market are 1: settlement money comes in."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        world.chain.send(eth.perp, "tightenCaps", 1, 1)
        world.deposit(world.trader, 2_000)
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)

    def test_mrg_14_claims_on_the_venue_are_no_margin(self, world: World) -> None:
        """Shares of a pool are no token; those of the fund count nothing unless listed."""
        eth = world.markets[0]
        names = {e["name"] for e in eth.vamm.artifact.abi if e["type"] == "function"}
        assert not names & {"transferFrom", "approve", "balanceOf"}
        terms: tuple[Any, ...] = (eth.vamm.address, eth.oracle.address, 100_000, 10**7, 10**30)
        with refused("reverted"):
            world.send("vault", "listCollateral", *terms)
        insured(world)
        holder = account_id(world.lp)
        shares = world.insurance.read("balanceOf", world.lp)
        world.send("insurance", "approve", world.vault.address, shares, sender=world.lp)
        values = (holder, world.insurance.address, shares)
        with refused("VaultUnknownToken"):
            world.send("vault", "deposit", *values, sender=world.lp)


class TestService:
    def test_dos_04_dust_costs_its_sender_alone(self, world: World) -> None:
        """Fifty dust deposits for a victim, and as many accounts: his takeover costs the same."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        spent = []
        for dusty in (False, True):
            with world.isolated() as copy:
                if dusty:
                    for sub in range(50):
                        values = (account_id(copy.other, sub + 100), copy.token.address, 1)
                        copy.send("vault", "deposit", *values, sender=copy.other)
                        copy.known[values[0]] = None
                        gift = (long, copy.token.address, 1)
                        copy.send("vault", "deposit", *gift, sender=copy.other)
                ask = {"market": 0, "victim": long, "taker": taker, "maxSize": ALL, "topUp": 0,
                       "venue": "0x" + "00" * 20, "expected": 0, "minNet": 0}  # fmt: skip
                receipt = copy.send("liquidator", "liquidate", ask, sender=copy.stranger)
                spent.append(copy.chain.gas(receipt))
        assert abs(spent[1] - spent[0]) < 3_000
        calm(world, eth, "1850")
        with refused("ClearingPositionTooSmall"):
            world.trade(eth, world.stranger, WAD // 1_000)

    def test_dos_02_a_closed_market_and_a_dead_one_stop_no_end(self, world: World) -> None:
        """Three markets: one closed, one silent, one alive; the account ends where it can."""
        eth, btc = world.markets
        third = world.list_market("100")
        venue = any_venue(world)
        long, short = against(world, venue, 5_400, 50_000)
        cross(world, venue, long, short, WAD // 100, 30_000, btc.number)
        cross(world, venue, long, short, WAD, 100, third.number)
        insured(world)
        world.chain.send(third.perp, "beginSettlement")
        world.chain.advance(DAY + HOUR)
        round_(world, eth, "1600")
        taker = world.deposit(world.stranger, 100_000)
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.account(long).bitmap == 1 << btc.number
        assert world.size(taker, eth) == 20 * WAD


class TestGovernance:
    def test_gov_09_a_cap_below_what_is_open_lets_everybody_out(self, world: World) -> None:
        """Down to 1 lot with 20 open: reductions, a takeover and the end of an account go on."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        world.chain.send(eth.perp, "setParams", risk(openInterestCap=WAD))
        with refused("ClearingOpenInterestCap"):
            cross(world, venue, taker, short, WAD, 2_000)
        cross(world, venue, short, long, WAD, 2_000)
        round_(world, eth, "1840")
        assert take(world, long, taker, world.stranger, size=WAD).size == -WAD
        round_(world, eth, "1600")
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.view(eth).openInterest == 19 * WAD
