"""Attacks on takeovers and on the end of accounts; ids as in the list of attacks."""

from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.units import WAD
from tests.paths.acts import any_venue, calm, clear, cross, enable_pool, leg, refused, round_
from tests.paths.losses import (
    ALL,
    WEI,
    against,
    end,
    insured,
    resolve,
    take,
    takeover,
    worth,
)
from tests.world import FUND, HOUR, NO_LIMIT, TRADE, ZERO, Market, World, account_id


def batch_of(world: World, *accounts: tuple[str, int]) -> Contract:
    """A contract of the attacker's that may trade for accounts of his, all in one transaction."""
    made = world.chain.deploy("MockBatch")
    for owner, sub in accounts:
        values = (account_id(owner, sub), made.address, TRADE)
        world.send("clearing", "setDelegate", *values, sender=owner)
    return made


def callees(call: dict[str, Any]) -> set[str]:
    """Every address that a traced call reached."""
    inner = [callees(each) for each in call.get("calls", [])]
    return {call["to"].lower()}.union(*inner)


def reached(world: World, receipt: dict[str, Any]) -> set[str]:
    digest = receipt["transactionHash"]
    trace = world.chain.request("debug_traceTransaction", digest, {"tracer": "callTracer"})
    return callees(trace)


def sequenced(world: World) -> tuple[Market, Contract]:
    """A market whose adapter watches a sequencer, up for long, with a grace of an hour."""
    chain = world.chain
    feed, sequencer = chain.deploy("MockFeed", 8), chain.deploy("MockFeed", 0)
    chain.send(sequencer, "set", 1 << 64 | 1, 0, 1, 1, 1 << 64 | 1)
    world.push(feed, "2000")
    config = {
        "feed": feed.address, "second": ZERO, "sequencer": sequencer.address, "heartbeat": HOUR,
        "secondHeartbeat": 0, "sequencerGrace": HOUR, "maxDivergence": 0, "minimum": WAD,
        "maximum": 100_000 * WAD, "lotExponent": 0,
    }  # fmt: skip
    oracle = chain.deploy("ChainlinkOracleAdapter", config)
    return world.list_market("2000", oracle=oracle, feed=feed), sequencer


class TestAttacker:
    def test_liq_05_nobody_opens_and_takes_himself_over_in_one_transaction(
        self, world: World
    ) -> None:
        """A round that comes in between does not count: one price a feed and transaction."""
        eth = world.markets[0]
        world.deposit(world.trader, 2_350)
        insured(world)
        batch = batch_of(world, (world.trader, 0), (world.stranger, 0))
        victim, taker = account_id(world.trader), world.deposit(world.stranger, 50_000)
        open_ = eth.vamm.encode("trade", victim, 10 * WAD, NO_LIMIT, NO_LIMIT)
        fall = eth.feed.encode("push", 1_850 * 10**8)
        ask = world.liquidator.encode("liquidate", takeover(victim, taker))
        targets = [eth.vamm.address, eth.feed.address, world.liquidator.address]
        with refused("BackstopHealthy"):
            world.chain.send(batch, "run", targets, [open_, fall, ask], sender=world.trader)
        world.chain.send(batch, "run", targets[:2], [open_, fall], sender=world.trader)
        before, interest = worth(world, victim, taker), world.view(eth).openInterest
        took = take(world, victim, taker, world.stranger)
        assert took.penalty > 0
        assert worth(world, victim, taker) == pytest.approx(before - took.penalty, rel=1e-9)
        assert world.view(eth).openInterest == interest

    def test_liq_09_who_ends_a_bankrupt_is_paid_the_least_reward_once(self, world: World) -> None:
        """E -1,000: 5 from insurance and no percentage of 34,000; a second call finds nothing."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        fund = insured(world)
        round_(world, eth, "1700")
        before = worth(world, taker)
        assert resolve(world, long, taker, sender=world.stranger) == (True, 5 * WAD)
        assert worth(world, taker) == pytest.approx(before + 5 * WAD, abs=WEI)
        assert worth(world, fund) == (100_000 - 1_000 - 5) * WAD
        with refused("BackstopSolvent"):
            resolve(world, long, taker, sender=world.stranger)
        assert worth(world, fund) == (100_000 - 1_000 - 5) * WAD

    def test_liq_09_who_ends_a_bankrupt_without_a_taker_is_paid_nothing(self, world: World) -> None:
        """Nor for the mark: a farm of bankrupts earns by neither step."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        fund = insured(world)
        round_(world, eth, "1700")
        end(world, long, "1700")
        paid = 100_000 * WAD - worth(world, fund)
        assert paid == pytest.approx(1_000 * WAD, rel=1e-3)
        assert world.liquidator.read("budgetLeft", 0) > 0


