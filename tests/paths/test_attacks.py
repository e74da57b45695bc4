"""Attacks on record, each tried on the whole protocol; ids as in the list of attacks."""

from novation.units import WAD
from tests.paths.acts import refused
from tests.world import World, account_id, risk

VENUE_BIT, COLLATERAL_BIT = 1 << 63, 1 << 62


class TestGovernance:
    def test_dos_06_dust_collateral_stops_no_listing(self, world: World) -> None:
        """Anyone may deposit for any account; that must not spoil the account of a venue to be."""
        chain, eth = world.chain, world.markets[0]
        token = chain.deploy("MockToken", "Ether", "ETH", 18)
        values = (token.address, eth.oracle.address, 100_000, 1_000_000, 10**24)
        world.send("vault", "listCollateral", *values)
        chain.send(token, "mint", world.stranger, 1)
        chain.send(token, "approve", world.vault.address, 1, sender=world.stranger)
        address = chain.accounts[8]
        pool = account_id(address)
        world.send("vault", "deposit", pool, token.address, 1, sender=world.stranger)
        assert world.account(pool).bitmap == COLLATERAL_BIT
        world.send("clearing", "setVenue", address, eth.number, True)
        assert world.account(pool).bitmap == VENUE_BIT

    def test_gov_01_a_smaller_size_scale_liquidates_nobody_at_once(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 5_000)
        world.trade(eth, world.trader, 10 * WAD)
        before = world.health(account)
        tight = risk(sizeScale=10_000)
        with refused("RiskOutOfBounds"):
            world.chain.send(eth.perp, "setParams", tight)
        after = world.health(account)
        assert after.maintenance == before.maintenance

    def test_gov_05_open_interest_cap_stays_inside_the_units_of_a_side(self, world: World) -> None:
        """Above 2^79 units a side begins a new epoch at every fill, and accounts walk them all."""
        eth = world.markets[0]
        with refused("RiskOutOfBounds"):
            world.chain.send(eth.perp, "setParams", risk(openInterestCap=2**79 + 1))
        world.chain.send(eth.perp, "setParams", risk(openInterestCap=2**79))
