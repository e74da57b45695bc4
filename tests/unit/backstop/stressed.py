"""Accounts below their margin on the standing world, and who takes what from them."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from novation.chain.codec import decode_outputs, find
from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.chain.reverts import decode_revert
from novation.model.liquidation import LiquidationTerms
from novation.units import WAD
from tests.world import (
    ANY_MARKET,
    HOUR,
    KEEP_PREMIUM,
    NO_LIMIT,
    ZERO,
    Market,
    World,
    account_id,
    liquidation_terms,
)

Lots = int | Fraction
NOBODY = bytes(32)
EVERYTHING = 2**79
NO_GAIN = -(2**255)
ENTRY = 2_000
DEPOSIT_A_LOT = 240
"""Quote behind each lot of a victim: 12 % of the price that he bought at."""
HEARTBEAT = HOUR + 60
DUST = 100
"""Wei: roundings of sides and of shares of a charge."""
MMR, SCALE = Fraction(6, 100), 10_000_000
STAKE = 2_000
ALLOTMENT = (400_000, 300_000)


@dataclass
class Stressed:
    """`world.trader` is the usual victim, `other` who bet against him, `stranger` the taker."""

    world: World
    venue: str = ""

    def __post_init__(self) -> None:
        world = self.world
        self.venue = world.chain.accounts[7]
        world.send("clearing", "setVenue", self.venue, ANY_MARKET, True)
        self.fund = account_id(world.insurance.address)
        self.victim, self.other = account_id(world.trader), account_id(world.other)
        self.taker = account_id(world.stranger)
        self.eth, self.btc = world.markets[:2]
        for market in (self.eth, self.btc):
            self.set_terms(market)

    # Set-up

    def set_terms(self, market: Market, **changes: int) -> None:
        made = liquidation_terms(**changes)
        self.world.send("liquidator", "setTerms", market.number, made)

    def insure(self, stake: int = STAKE, allotment: tuple[int, ...] = ALLOTMENT) -> None:
        """Whole quote at stake, ppm of it for each market."""
        world = self.world
        owner = world.lp
        world.chain.send(world.token, "approve", world.insurance.address, NO_LIMIT, sender=owner)
        world.send("insurance", "deposit", stake * 10**world.decimals, owner, sender=owner)
        for number, ppm in enumerate(allotment):
            world.send("insurance", "setAllotment", number, ppm)

    def cross(self, market: Market, buyer: bytes, seller: bytes, size: int, price: int) -> None:
        """Buyer and seller meet at `price`, whole quote."""
        cash = size * price
        legs = [
            {"account": buyer, "size": size, "cash": -cash, "transfer": 0},
            {"account": seller, "size": -size, "cash": cash, "transfer": 0},
        ]
        legs.sort(key=lambda leg: bytes(leg["account"]))  # type: ignore[call-overload]
        values = (market.number, legs, 0, KEEP_PREMIUM)
        self.world.send("clearing", "clear", *values, sender=self.venue)

    def long(self, lots: Lots = 100, sub: int = 0) -> bytes:
        """The trader buys so many lots of ETH at 2000 from `other`, who has plenty."""
        world = self.world
        account = world.deposit(world.trader, int(DEPOSIT_A_LOT * lots), sub)
        world.deposit(world.other, int(1_000 * lots))
        self.cross(self.eth, account, self.other, int(lots * WAD), ENTRY)
        return account

    def push_to(self, health: float, lots: Lots = 100) -> Fraction:
        """A round that leaves a long of `lots` about this equity over maintenance; its price."""
        price = price_at(Fraction(str(health)), lots)
        units = int(price * 10**8)
        self.world.push(self.eth.feed, f"{units // 10**8}.{units % 10**8:08d}")
        return price

    def fund_taker(self, amount: int = 1_000_000) -> bytes:
        return self.world.deposit(self.world.stranger, amount)

    # Actions

    def ask(self, **changes: Any) -> dict[str, Any]:
        """All that may be taken of the victim's ETH, into the taker's account."""
        made = {
            "market": 0,
            "victim": self.victim,
            "taker": self.taker,
            "maxSize": EVERYTHING,
            "topUp": 0,
            "venue": ZERO,
            "expected": 0,
            "minNet": NO_GAIN,
        }
        return made | changes

    def liquidate(self, sender: str | None = None, **changes: Any) -> Any:
        """What was taken: as returned, and as told."""
        ask = self.ask(**changes)
        function = "liquidate" if ask["venue"] == ZERO else "liquidateToVenue"
        return self.act(function, ask, sender=sender)["Liquidated"][0]["taken"]

    def act(self, function: str, *values: Any, sender: str | None = None) -> dict[str, Any]:
        """The liquidator's events by name."""
        world = self.world
        receipt = world.send("liquidator", function, *values, sender=sender or world.stranger)
        return told(world.liquidator, receipt)

    def resolve(
        self, victim: bytes | None = None, taker: bytes = NOBODY, market: int = 0
    ) -> dict[str, Any]:
        """Events of the liquidator and of the clearing house's backstop, by name."""
        world = self.world
        values = (victim or self.victim, taker, market)
        receipt = world.send("liquidator", "resolve", *values, sender=world.stranger)
        inner = Contract(world.chain, world.clearing.address, "Backstop")
        made = told(world.liquidator, receipt) | told(inner, receipt)
        return made | {"gas": world.chain.gas(receipt)}

    def answer(self, function: str, *values: Any, sender: str | None = None) -> Any:
        """What the liquidator would return now."""
        world = self.world
        data = "0x" + world.liquidator.encode(function, *values).hex()
        tx = {"from": sender or world.stranger, "to": world.liquidator.address, "data": data}
        entry = find(world.liquidator.artifact.abi, "function", function)
        raw = world.chain.request("eth_call", tx, "latest")
        return decode_outputs(entry, bytes.fromhex(raw[2:]))

    # Reads

    def health(self, account: bytes | None = None) -> Any:
        return self.world.health(account or self.victim)

    def capital(self, account: bytes) -> int:
        return int(self.world.account(account).capital)

    def touched(self, account: bytes) -> Any:
        """The account as a touch would leave it."""
        return self.world.clearing.read("health", account).touched

    def size(self, account: bytes, market: Market | None = None) -> int:
        return self.world.size(account, market or self.eth)

    def index(self) -> int:
        return int(self.world.view(self.eth).index)

    def plan(self, max_size: int = EVERYTHING, **changes: int) -> tuple[int, int, int]:
        """The model's lots, reward and penalty for the victim's ETH alone."""
        h, lots = self.health(), abs(self.size(self.victim))
        own = h.maintenance
        return model_terms(**changes).plan(
            h.equity, h.maintenance, lots, self.index(), own, max_size
        )

    def word(self, account: bytes, market: int = 0) -> int:
        """The stored word of a position."""
        p = self.world.clearing.read("position", account, market)
        return int(p.units % 2**96 | p.k % 2**128 << 96 | p.epoch << 224)


