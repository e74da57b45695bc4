"""Sequences of the review that concern the ledger and the way of a loss."""

from novation.units import WAD
from tests.paths.acts import any_venue, ask_exit, calm, clear, cross, leg, refused, round_
from tests.world import HOUR, World, account_id, risk


class TestVenue:
    def test_inv_07_a_leg_of_any_number_wraps_no_margin_check(self, world: World) -> None:
        """A venue gone bad sends cash at the end of the word to a loser, the other to itself.

        The loser's strict valuation would carry its equity past the end, to the greatest number.
        """
        eth, btc = world.markets
        venue = any_venue(world)
        thief = world.deposit(world.stranger, 1_000)
        loser = world.deposit(world.trader, 15_000)
        honest = world.deposit(world.other, 100_000)
        round_(world, eth, "2100")
        calm(world, eth, "2100")
        cross(world, venue, loser, honest, 10 * WAD, 2_100)
        cross(world, venue, thief, honest, WAD, 2_100)
        cross(world, venue, loser, honest, 2 * WAD, 30_000, btc.number)
        world.push(btc.feed, "22000")
        world.touch(loser, honest)
        assert world.account(loser).capital == 0
        end = 2**255 - 1 - 1_200 * WAD
        with refused("ClearingInitialMargin|ClearingRiskRose|AmountOverflow|Panic|0x11"):
            clear(world, venue, [leg(thief, cash=end), leg(loser, cash=-end)])


class TestLoss:
    def test_rl_01_winner_cannot_hand_its_position_on_before_the_deficit(
        self, world: World
    ) -> None:
        """S4: neither to a sibling nor to the vAMM, in the transaction of the accrue or later."""
        eth = world.markets[0]
        venue = any_venue(world)
        winner = world.deposit(world.trader, 10_000)
        bankrupt = world.deposit(world.other, 10_000)
        sibling = world.deposit(world.trader, 10_000, sub=1)
        cross(world, venue, winner, bankrupt, 20 * WAD, 2_000)
        world.push(eth.feed, "3000")
        with refused("ClearingInterrupted"):
            cross(world, venue, sibling, winner, 20 * WAD, 3_000)
        with refused("ClearingInterrupted"):
            world.close(eth, world.trader)
        world.touch(winner, bankrupt)
        assert world.account(bankrupt).pnl == -10_000 * WAD
        assert world.account(winner).pnl == 20_000 * WAD
        with refused("ClearingInterrupted"):
            world.send("clearing", "release", winner, 1, [], 0, sender=world.trader)
        with refused("ClearingInterrupted"):
            world.withdraw(world.trader, 10_001 * 10**6, min_release=0)
        world.deposit(world.other, 1_000)

    def test_rl_03_collateral_pays_no_transfer(self, world: World) -> None:
        """What the payer lacks does not exist: the trade is refused, capital is not made of it."""
        chain, eth = world.chain, world.markets[0]
        token = chain.deploy("MockToken", "Ether", "ETH", 18)
        terms = (token.address, eth.oracle.address, 100_000, 10_000_000, 10**24)
        world.send("vault", "listCollateral", *terms)
        chain.send(token, "mint", world.trader, 10 * WAD)
        chain.send(token, "approve", world.vault.address, 10 * WAD, sender=world.trader)
        account = account_id(world.trader)
        world.known[account] = None
        values = (account, token.address, 10 * WAD)
        world.send("vault", "deposit", *values, sender=world.trader)
        assert world.health(account).equity > 17_000 * WAD
        with refused("ClearingTransferShort"):
            world.trade(eth, world.trader, WAD)
        house = world.clearing.read("house")
        held = world.vault.read("settlementWad")
        assert held >= house.capitalTotal + house.feesPending * 10**12

    def test_rl_06_liquidity_that_leaves_raises_nobodys_maintenance(self, world: World) -> None:
        eth = world.markets[0]
        account = world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, 10 * WAD)
        exiting = ask_exit(world, eth, world.lp, shares=900_000 * WAD, ratio=0)
        world.push(eth.feed, "2000")
        world.touch(account)
        before, depth = world.health(account), world.view(eth).depth
        world.chain.send(eth.vamm, "executeWithdrawal", exiting)
        after = world.health(account)
        assert world.view(eth).depth < depth // 9
        assert after.maintenance == before.maintenance
        assert after.initial > before.initial

    def test_rl_12_dead_market_lets_the_others_shrink(self, world: World) -> None:
        eth, btc = world.markets
        account = world.deposit(world.trader, 20_000)
        world.trade(eth, world.trader, 10 * WAD)
        world.trade(btc, world.trader, WAD // 100)
        world.chain.advance(2 * HOUR)
        world.push(eth.feed, "2000")
        with refused("OracleStale"):
            world.close(btc, world.trader)
        with refused("ClearingInitialMargin"):
            world.trade(eth, world.trader, WAD)
        world.close(eth, world.trader)
        assert world.size(account, eth) == 0
        assert world.size(account, btc) == WAD // 100

    def test_rl_16_settlement_moves_nothing(self, world: World) -> None:
        """RE-3: at the last good index, not at an average; what waits for the end earns nothing."""
        eth = world.markets[0]
        venue = any_venue(world)
        long, short = world.deposit(world.trader, 50_000), world.deposit(world.other, 50_000)
        cross(world, venue, long, short, 10 * WAD, 2_000)
        round_(world, eth, "2400")
        world.touch(long, short)
        before = world.account(long).pnl
        world.chain.advance(2 * HOUR)
        world.chain.send(eth.perp, "beginSettlement")
        view = world.view(eth)
        assert view.index == view.strict == 2_400 * WAD
        world.chain.advance(30 * HOUR)
        world.touch(long, short)
        funding = 2_400 * WAD * 10 // 1_000
        assert abs(world.account(long).pnl - before) < funding
        assert abs(world.account(long).pnl - 4_000 * WAD) < funding
        assert world.size(long, eth) == world.size(short, eth) == 0

    def test_rl_17_capital_does_not_leave_on_the_weight_of_profit(self, world: World) -> None:
        eth = world.markets[0]
        venue = any_venue(world)
        world.chain.send(eth.perp, "setParams", risk(profitWeight=500_000))
        winner, loser = world.deposit(world.trader, 5_000), world.deposit(world.other, 50_000)
        cross(world, venue, winner, loser, 20 * WAD, 2_000)
        for price in ("2050", "2100"):
            round_(world, eth, price)
            calm(world, eth, price)
        world.touch(winner)
        pnl, free = world.account(winner).pnl, world.health(winner).free
        assert pnl > 1_990 * WAD
        assert free < 800 * WAD
        more = free // 10**12 + 10**6
        with refused("ClearingReleaseRatio"):
            world.withdraw(world.trader, more)
        with refused("ClearingInitialMargin"):
            world.withdraw(world.trader, more, min_release=0)
        # Collected losses are another matter: profit that became capital counts in full.
        world.touch(loser)
        with refused("ClearingInitialMargin"):
            world.withdraw(world.trader, more + pnl // 10**12)
        world.withdraw(world.trader, more)
        assert world.account(winner).pnl < pnl


def test_rl_18_capital_beyond_its_field_is_refused_and_not_cut(world: World) -> None:
    owner, most = world.trader, 2**96 // 10**12
    world.chain.send(world.token, "mint", owner, most)
    values = (account_id(owner), world.token.address, most)
    with refused("VaultCapExceeded"):
        world.send("vault", "deposit", *values, sender=owner)