class TestVictim:
    def test_liq_10_open_requests_of_the_victim_stop_nothing(self, world: World) -> None:
        """Money in escrow of a pool, shares in cooldown, delegates: none is asked about."""
        eth, btc = world.markets
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        enable_pool(world, btc, world.trader)
        world.chain.send(btc.vamm, "requestDeposit", long, 400 * WAD, sender=world.trader)
        world.send("token", "approve", world.insurance.address, NO_LIMIT, sender=world.trader)
        stake = (100 * 10**world.decimals, world.trader)
        world.send("insurance", "deposit", *stake, sender=world.trader)
        shares = world.insurance.read("balanceOf", world.trader)
        world.send("insurance", "request", shares, sender=world.trader)
        world.send("clearing", "setDelegate", long, world.lp, FUND, sender=world.trader)
        round_(world, eth, "1850")
        assert take(world, long, taker, world.stranger, size=2 * WAD).size == -2 * WAD
        round_(world, eth, "1650")
        assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.account(long).bitmap == 0
        deposit, _ = btc.vamm.read("requestsOf", long)
        assert deposit.amount == 400 * WAD

    def test_liq_10_a_touch_or_a_mark_by_the_victim_is_no_auction(self, world: World) -> None:
        """Nothing that he begins holds up a takeover in the same block or the next."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1700")
        assert resolve(world, long, sender=world.trader) == (False, 0)
        assert resolve(world, long, taker, sender=world.stranger) == (True, 5 * WAD)

    def test_liq_13_liq_14_a_loss_moves_no_token_and_asks_no_victim(self, world: World) -> None:
        """TOK-06, KEP-05: neither a blacklist nor a hook is on the way; what is left stays his."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        held = world.vault.read("settlementHeld")
        foreign = {world.token.address.lower(), world.trader.lower(), world.other.lower()}
        round_(world, eth, "1850")
        calls = [("liquidate", takeover(long, taker, size=2 * WAD))]
        for call in calls:
            receipt = world.send("liquidator", *call, sender=world.stranger)
            seen = reached(world, receipt)
            assert world.clearing.address.lower() in seen
            assert not seen & foreign
        left = world.account(long)
        assert left.capital + left.pnl > 1_900 * WAD
        round_(world, eth, "1650")
        for target, rests in ((bytes(32), False), (taker, True)):
            values = ("resolve", long, target, 0)
            receipt = world.send("liquidator", *values, sender=world.stranger)
            assert not reached(world, receipt) & foreign
            assert (world.account(long).bitmap == 0) is rests
        assert world.vault.read("settlementHeld") == held
        assert world.size(short, eth) == -20 * WAD

    def test_liq_16_a_deposit_in_the_same_block_ends_what_was_marked(self, world: World) -> None:
        """A mark is no sentence: who is solvent when the later call comes keeps his position."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        insured(world)
        round_(world, eth, "1700")
        assert resolve(world, long) == (False, 0)
        world.deposit(world.trader, 4_000)
        world.chain.advance(HOUR + 100)
        round_(world, eth, "1700")
        assert resolve(world, long) == (False, 0)  # the mark goes
        with refused("BackstopSolvent"):
            resolve(world, long)
        assert world.size(long, eth) == 20 * WAD

    def test_liq_22_a_gift_of_dust_leaves_the_deficit_to_be_booked(self, world: World) -> None:
        """1e-6 quote a block, for ever: each is eaten by the loss at once, and the end comes."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        insured(world, 0)
        round_(world, eth, "1700")
        gift = (long, world.token.address, 1)
        assert resolve(world, long) == (False, 0)
        world.touch(long)
        for _ in range(3):
            world.send("vault", "deposit", *gift, sender=world.stranger)
            assert world.account(long).capital == 0
        world.chain.advance(HOUR + 100)
        round_(world, eth, "1700")
        world.send("vault", "deposit", *gift, sender=world.stranger)
        assert resolve(world, long) == (True, 0)
        assert tuple(world.account(long)) == (0, 0, 0)


class TestService:
    def test_liq_24_orc_05_after_an_outage_there_is_time_to_pay_in(self, world: World) -> None:
        """12 % down when the sequencer returns: an hour for deposits before anything is taken."""
        market, sequencer = sequenced(world)
        long, short = world.deposit(world.trader, 5_000), world.deposit(world.other, 50_000)
        venue = any_venue(world)
        cross(world, venue, long, short, 20 * WAD, 2_000, market.number)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        chain, id_ = world.chain, 1 << 64 | 2
        chain.send(sequencer, "set", id_, 1, chain.now, chain.now, id_)
        chain.advance(6 * HOUR)
        with refused("OracleSequencerDown"):
            take(world, long, taker, world.stranger, market=market.number)
        up = chain.now
        chain.send(sequencer, "set", id_ + 1, 0, up, up, id_ + 1)
        world.push(market.feed, "1760")
        with refused("OracleSequencerGrace"):
            take(world, long, taker, world.stranger, market=market.number)
        with refused("OracleSequencerGrace"):
            cross(world, venue, long, short, WAD, 1_760, market.number)
        with world.isolated() as copy:
            copy.deposit(copy.trader, 3_000)
            copy.chain.mine_at(up + HOUR + 1)
            with refused("BackstopHealthy"):
                take(copy, long, taker, copy.stranger, market=market.number)
        chain.mine_at(up + HOUR + 1)
        assert take(world, long, taker, world.stranger, market=market.number).size < 0

    def test_liq_26_no_venue_is_exempt(self, world: World) -> None:
        """The pool at half its maintenance of 10 % is taken over like a trader, part by part."""
        eth = world.markets[0]
        long = world.deposit(world.trader, 500_000)
        world.trade(eth, world.trader, 36 * WAD)
        fund = insured(world)
        thief, venue = world.deposit(world.stranger, 100), any_venue(world)
        spare = world.account(eth.pool).capital - 74_000 * WAD
        clear(world, venue, [leg(eth.pool, cash=-spare), leg(thief, cash=spare)])
        round_(world, eth, "3800")
        health = world.health(eth.pool)
        assert 0 < health.equity < health.maintenance
        taker, stake = world.deposit(world.other, 500_000), worth(world, fund)
        with refused("BackstopHealthy"):
            take(world, long, taker, world.other)
        took = take(world, eth.pool, taker, world.other, size=ALL)
        assert took.size > 0
        assert took.penalty == worth(world, fund) - stake
        after = world.health(eth.pool)
        assert after.equity * health.maintenance >= health.equity * after.maintenance
        calm(world, eth, "3800")