def told(contract: Contract, receipt: dict[str, Any]) -> dict[str, Any]:
    """The contract's events of a transaction, by name."""
    names = {e["name"] for e in contract.artifact.abi if e["type"] == "event"}
    block = int(receipt["blockNumber"], 16)
    made: dict[str, Any] = {}
    for event in contract.events(sorted(names), block, block):
        made.setdefault(event.name, []).append(dict(event.values))
    return made


def worth(stress: Stressed, account: bytes) -> int:
    a = stress.touched(account)
    return int(a.capital + a.pnl)


def assert_ended(stress: Stressed, account: bytes) -> None:
    """Nothing is left of it."""
    left = stress.world.account(account)
    assert (left.capital, left.pnl, left.bitmap) == (0, 0, 0)
    for market in stress.world.markets:
        assert stress.word(account, market.number) == 0


def model_terms(**changes: int) -> LiquidationTerms:
    return LiquidationTerms(*liquidation_terms(**changes).values())


def maintenance_of(notional: Fraction) -> Fraction:
    return notional * MMR * (1 + notional / SCALE)


def price_at(health: Fraction, lots: Lots) -> Fraction:
    """Where equity is `health` times maintenance for a long of `lots`, to 1e-8."""
    low, high = Fraction(ENTRY, 2), Fraction(ENTRY)
    while high - low > Fraction(1, 10**9):
        price = (low + high) / 2
        equity = lots * (price - ENTRY + DEPOSIT_A_LOT)
        low, high = (
            (price, high) if equity < health * maintenance_of(lots * price) else (low, price)
        )
    return Fraction(round(high * 10**8), 10**8)


def refusal(call: Any, *values: Any, **options: Any) -> tuple[str, list[Any]]:
    """The contract's error and its values, as they are."""
    with pytest.raises(ContractError) as caught:
        call(*values, **options)
    return caught.value.name, list(caught.value.arguments.values())


def reason(outcome: Any) -> tuple[str, dict[str, Any]]:
    """Why one of many was refused."""
    error = decode_revert(outcome.reason)
    return error.name, error.arguments
