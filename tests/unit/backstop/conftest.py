"""An insurance fund beside the standing world, and one in the model alone."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.model.clearing import ClearingHouse
from novation.model.clock import Clock
from novation.model.insurance import InsuranceFund
from novation.model.vault import MarginVault
from novation.units import WAD
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id

COOLDOWN, WINDOW = 7 * DAY, DAY
MARKET, OTHER_MARKET = 0, 1
SHARES = 10**6
"""That a token unit buys at first."""


def act_as(world: World, contract: Contract) -> str:
    """Lets transactions come from a contract; its address."""
    chain = world.chain
    chain.request("anvil_impersonateAccount", contract.address)
    chain.request("anvil_setBalance", contract.address, hex(WAD))
    return contract.address


@dataclass
class Insured:
    """`lp`, `trader`, `other` and `stranger` may stake; money is lost to and comes from `sink`."""

    world: World
    fund: Contract

    def __post_init__(self) -> None:
        world, fund = self.world, self.fund
        self.account = account_id(fund.address)
        self.unit = 10**world.decimals
        self.scale = 10**18 // self.unit
        self.sink = account_id(world.admin, 77)
        world.known |= {self.account: None, self.sink: None}
        for owner in (world.lp, world.trader, world.other, world.stranger):
            world.chain.send(world.token, "approve", fund.address, NO_LIMIT, sender=owner)
        act_as(world, fund)
        act_as(world, world.clearing)

    def send(self, function: str, *values: Any, sender: str | None = None) -> Any:
        return self.world.chain.send(self.fund, function, *values, sender=sender)

    def read(self, function: str, *values: Any) -> Any:
        return self.fund.read(function, *values)

    def stake(self, owner: str, amount: int) -> int:
        """`amount` whole tokens; the shares of the owner."""
        self.send("deposit", amount * self.unit, owner, sender=owner)
        return int(self.read("balanceOf", owner))

    def ask(self, owner: str, shares: int | None = None) -> int:
        """Asks for shares, by default all; how many."""
        wanted = self.read("balanceOf", owner) if shares is None else shares
        self.send("request", wanted, sender=owner)
        return int(wanted)

    def claim(self, owner: str, shares: int | None = None) -> int:
        """Redeems; the tokens that came, in units."""
        before = self.tokens(owner)
        wanted = self.read("requestOf", owner).shares if shares is None else shares
        self.send("redeem", wanted, owner, owner, sender=owner)
        return self.tokens(owner) - before

    def lose(self, amount: int) -> None:
        """WAD quote leaves the stake."""
        values = (self.account, self.sink, amount)
        self.world.send("clearing", "transfer", *values, sender=self.fund.address)

    def earn(self, amount: int) -> None:
        """Whole tokens come in from outside."""
        world = self.world
        values = (self.account, world.token.address, amount * self.unit)
        world.send("vault", "deposit", *values, sender=world.stranger)

    def draw(self, market: int, wanted: int, capital: int | None = None) -> int:
        """As the clearing house draws: cover first, then the money moves. What it got."""
        had = self.capital if capital is None else capital
        sender = self.world.clearing.address
        receipt = self.send("draw", market, wanted, had, sender=sender)
        block = int(receipt["blockNumber"], 16)
        drawn = sum(e.values["amount"] for e in self.fund.events(["Drawn"], block, block))
        if drawn and capital is None:
            self.lose(drawn)
        return drawn

    def wait(self, seconds: int) -> None:
        self.world.chain.advance(seconds)

    def tokens(self, owner: str) -> int:
        return int(self.world.token.read("balanceOf", owner))

    @property
    def capital(self) -> int:
        return int(self.world.account(self.account).capital)


def deploy_fund(world: World) -> Insured:
    values = (world.manager.address, world.clearing.address, world.vault.address, COOLDOWN, WINDOW)
    return Insured(world, world.chain.deploy("InsuranceFund", *values))


@pytest.fixture
def insured(world: World) -> Insured:
    return deploy_fund(world)


def refusal(call: Any, *values: Any, **options: Any) -> tuple[str, list[Any]]:
    """The contract's error and its numbers; names of fields as text."""
    with pytest.raises(ContractError) as caught:
        call(*values, **options)
    found = caught.value.arguments.values()
    return caught.value.name, [
        v.rstrip(b"\0").decode() if isinstance(v, bytes) and len(v) == 32 and v[:1].isalpha() else v
        for v in found
    ]


FUND = b"\x51" * 20
STAKER, JOINER, ATTACKER = (bytes([n]) * 20 for n in (1, 2, 3))
SINK = b"\x99" * 20 + bytes(12)


@dataclass
class Pot:
    """A fund in the model, 6 decimals."""

    decimals: int = 6
    clock: Clock = field(default_factory=lambda: Clock(1_800_000_000))

    def __post_init__(self) -> None:
        self.vault = MarginVault("USD", self.decimals, self.clock)
        self.house = self.vault.clearing = ClearingHouse(self.vault)
        self.fund = InsuranceFund(self.clock, self.house, self.vault, FUND, COOLDOWN, WINDOW)
        self.unit = 10**self.decimals

    def donate(self, units: int) -> None:
        self.vault.deposit(self.fund.account, "USD", units)

    def lose(self, amount: int) -> None:
        self.house.transfer(self.fund.account, SINK, amount, sender=FUND)

    def leave(self, owner: bytes, shares: int | None = None) -> int:
        """Asks, waits, claims; token units that came."""
        wanted = self.fund.balance_of(owner) if shares is None else shares
        self.fund.request(wanted, sender=owner)
        self.clock.now += COOLDOWN
        return self.fund.redeem(wanted, owner, owner, sender=owner)


__all__ = ["DAY", "HOUR", "WAD"]
