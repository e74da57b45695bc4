"""What tests of the way of a loss do: terms, a stake, takeovers and resolutions."""

from typing import Any

from novation.chain.contract import Event
from novation.units import WAD
from tests.paths.acts import cross, round_
from tests.world import HOUR, NO_LIMIT, ZERO, World, account_id, liquidation_terms

NOBODY = bytes(32)
ALL = 2**79
ANY_GAIN = -(2**255)
WEI = 100
"""What roundings of a resolution come to."""
LATER = HOUR + 100
"""More than the heartbeat of the feeds, seconds."""
CUT = 400_000
"""Part of the stake that each market may draw, ppm."""


def insured(world: World, stake: int = 100_000, **terms: int) -> bytes:
    """Terms in every market and a stake of whole quote of the LP's; the fund's account."""
    unit = 10**world.decimals
    world.send("token", "approve", world.insurance.address, NO_LIMIT, sender=world.lp)
    if stake:
        world.send("insurance", "deposit", stake * unit, world.lp, sender=world.lp)
    for market in world.markets[:2]:
        world.send("insurance", "setAllotment", market.number, CUT)
    for market in world.markets:
        world.send("liquidator", "setTerms", market.number, liquidation_terms(**terms))
    return account_id(world.insurance.address)


def takeover(
    victim: bytes,
    taker: bytes,
    market: int = 0,
    size: int = ALL,
    top_up: int = 0,
    venue: str = ZERO,
    expected: int = 0,
    gain: int = ANY_GAIN,
) -> dict[str, Any]:
    return {
        "market": market,
        "victim": victim,
        "taker": taker,
        "maxSize": size,
        "topUp": top_up,
        "venue": venue,
        "expected": expected,
        "minNet": gain,
    }


def take(world: World, victim: bytes, taker: bytes, sender: str, **ask: Any) -> Any:
    """A takeover, by the taker's owner; what was taken."""
    asked = takeover(victim, taker, **ask)
    function = "liquidateToVenue" if asked["venue"] != ZERO else "liquidate"
    receipt = world.send("liquidator", function, asked, sender=sender)
    (told,) = events(world, receipt, "Liquidated")
    return told.values["taken"]


def resolve(
    world: World,
    victim: bytes,
    taker: bytes = NOBODY,
    market: int = 0,
    sender: str | None = None,
) -> tuple[bool, int]:
    """Whether the account was ended, and what the taker got."""
    receipt = world.send("liquidator", "resolve", victim, taker, market, sender=sender)
    (told,) = events(world, receipt, "Resolved")
    return told.values["done"], told.values["paid"]


def events(world: World, receipt: dict[str, Any], *names: str) -> list[Event]:
    block = int(receipt["blockNumber"], 16)
    return list(world.liquidator.events(list(names), block, block))


def worth(world: World, *accounts: bytes) -> int:
    """capital + pnl after a touch, summed."""
    touched = [world.clearing.read("health", each).touched for each in accounts]
    return sum(a.capital + a.pnl for a in touched)


def against(
    world: World, venue: str, long: int, short: int, size: int = 20 * WAD, price: int = 2_000
) -> tuple[bytes, bytes]:
    """A long of `trader` and a short of `other` at the price, with so much whole quote each."""
    a, b = world.deposit(world.trader, long), world.deposit(world.other, short)
    cross(world, venue, a, b, size, price)
    return a, b


def end(world: World, victim: bytes, price: str) -> None:
    """Marks an account without a taker, and deleverages it a heartbeat later."""
    assert resolve(world, victim) == (False, 0)
    world.chain.advance(LATER)
    round_(world, world.markets[0], price)
    assert resolve(world, victim) == (True, 0)
