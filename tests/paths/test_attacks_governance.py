"""Attacks by and on parameters, and by tokens; ids as in the list of attacks."""

from typing import Any

import pytest

from novation import artifacts
from novation.units import WAD
from tests.local_chain import local_chain
from tests.paths.acts import any_venue, calm, cross, refused, round_
from tests.paths.losses import LATER, against, insured, resolve, take, worth
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id, liquidation_terms, vamm_params

CORE = ("ClearingHouse", "Backstop", "MarginVault", "PerpMarket", "Liquidator", "InsuranceFund")
OPEN = {"_authority"}
"""The one address of a contract that may be set: who decides on roles, AccessManager."""


class TestParameters:
    def test_gov_01_terms_of_a_token_reach_maintenance_in_a_day(self, world: World) -> None:
        """Haircut 10 % to 90 %: who lives on the token is liquidatable tomorrow, not now."""
        chain, eth = world.chain, world.markets[0]
        token, feed = chain.deploy("MockToken", "Coin", "COIN", 18), chain.deploy("MockFeed", 8)
        market = world.list_market("1", feed=feed)
        terms = (token.address, market.oracle.address, 100_000, 10_000_000, 10**30)
        world.send("vault", "listCollateral", *terms)
        chain.send(token, "mint", world.trader, 10_000 * WAD)
        chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=world.trader)
        long, short = account_id(world.trader), world.deposit(world.other, 50_000)
        world.known[long] = None
        values = (long, token.address, 10_000 * WAD)
        world.send("vault", "deposit", *values, sender=world.trader)
        cross(world, any_venue(world), long, short, 20 * WAD, 2_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        tight = (token.address, 900_000, 10_000_000, 10**30)
        world.send("vault", "setCollateralTerms", *tight)
        with refused("BackstopHealthy"):
            take(world, long, taker, world.stranger)
        world.chain.advance(DAY)
        world.push(eth.feed, "2000")
        world.push(feed, "1")
        assert take(world, long, taker, world.stranger).size < 0

    def test_gov_04_a_dearer_fee_meets_the_limit_of_who_trades(self, world: World) -> None:
        """Nothing was charged before and nothing is given back: a fee is paid in its fill alone."""
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        f = eth.vamm.read("quoteTrade", WAD)
        limit = (f.quote + f.fee) * 1_001 // 1_000
        world.chain.send(eth.vamm, "setParams", vamm_params(baseFee=10_000))
        with refused("VammPriceLimit"):
            world.trade(eth, world.trader, WAD, limit=limit)
        world.trade(eth, world.trader, WAD)
        paid = 20_000 * WAD - worth(world, account)
        world.chain.send(eth.vamm, "setParams", vamm_params(baseFee=0))
        assert 20_000 * WAD - worth(world, account) == pytest.approx(paid, rel=1e-4)

    @pytest.mark.parametrize("contract", CORE)
    def test_gov_06_no_contract_of_the_core_can_be_given_another(self, contract: str) -> None:
        """Vault, backstop, fund, oracle and token are in the code: no stored word names them."""
        layout = artifacts.load(contract).storage_layout["storage"]
        stored = {e["label"] for e in layout if e["type"].startswith(("t_address", "t_contract"))}
        assert stored <= OPEN
        maps = {e["label"] for e in layout if e["type"].endswith("t_address)")}
        assert maps <= {"marketOf", "venueFor"}

    def test_gov_06_a_market_keeps_its_number_and_its_oracle(self, world: World) -> None:
        eth = world.markets[0]
        with refused("ClearingAlreadyListed"):
            world.send("clearing", "listMarket", eth.perp.address, False)
        names = {e["name"] for e in eth.perp.artifact.abi if e["type"] == "function"}
        assert "setOracle" not in names
        assert world.clearing.read("marketOf", 0) == eth.perp.address

    @pytest.mark.parametrize("stop", ["reduceOnly", "settling", "venue"])
    def test_gov_08_whatever_is_stopped_losses_are_still_acted_on(
        self, world: World, stop: str
    ) -> None:
        """Each stop by each way out: deposit, touch, capital of who is flat, end of a bankrupt."""
        eth = world.markets[0]
        long, short = against(world, any_venue(world), 5_000, 50_000)
        flat = world.deposit(world.lp, 1_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world)
        round_(world, eth, "1850")
        if stop == "settling":
            world.chain.send(eth.perp, "beginSettlement")
        elif stop == "venue":
            world.send("clearing", "stopVenue", eth.vamm.address)
        else:
            world.chain.send(eth.perp, "reduceOnly")
        world.deposit(world.lp, 1)
        world.withdraw(world.lp, 1_001 * 10**6)
        world.touch(long, short, flat)
        if stop == "settling":
            with refused("ClearingMarketState"):
                take(world, long, taker, world.stranger)
            world.chain.advance(DAY + HOUR)
            world.touch(long, short)
            world.withdraw(world.trader, world.account(long).capital // 10**12)
        else:
            assert take(world, long, taker, world.stranger, size=2 * WAD).size < 0
            round_(world, eth, "1600")
            assert resolve(world, long, taker, sender=world.stranger)[0]
        assert world.account(long).bitmap == 0

    def test_gov_08_reduce_only_stops_nobody_from_leaving_by_any_venue(self, world: World) -> None:
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = against(world, venue, 10_000, 50_000)
        world.chain.send(eth.perp, "reduceOnly")
        cross(world, venue, short, long, 5 * WAD, 2_000)
        with refused("ClearingReduceOnly"):
            cross(world, venue, short, long, 16 * WAD, 2_000)
        cross(world, venue, short, long, 15 * WAD, 2_000)
        assert world.account(long).bitmap == world.account(short).bitmap == 0

    def test_gov_05_the_clamp_of_rewards_holds_whatever_the_terms(self, world: World) -> None:
        """Terms at their bounds, reward + penalty just below maintenance, target 3: E >= 0."""
        eth = world.markets[0]
        long, _ = against(world, any_venue(world), 5_000, 50_000)
        taker = world.deposit(world.stranger, 100_000)
        insured(world, rewardMin=30_000, rewardMax=30_000, penalty=29_999, target=3_000_000)
        for price in ("1856", "1800", "1752"):
            with world.isolated() as copy:
                round_(copy, eth, price)
                before = copy.health(long)
                take(copy, long, taker, copy.stranger)
                after = copy.health(long)
                assert after.equity >= 0
                assert after.equity * before.maintenance >= before.equity * after.maintenance


class TestTokens:
    def test_tok_06_a_blacklisted_winner_stops_no_takeover_and_nobody_elses_exit(self) -> None:
        """LIQ-13 with a settlement token that refuses him: his money stays in the ledger."""
        with local_chain() as chain:
            world = World.deploy(chain)
            world.token = chain.deploy("BlacklistToken", 6)
            world.known.clear()
            world.deploy_core()
            for owner in (world.lp, world.trader, world.other, world.stranger):
                world.fund(owner, 1_000_000)
            eth = world.list_market("2000")
            world.add_liquidity(eth, 100_000, "2000")
            long, short = against(world, any_venue(world), 5_000, 50_000)
            taker = world.deposit(world.stranger, 100_000)
            insured_alone(world)
            for owner in (world.trader, world.other):
                chain.send(world.token, "setListed", owner, True)
            round_(world, eth, "1850")
            assert take(world, long, taker, world.stranger, size=2 * WAD).size == -2 * WAD
            round_(world, eth, "1600")
            assert resolve(world, long) == (False, 0)
            chain.advance(LATER)
            round_(world, eth, "1600")
            assert resolve(world, long) == (True, 0)
            with refused("Blacklisted"):
                world.withdraw(world.other, 10**6)
            assert worth(world, short) > 50_000 * WAD
            calm(world, eth, "1600")
            cross(world, chain.accounts[7], short, taker, world.size(taker, eth), 1_600)
            world.touch(taker)
            world.withdraw(world.stranger, 90_000 * 10**6)
            chain.send(world.token, "setListed", world.other, False)
            world.withdraw(world.other, 10**6)
            world.check_identity()

    def test_tok_02_a_token_that_shrinks_is_short_by_itself_alone(self, world: World) -> None:
        """2 % of a listed token vanish from the vault: its last holder is short, V is whole."""
        chain = world.chain
        token, feed = chain.deploy("MockToken", "Staked", "STK", 18), chain.deploy("MockFeed", 8)
        market = world.list_market("1", feed=feed)
        terms = (token.address, market.oracle.address, 100_000, 10_000_000, 10**30)
        world.send("vault", "listCollateral", *terms)
        for owner in (world.trader, world.other):
            chain.send(token, "mint", owner, 100 * WAD)
            chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=owner)
            account = world.deposit(owner, 100)
            values = (account, token.address, 100 * WAD)
            world.send("vault", "deposit", *values, sender=owner)
        held = world.vault.read("settlementWad")
        chain.request("anvil_impersonateAccount", world.vault.address)
        chain.request("anvil_setBalance", world.vault.address, hex(WAD))
        chain.send(token, "transfer", world.admin, 4 * WAD, sender=world.vault.address)

        def leave(owner: str) -> Any:
            values: tuple[Any, ...] = (account_id(owner), token.address, 100 * WAD, owner, [], WAD)
            return world.send("vault", "withdraw", *values, sender=owner)

        leave(world.trader)
        with refused("ERC20InsufficientBalance"):
            leave(world.other)
        assert world.vault.read("settlementWad") == held
        for owner in (world.trader, world.other):
            world.withdraw(owner, 100 * 10**6)


def insured_alone(world: World) -> None:
    """Terms of the one market; no stake."""
    world.send("liquidator", "setTerms", 0, liquidation_terms())
