"""What tests of attacks do with a world: legs of a venue that proposes anything, rounds, exits."""

from typing import Any

import pytest

from novation.chain.errors import ContractError
from novation.units import WAD
from tests.world import ANY_MARKET, DAY, FUND, KEEP_PREMIUM, Market, World, account_id

Leg = dict[str, Any]


def refused(name: str) -> Any:
    return pytest.raises(ContractError, match=name)


def any_venue(world: World) -> str:
    """An account of the node that may propose any legs: the worst venue there can be."""
    address = world.chain.accounts[7]
    world.send("clearing", "setVenue", address, ANY_MARKET, True)
    return address


def leg(account: bytes, size: int = 0, cash: int = 0, transfer: int = 0) -> Leg:
    return {"account": account, "size": size, "cash": cash, "transfer": transfer}


def clear(world: World, venue: str, legs: list[Leg], market: int = 0, fee: int = 0) -> None:
    ordered = sorted(legs, key=lambda each: bytes(each["account"]))
    for each in legs:
        world.known[bytes(each["account"])] = None
    world.send("clearing", "clear", market, ordered, fee, KEEP_PREMIUM, sender=venue)


def cross(
    world: World, venue: str, buyer: bytes, seller: bytes, size: int, price: int, market: int = 0
) -> None:
    """Buyer and seller meet at `price` (whole quote)."""
    cash = size * price
    clear(world, venue, [leg(buyer, size, -cash), leg(seller, -size, cash)], market)


def round_(world: World, market: Market, price: str) -> None:
    """A round, taken in by the market."""
    world.push(market.feed, price)
    world.send("clearing", "accrueFor", market.number, market.pool, market.pool)


def calm(world: World, market: Market, price: str) -> None:
    """Waits until the market fills again, and pushes the same price once more."""
    until = world.view(market).interruptedUntil
    if until > world.chain.now:
        world.chain.mine_at(until)
    world.push(market.feed, price)


def ask_exit(
    world: World, market: Market, owner: str, shares: int | None = None, ratio: int = WAD
) -> bytes:
    """A request of all shares (or some), cooled."""
    account = account_id(owner)
    amount = market.vamm.read("sharesOf", account) if shares is None else shares
    world.chain.send(market.vamm, "requestWithdrawal", account, amount, ratio, sender=owner)
    world.chain.advance(DAY)
    return account


def enable_pool(world: World, market: Market, owner: str) -> bytes:
    """Lets the vAMM move the owner's money into escrow."""
    account = account_id(owner)
    world.known[account] = None
    world.send("clearing", "setDelegate", account, market.vamm.address, FUND, sender=owner)
    return account
