"""ClearingHouse: legs that balance, touch, margin, release, who may do what."""

from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.units import WAD
from tests.world import (
    ANY_MARKET,
    DAY,
    FUND,
    KEEP_PREMIUM,
    NO_LIMIT,
    TRADE,
    ZERO,
    Market,
    World,
    account_id,
)

Leg = dict[str, Any]


@pytest.fixture
def venue(world: World) -> str:
    """An account of the node that may propose any legs: the worst venue there can be."""
    address = world.chain.accounts[7]
    world.send("clearing", "setVenue", address, ANY_MARKET, True)
    return address


def leg(owner: str, size: int = 0, cash: int = 0, transfer: int = 0, sub: int = 0) -> Leg:
    return {"account": account_id(owner, sub), "size": size, "cash": cash, "transfer": transfer}


def clear(world: World, venue: str, legs: list[Leg], market: int = 0, fee: int = 0) -> None:
    ordered = sorted(legs, key=lambda each: bytes(each["account"]))
    world.send("clearing", "clear", market, ordered, fee, KEEP_PREMIUM, sender=venue)


def cross(
    world: World, venue: str, buyer: str, seller: str, size: int, price: int, market: int = 0
) -> None:
    """Buyer and seller meet at `price` (WAD)."""
    cash = size * price // WAD
    clear(world, venue, [leg(buyer, size, -cash), leg(seller, -size, cash)], market)


@pytest.fixture
def pair(world: World) -> tuple[str, str]:
    """Two funded owners."""
    world.deposit(world.trader, 10_000)
    world.deposit(world.other, 10_000)
    return world.trader, world.other


def refused(name: str) -> Any:
    return pytest.raises(ContractError, match=name)


# Legs


def test_clear_of_legs_that_balance_moves_both_positions(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 5 * WAD, 2_000 * WAD)
    eth = world.markets[0]
    assert world.size(account_id(buyer), eth) == 5 * WAD
    assert world.size(account_id(seller), eth) == -5 * WAD
    assert world.view(eth).openInterest == 5 * WAD
    assert world.account(account_id(buyer)).capital == 10_000 * WAD


@pytest.mark.parametrize(
    ("size", "cash", "transfer"), [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-7, 3, -2)]
)
def test_clear_of_legs_that_do_not_balance_names_the_sums(
    world: World, venue: str, pair: tuple[str, str], size: int, cash: int, transfer: int
) -> None:
    legs = [
        leg(pair[0], WAD + size, -2_000 * WAD + cash, transfer),
        leg(pair[1], -WAD, 2_000 * WAD),
    ]
    with pytest.raises(ContractError) as caught:
        clear(world, venue, legs)
    assert caught.value.name == "ClearingUnbalancedLegs"
    assert list(caught.value.arguments.values()) == [size, cash, transfer]


def test_clear_of_unsorted_legs_is_refused(world: World, venue: str, pair: tuple[str, str]) -> None:
    legs = sorted([leg(pair[0]), leg(pair[1])], key=lambda each: bytes(each["account"]))[::-1]
    with refused("ClearingUnsortedLegs"):
        world.send("clearing", "clear", 0, legs, 0, KEEP_PREMIUM, sender=venue)


def test_clear_nets_equal_neighbours(world: World, venue: str, pair: tuple[str, str]) -> None:
    """A flip through a leg too many is checked at its net (MRG-06)."""
    buyer, seller = pair
    legs = [
        leg(buyer, -WAD, 2_000 * WAD),
        leg(buyer, 2 * WAD, -4_000 * WAD),
        leg(seller, -WAD, 2_000 * WAD),
    ]
    clear(world, venue, legs)
    assert world.size(account_id(buyer), world.markets[0]) == WAD


def test_mrg_06_one_wei_of_reduction_does_not_lower_the_check(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, WAD, 2_000 * WAD)
    legs = [leg(buyer, -1, 2_000), leg(buyer, 60 * WAD + 1, -120_000 * WAD - 2_000)]
    legs += [leg(seller, -60 * WAD, 120_000 * WAD)]
    with refused("ClearingInitialMargin"):
        clear(world, venue, legs)


