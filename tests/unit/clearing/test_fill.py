"""ClearingHouse.fill: what a venue may plan, and what it may not, whoever wrote it."""

from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.units import WAD
from tests.world import KEEP_PREMIUM, World, account_id

PRICE = 2_000 * WAD
PLAN = {"size": 2 * WAD, "quote": 2 * PRICE, "fee": 3 * WAD, "houseFee": WAD}
REST = {"peg": 0, "mid": 0, "index": 0, "premium": KEEP_PREMIUM}


@pytest.fixture
def venue(world: World) -> Contract:
    """A contract that answers whatever plan it is told, with money, allowed in a market."""
    made = world.chain.deploy("MockVenue", world.clearing.address)
    world.deposit(world.trader, 10_000)
    pool, units = account_id(made.address), 10_000 * 10**world.decimals
    world.known[pool] = None
    world.send("vault", "deposit", pool, world.token.address, units, sender=world.trader)
    world.send("clearing", "setVenue", made.address, 0, True)
    return made


def fill(world: World, venue: Contract, back: bool = False, **plan: int) -> Any:
    taker = account_id(world.trader)
    return world.chain.send(venue, "fill", 0, taker, {**PLAN, **REST, **plan}, back)


def test_fill_books_both_legs_and_the_fees(world: World, venue: Contract) -> None:
    fill(world, venue)
    taker, pool = account_id(world.trader), account_id(venue.address)
    assert world.size(taker, world.markets[0]) == 2 * WAD
    assert world.size(pool, world.markets[0]) == -2 * WAD
    assert world.account(taker).capital == (10_000 - 3) * WAD
    assert world.account(pool).capital == (10_000 + 3 - 1) * WAD
    assert world.clearing.read("house").feesPending == 10**6


def test_a_bad_price_moves_money_between_the_two_alone(world: World, venue: Contract) -> None:
    before = world.clearing.read("house").capitalTotal
    fill(world, venue, quote=2 * PRICE + 500 * WAD)
    house = world.clearing.read("house")
    taker, pool = account_id(world.trader), account_id(venue.address)
    assert world.account(taker).capital == (10_000 - 500 - 3) * WAD
    assert world.account(pool).pnl == 500 * WAD
    assert house.profitTotal == 500 * WAD
    assert before - house.capitalTotal == (500 + 1) * WAD


@pytest.mark.parametrize(
    ("plan", "error", "arguments"),
    [
        ({"size": 2**79}, "ClearingSizeOutOfRange", {"size": 2**79}),
        ({"size": -(2**79)}, "ClearingSizeOutOfRange", {"size": -(2**79)}),
        ({"quote": 2**96}, "AmountOverflow", {"amount": 2**96, "maximum": 2**96 - 1}),
        ({"fee": 2**96}, "AmountOverflow", {"amount": 2**96, "maximum": 2**96 - 1}),
        ({"fee": 2**256 - 2**96}, "AmountOverflow", {"amount": 2**96}),
        ({"houseFee": 2**96}, "AmountOverflow", {"amount": 2**96}),
        ({"fee": 200 * WAD + 1}, "ClearingFeeTooHigh", {"maximum": 200 * WAD}),
        ({"quote": 2 * PRICE + 9_800 * WAD}, "ClearingInitialMargin", {"equity": 197 * WAD}),
        ({"size": 0, "quote": 0, "fee": 1}, "ClearingFeeTooHigh", {"maximum": 0}),
    ],
)
def test_plans_out_of_bounds_are_refused(
    world: World, venue: Contract, plan: dict[str, int], error: str, arguments: dict[str, int]
) -> None:
    before = world.clearing.read("house"), world.account(account_id(world.trader))
    with pytest.raises(ContractError) as caught:
        fill(world, venue, **plan)
    assert caught.value.name == error
    assert arguments.items() <= caught.value.arguments.items()
    assert (world.clearing.read("house"), world.account(account_id(world.trader))) == before


def test_fill_against_itself_is_refused(world: World, venue: Contract) -> None:
    values = (0, account_id(venue.address), {**PLAN, **REST}, False)
    with pytest.raises(ContractError, match="ClearingUnsortedLegs"):
        world.chain.send(venue, "fill", *values)


def test_venue_cannot_read_half_a_ledger_while_it_plans(world: World, venue: Contract) -> None:
    """The clearing house answers itself and whoever entered it, not the venue that it asks."""
    with pytest.raises(ContractError, match="ClearingLocked"):
        fill(world, venue, back=True)