def test_clear_by_a_stranger_is_refused(world: World, pair: tuple[str, str]) -> None:
    with refused("ClearingNotVenue"):
        cross(world, world.stranger, *pair, WAD, 2_000 * WAD)


def test_clear_by_a_venue_of_another_market_is_refused(world: World, pair: tuple[str, str]) -> None:
    address = world.chain.accounts[8]
    world.send("clearing", "setVenue", address, 1, True)
    with refused("ClearingNotVenue"):
        cross(world, address, *pair, WAD, 2_000 * WAD, market=0)


def test_clear_in_an_unknown_market_is_refused(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    with refused("ClearingUnknownMarket"):
        cross(world, venue, *pair, WAD, 2_000 * WAD, market=9)


def test_stopped_venue_cannot_clear(world: World, venue: str, pair: tuple[str, str]) -> None:
    world.send("clearing", "stopVenue", venue)
    with refused("ClearingNotVenue"):
        cross(world, venue, *pair, WAD, 2_000 * WAD)


@pytest.mark.parametrize("fee", [2**96, 2**255, 2**256 - 1])
def test_house_fee_that_would_wrap_is_refused(
    world: World, venue: str, pair: tuple[str, str], fee: int
) -> None:
    minted = 10**24
    legs = [leg(pair[0], transfer=minted), leg(pair[1], transfer=-minted)]
    with refused("AmountOverflow"):
        clear(world, venue, legs, fee=fee)


def test_fill_is_for_venues_of_the_market(world: World) -> None:
    ask = {"size": WAD, "quote": 0, "limitPrice": NO_LIMIT, "closing": False}
    with pytest.raises(ContractError) as caught:
        world.send("clearing", "fill", 0, account_id(world.trader), ask, sender=world.stranger)
    assert caught.value.name == "ClearingNotVenue"
    assert caught.value.arguments["market"] == 0


# Margin


def test_inv_07_growth_needs_initial_margin_on_both_sides(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    with pytest.raises(ContractError) as caught:
        cross(world, venue, *pair, 60 * WAD, 2_000 * WAD)
    assert caught.value.name == "ClearingInitialMargin"
    assert caught.value.arguments["equity"] == 10_000 * WAD
    assert caught.value.arguments["required"] > 12_000 * WAD


def test_mrg_08_off_market_price_counts_against_the_giver_at_once(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    with refused("ClearingInitialMargin"):
        cross(world, venue, buyer, seller, 40 * WAD, 2_200 * WAD)
    cross(world, venue, buyer, seller, WAD, 2_200 * WAD)
    assert world.account(account_id(buyer)).capital == 9_800 * WAD
    assert world.account(account_id(seller)).pnl == 200 * WAD


def test_inv_10_reduction_is_allowed_below_initial_margin(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 45 * WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, "1950")
    assert world.health(account_id(buyer)).initialEquity < world.health(account_id(buyer)).initial
    cross(world, venue, seller, buyer, 10 * WAD, 1_950 * WAD)
    assert world.size(account_id(buyer), world.markets[0]) == 35 * WAD


def test_reduction_that_makes_margin_worse_is_refused(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 45 * WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, "1950")
    with refused("ClearingRiskRose"):
        cross(world, venue, seller, buyer, 10 * WAD, 1_500 * WAD)


def test_bankrupt_account_cannot_trade(world: World, venue: str, pair: tuple[str, str]) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 45 * WAD, 2_000 * WAD)
    account = account_id(buyer)
    world.push(world.markets[0].feed, "1770")
    world.touch(account)
    world.chain.mine_at(world.view(world.markets[0]).interruptedUntil)
    assert world.health(account).equity < 0
    with refused("ClearingRiskRose"):
        cross(world, venue, seller, buyer, 45 * WAD, 1_770 * WAD)


def test_inv_17_nobody_is_made_liquidatable_at_constant_index(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """RL-6: open interest and depth move initial margin only."""
    buyer, seller = pair
    cross(world, venue, buyer, seller, 20 * WAD, 2_000 * WAD)
    before = world.health(account_id(buyer))
    world.deposit(world.stranger, 5_000_000)
    world.deposit(world.stranger, 5_000_000, sub=1)
    legs = [leg(world.stranger, 2_000 * WAD, -4_000_000 * WAD)]
    legs += [leg(world.stranger, -2_000 * WAD, 4_000_000 * WAD, sub=1)]
    clear(world, venue, legs)
    after = world.health(account_id(buyer))
    assert after.maintenance == before.maintenance
    assert after.equity == before.equity
    assert after.initial > before.initial


# Limits


def test_position_below_the_least_notional_is_refused(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    with pytest.raises(ContractError) as caught:
        cross(world, venue, *pair, WAD // 100, 2_000 * WAD)
    assert caught.value.name == "ClearingPositionTooSmall"
    assert caught.value.arguments["notional"] == 20 * WAD
    assert caught.value.arguments["minimum"] == 50 * WAD


@pytest.mark.parametrize("size", [1, -1, 10**9 - 1])
def test_dust_that_opens_nothing_is_refused(world: World, size: int) -> None:
    """ACC-01: it would be paid for all the same."""
    world.deposit(world.trader, 100)
    with pytest.raises(ContractError) as caught:
        world.trade(world.markets[0], world.trader, size)
    assert caught.value.name == "ClearingPositionTooSmall"
    assert caught.value.arguments["notional"] == 2_000 * abs(size)


def test_account_cap_names_notional_and_cap(world: World, venue: str) -> None:
    world.deposit(world.trader, 9_000_000)
    world.deposit(world.other, 9_000_000)
    with pytest.raises(ContractError) as caught:
        cross(world, venue, world.trader, world.other, 2_501 * WAD, 2_000 * WAD)
    assert caught.value.name == "ClearingAccountCap"
    assert caught.value.arguments["cap"] == 5_000_000 * WAD


def test_gov_09_cap_below_what_is_open_stops_growth_only(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    cross(world, venue, *pair, 10 * WAD, 2_000 * WAD)
    eth = world.markets[0]
    world.chain.send(eth.perp, "tightenCaps", 5 * WAD, 1_000)
    with refused("ClearingAccountCap"):
        cross(world, venue, *pair, WAD, 2_000 * WAD)
    cross(world, venue, pair[1], pair[0], 3 * WAD, 2_000 * WAD)
    assert world.view(eth).openInterest == 7 * WAD


def test_open_interest_cap_names_both_numbers(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    world.chain.send(world.markets[0].perp, "tightenCaps", 5 * WAD, 5_000_000)
    with pytest.raises(ContractError) as caught:
        cross(world, venue, *pair, 6 * WAD, 2_000 * WAD)
    assert caught.value.name == "ClearingOpenInterestCap"
    assert caught.value.arguments["openInterest"] == 6 * WAD


@pytest.mark.parametrize("size", [2**79, 2**95, 2**254])
def test_acc_12_extreme_size_is_refused(
    world: World, venue: str, pair: tuple[str, str], size: int
) -> None:
    legs = [leg(pair[0], size), leg(pair[1], -size)]
    with pytest.raises(ContractError) as caught:
        clear(world, venue, legs)
    assert caught.value.name in ("ClearingSizeOutOfRange", "Panic")


def test_fee_above_the_maximum_is_refused_from_others(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """SIG-16: a venue can take at most 5 % of a leg's cash."""
    buyer, seller = pair
    fee = 101 * WAD
    legs = [leg(buyer, WAD, -2_000 * WAD, -fee), leg(seller, -WAD, 2_000 * WAD, fee)]
    with pytest.raises(ContractError) as caught:
        clear(world, venue, legs)
    assert caught.value.name == "ClearingFeeTooHigh"
    assert caught.value.arguments["maximum"] == 100 * WAD


def test_venue_cannot_move_money_without_a_trade(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    with refused("ClearingFeeTooHigh"):
        clear(world, venue, [leg(pair[0], transfer=-1), leg(pair[1], transfer=1)])


def test_reduce_only_lets_positions_shrink_and_nothing_grow(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 5 * WAD, 2_000 * WAD)
    eth = world.markets[0]
    world.chain.send(eth.perp, "reduceOnly")
    with refused("ClearingReduceOnly"):
        cross(world, venue, buyer, seller, WAD, 2_000 * WAD)
    with refused("ClearingReduceOnly"):
        cross(world, venue, seller, buyer, 6 * WAD, 2_000 * WAD)
    cross(world, venue, seller, buyer, 5 * WAD, 2_000 * WAD)
    assert world.view(eth).openInterest == 0
    world.chain.send(eth.perp, "activate")
    cross(world, venue, buyer, seller, WAD, 2_000 * WAD)


# Touch, sides, epochs


def test_acc_05_flip_equals_close_and_open(world: World, venue: str, pair: tuple[str, str]) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, "2050")
    cross(world, venue, seller, buyer, 3 * WAD, 2_050 * WAD)
    account = world.account(account_id(buyer))
    assert world.size(account_id(buyer), world.markets[0]) == -2 * WAD
    assert account.capital + account.pnl == pytest.approx(10_050 * WAD, abs=10**6)


def test_rl_10_hedged_account_nets_before_a_loss_eats_capital(world: World, venue: str) -> None:
    account = world.deposit(world.trader, 1_100)
    world.deposit(world.other, 10_000)
    cross(world, venue, world.trader, world.other, WAD, 2_000 * WAD, market=0)
    cross(world, venue, world.other, world.trader, WAD // 15, 30_000 * WAD, market=1)
    world.push(world.markets[0].feed, "1960")
    world.push(world.markets[1].feed, "29400")
    world.touch(account)
    after = world.account(account)
    assert after.capital + after.pnl == pytest.approx(1_100 * WAD, abs=10**15)
    assert after.capital == pytest.approx(1_100 * WAD, abs=10**15)


def test_inv_03_profit_is_path_independent_and_zero_sum(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    cross(world, venue, buyer, seller, 3 * WAD, 2_000 * WAD)
    for price in ("2010", "1995", "2030"):
        world.push(world.markets[0].feed, price)
        world.touch(account_id(buyer))
    world.touch(account_id(seller))
    long, short = world.account(account_id(buyer)), world.account(account_id(seller))
    assert long.capital + long.pnl == pytest.approx(10_090 * WAD, abs=10)
    total = long.capital + long.pnl + short.capital + short.pnl
    assert 20_000 * WAD - 20 <= total <= 20_000 * WAD


def test_rl_05_closing_everything_empties_both_sides(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    buyer, seller = pair
    eth = world.markets[0]
    for round_ in range(3):
        cross(world, venue, buyer, seller, 3 * WAD + round_ + 7, 2_000 * WAD)
        world.push(eth.feed, str(2_000 + round_))
        cross(world, venue, seller, buyer, 3 * WAD + round_ + 7, (2_000 + round_) * WAD)
        words = eth.perp.read("words")
        assert words.openInterest == 0
        assert list(words.units) == [0, 0]
        assert world.account(account_id(buyer)).bitmap == 0


def test_isolated_market_stands_alone(world: World, venue: str, pair: tuple[str, str]) -> None:
    world.list_market("10", listed={"isolated": True})
    buyer, seller = pair
    cross(world, venue, buyer, seller, WAD, 2_000 * WAD)
    with refused("ClearingIsolatedMarket"):
        cross(world, venue, buyer, seller, 10 * WAD, 10 * WAD, market=2)
    world.deposit(buyer, 1_000, sub=1)
    world.deposit(seller, 1_000, sub=1)
    legs = [leg(buyer, 10 * WAD, -100 * WAD, sub=1), leg(seller, -10 * WAD, 100 * WAD, sub=1)]
    clear(world, venue, legs, market=2)
    more = [leg(buyer, WAD, -2_000 * WAD, sub=1), leg(seller, -WAD, 2_000 * WAD)]
    with refused("ClearingIsolatedMarket"):
        clear(world, venue, more)


# Release and withdrawal


def win(world: World, venue: str, pair: tuple[str, str], price: str = "2040") -> None:
    cross(world, venue, *pair, 10 * WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, price)
    world.touch(account_id(pair[0]))


def test_release_before_losses_are_collected_is_refused_and_after_is_whole(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    winner, loser = pair
    win(world, venue, pair)
    account = account_id(winner)
    assert world.clearing.read("releaseRatio") == 0
    with pytest.raises(ContractError) as caught:
        world.send("clearing", "release", account, 400 * WAD, [], WAD, sender=winner)
    assert caught.value.name == "ClearingReleaseRatio"
    touch = [account_id(loser)]
    world.send("clearing", "release", account, 399 * WAD, touch, WAD, sender=winner)
    after = world.account(account)
    assert after.capital == 10_399 * WAD


@pytest.mark.parametrize("amount", [2**255, 2**256 - 1, 10**30])
def test_release_of_more_than_the_profit_is_refused(
    world: World, venue: str, pair: tuple[str, str], amount: int
) -> None:
    win(world, venue, pair)
    account = account_id(pair[0])
    with refused("ClearingProfitTooLow"):
        world.send("clearing", "release", account, amount, [], 0, sender=pair[0])


def test_withdrawal_of_profit_touches_losers_in_one_call(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    winner, loser = pair
    win(world, venue, pair)
    cross(world, venue, loser, winner, 10 * WAD, 2_040 * WAD)
    world.withdraw(winner, 10_399 * 10**6, touch=[account_id(loser)])
    assert world.account(account_id(winner)).capital < WAD


def test_inv_08_withdrawal_leaves_initial_margin_without_profit(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """MRG-01, RL-17: unrealised profit is never margin for what leaves."""
    winner, _ = pair
    win(world, venue, pair)
    free = world.health(account_id(winner)).free
    with refused("ClearingReleaseRatio"):
        world.withdraw(winner, 9_000 * 10**6)
    with refused("ClearingInitialMargin"):
        world.withdraw(winner, 9_000 * 10**6, min_release=0)
    world.withdraw(winner, free // 10**12)


def test_withdrawal_beside_a_position_releases_what_margin_lacks(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """Profit that is backed leaves in one call; what stays is initial margin in capital."""
    winner, loser = pair
    win(world, venue, pair)
    account = account_id(winner)
    world.touch(account_id(loser))
    a, h = world.account(account), world.health(account)
    assert 0 < h.free < a.capital - h.initial
    most = (h.free + a.pnl) // 10**12
    with world.chain.isolated():
        world.withdraw(winner, h.free // 10**12)
        assert world.account(account).pnl == a.pnl
    with refused("ClearingInitialMargin"):
        world.withdraw(winner, most + 10**6)
    receipt = world.withdraw(winner, most - 10**6)
    block = int(receipt["blockNumber"], 16)
    (told,) = world.clearing.events(["Released"], block, block)
    assert told.values["pnl"] == told.values["capital"]
    assert a.pnl - 2 * WAD < told.values["pnl"] <= a.pnl
    left = world.account(account)
    assert world.health(account).free == 0
    assert left.capital + left.pnl == a.capital + a.pnl - (most - 10**6) * 10**12


def test_cut_release_for_margin_takes_more_profit(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """At h < 1, which the caller accepts: the profit that it takes is rounded up."""
    winner, loser = pair
    win(world, venue, pair)
    account = account_id(winner)
    cross(world, venue, loser, winner, 5 * WAD, 2_040 * WAD)  # half of the loss is collected
    world.push(world.markets[0].feed, "2060")
    world.touch(account)
    ratio = world.clearing.read("releaseRatio")
    assert 0 < ratio < WAD
    world.withdraw(winner, (world.health(account).free + 100 * WAD) // 10**12, min_release=0)
    (told,) = world.clearing.events(["Released"], 0, world.chain.block_number())
    assert told.values["capital"] == told.values["pnl"] * ratio // WAD
    assert world.health(account).free <= 1


def test_flat_account_withdraws_whatever_the_oracle_says(
    world: World, pair: tuple[str, str]
) -> None:
    world.chain.advance(3 * DAY)
    world.withdraw(pair[0], 10_000 * 10**6)
    assert world.account(account_id(pair[0])).capital == 0


def test_holder_of_a_dead_market_cannot_withdraw_but_touches_go_on(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    cross(world, venue, *pair, WAD, 2_000 * WAD)
    world.chain.advance(3 * DAY)
    world.touch(account_id(pair[0]))
    with refused("ClearingInitialMargin"):
        world.withdraw(pair[0], 10**6)


def test_rl_12_dead_market_doubles_its_maintenance_and_blocks_no_touch(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    cross(world, venue, *pair, WAD, 2_000 * WAD)
    before = world.health(account_id(pair[0]))
    world.chain.advance(3 * DAY)
    after = world.health(account_id(pair[0]))
    assert after.maintenance == 2 * before.maintenance


# Interruption


def test_clearing_interruption_shuts_fills_and_release_and_opens_again(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """RL-1 c, RL-2: nobody runs from a loss that is not booked yet."""
    winner, loser = pair
    cross(world, venue, winner, loser, 10 * WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, "2200")
    world.touch(account_id(winner), account_id(loser))
    with refused("ClearingInterrupted"):
        cross(world, venue, loser, winner, WAD, 2_200 * WAD)
    with refused("ClearingInterrupted"):
        world.send("clearing", "release", account_id(winner), WAD, [], 0, sender=winner)
    until = world.view(world.markets[0]).interruptedUntil
    world.deposit(loser, 1_000)
    world.chain.mine_at(until)
    cross(world, venue, loser, winner, WAD, 2_200 * WAD)


def test_interruption_ends_without_anybody_touching_the_market(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """Fills that are refused move nothing, so the time since the round counts by itself."""
    cross(world, venue, *pair, 10 * WAD, 2_000 * WAD)
    world.push(world.markets[0].feed, "2200")
    with refused("ClearingInterrupted"):
        cross(world, venue, pair[1], pair[0], WAD, 2_200 * WAD)
    world.chain.mine_at(world.view(world.markets[0]).interruptedUntil)
    world.deposit(pair[1], 1_000)
    cross(world, venue, pair[1], pair[0], WAD, 2_200 * WAD)


# Rights


def test_delegate_may_trade_and_not_withdraw(world: World, pair: tuple[str, str]) -> None:
    """SIG-17."""
    account = account_id(pair[0])
    world.send("clearing", "setDelegate", account, world.stranger, TRADE, sender=pair[0])
    eth = world.markets[0]
    world.chain.send(eth.vamm, "trade", account, WAD, NO_LIMIT, NO_LIMIT, sender=world.stranger)
    with refused("VaultNotAuthorised"):
        values = (account, world.token.address, 1, world.stranger, [], WAD)
        world.send("vault", "withdraw", *values, sender=world.stranger)
    with refused("ClearingNotAuthorised"):
        world.send(
            "clearing", "transfer", account, account_id(world.stranger), 1, sender=world.stranger
        )
    world.send("clearing", "setDelegate", account, world.stranger, 0, sender=pair[0])
    with refused("VammNotAuthorised"):
        world.chain.send(eth.vamm, "trade", account, WAD, NO_LIMIT, NO_LIMIT, sender=world.stranger)


def test_delegate_is_set_by_the_owner_only(world: World, pair: tuple[str, str]) -> None:
    with refused("ClearingNotAuthorised"):
        world.send(
            "clearing", "setDelegate", account_id(pair[0]), world.stranger, 7, sender=world.stranger
        )


def test_transfer_moves_capital_between_accounts(world: World, pair: tuple[str, str]) -> None:
    target = account_id(pair[1], 3)
    world.known[target] = None
    world.send("clearing", "transfer", account_id(pair[0]), target, 4_000 * WAD, sender=pair[0])
    assert world.account(target).capital == 4_000 * WAD
    assert world.account(account_id(pair[0])).capital == 6_000 * WAD


def test_transfer_to_the_same_account_changes_nothing(world: World, pair: tuple[str, str]) -> None:
    account = account_id(pair[0])
    world.send("clearing", "transfer", account, account, 4_000 * WAD, sender=pair[0])
    assert world.account(account).capital == 10_000 * WAD


def test_transfer_from_under_margin_is_refused(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    cross(world, venue, *pair, 40 * WAD, 2_000 * WAD)
    with refused("ClearingInitialMargin"):
        values = (account_id(pair[0]), account_id(pair[1]), 5_000 * WAD)
        world.send("clearing", "transfer", *values, sender=pair[0])


def test_money_cannot_be_put_into_a_pool_from_outside(world: World, pair: tuple[str, str]) -> None:
    """VAM-09: no donation moves the value of a share."""
    pool = world.markets[0].pool
    with refused("ClearingVenueAccount"):
        world.send("clearing", "transfer", account_id(pair[0]), pool, WAD, sender=pair[0])
    with refused("ClearingVenueAccount"):
        world.send("vault", "deposit", pool, world.token.address, 1, sender=pair[0])


def test_account_without_owner_takes_nothing(world: World, pair: tuple[str, str]) -> None:
    with refused("ClearingNoOwner"):
        world.send(
            "clearing", "transfer", account_id(pair[0]), account_id(ZERO), WAD, sender=pair[0]
        )


def test_fund_permission_is_enough_to_transfer(world: World, pair: tuple[str, str]) -> None:
    account = account_id(pair[0])
    world.send("clearing", "setDelegate", account, world.stranger, FUND, sender=pair[0])
    target = account_id(pair[1])
    world.send("clearing", "transfer", account, target, WAD, sender=world.stranger)
    assert world.account(target).capital == 10_001 * WAD


@pytest.mark.parametrize("function", ["enter", "exit"])
def test_the_lock_is_the_vaults(world: World, function: str) -> None:
    with refused("ClearingNotVault"):
        world.send("clearing", function)


def test_ledger_entries_are_the_vaults(world: World) -> None:
    account = account_id(world.trader)
    with refused("ClearingNotVault"):
        world.send("clearing", "credit", account, WAD)
    with refused("ClearingNotVault"):
        world.send("clearing", "debit", account, WAD, [], WAD)
    with refused("ClearingNotVault"):
        world.send("clearing", "setCollateral", account, True, False)


@pytest.mark.parametrize(
    ("function", "values"),
    [
        ("listMarket", (ZERO, False)),
        ("setVenue", (ZERO, 0, True)),
        ("stopVenue", (ZERO,)),
    ],
)
def test_listing_is_restricted(world: World, function: str, values: tuple[object, ...]) -> None:
    with refused("AccessManagedUnauthorized"):
        world.send("clearing", function, *values, sender=world.stranger)


def test_listing_is_not_stopped_by_a_deposit_to_the_venue_to_be(world: World) -> None:
    address = world.chain.accounts[9]
    world.deposit(world.trader, 1)
    account = account_id(address)
    world.known[account] = None
    world.send("vault", "deposit", account, world.token.address, 5, sender=world.trader)
    world.send("clearing", "setVenue", address, 0, True)
    assert world.account(account).bitmap == 1 << 63


def test_market_is_listed_once(world: World) -> None:
    with refused("ClearingAlreadyListed"):
        world.send("clearing", "listMarket", world.markets[0].perp.address, False)


def test_fees_are_collected_by_anyone(world: World, pair: tuple[str, str]) -> None:
    world.trade(world.markets[0], pair[0], 10 * WAD)
    pending = world.clearing.read("house").feesPending
    assert pending > 0
    world.send("clearing", "collectFees", sender=world.stranger)
    treasury = world.clearing.read("treasury")
    assert world.account(treasury).capital == pending * 10**12
    with refused("ClearingZeroAmount"):
        world.send("clearing", "collectFees")


# Settlement


def settle(world: World, market: Market) -> None:
    world.chain.send(market.perp, "beginSettlement")


def test_settling_market_fills_nothing_and_keeps_its_price(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    cross(world, venue, *pair, WAD, 2_000 * WAD)
    eth = world.markets[0]
    settle(world, eth)
    world.push(eth.feed, "3000")
    assert world.view(eth).index == 2_000 * WAD
    with refused("ClearingMarketState"):
        cross(world, venue, pair[1], pair[0], WAD, 2_000 * WAD)


def test_closed_market_leaves_every_position_at_zero_and_capital_free(
    world: World, venue: str, pair: tuple[str, str]
) -> None:
    """FUT-01: settled once, whoever touches and however often."""
    cross(world, venue, *pair, WAD, 2_000 * WAD)
    eth = world.markets[0]
    world.push(eth.feed, "2030")
    settle(world, eth)
    world.chain.advance(DAY)
    for _ in range(2):
        world.touch(account_id(pair[0]), account_id(pair[1]))
    winner, loser = world.account(account_id(pair[0])), world.account(account_id(pair[1]))
    assert winner.bitmap == loser.bitmap == 0
    assert winner.pnl == pytest.approx(30 * WAD, abs=10**15)
    assert loser.capital == pytest.approx(9_970 * WAD, abs=10**15)
    world.chain.advance(30 * DAY)
    world.withdraw(pair[0], 10_029 * 10**6)
