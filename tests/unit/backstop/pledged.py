"""An account that lives on other collateral: gold at 100, of which 90 % count at most."""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from novation.chain.contract import Contract
from novation.units import WAD
from tests.unit.backstop.stressed import HEARTBEAT, Stressed
from tests.world import DAY, FUND, NO_LIMIT, ZERO, account_id

YEAR = 365 * DAY
HAIRCUT, SCALE, CAP = 100_000, 10_000_000, 10**30
DISCOUNT = Fraction(5, 100)
"""Half the haircut."""
SALE = 95 * WAD
"""What a whole gold sells for at 100, WAD quote."""


@dataclass
class Pledged(Stressed):
    """`victim` has gold and no money; `taker` has money."""

    decimals: int = 18
    gold: Contract = field(init=False)
    feed: Contract = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.gold, self.feed = self.list_token("Gold", self.decimals, HAIRCUT)
        self.unit = 10**self.decimals
        self.door = self.world.resolver

    # Set-up

    def list_token(self, name: str, decimals: int, haircut: int) -> tuple[Contract, Contract]:
        """At 100."""
        world, chain = self.world, self.world.chain
        token, feed = chain.deploy("MockToken", name, name, decimals), chain.deploy("MockFeed", 8)
        world.push(feed, "100")
        config = {
            "feed": feed.address, "second": ZERO, "sequencer": ZERO, "heartbeat": HEARTBEAT,
            "secondHeartbeat": 0, "sequencerGrace": 0, "maxDivergence": 0, "minimum": 1,
            "maximum": 10**24, "lotExponent": 0,
        }  # fmt: skip
        oracle = chain.deploy("ChainlinkOracleAdapter", config)
        world.send("vault", "listCollateral", token.address, oracle.address, haircut, SCALE, CAP)
        return token, feed

    def terms(self, rate: int = 0, threshold: int = 0, cap: int = 10**9) -> None:
        self.world.send("vault", "setLossTerms", rate, threshold, cap)

    def pledge(self, units: int, owner: str | None = None, token: Contract | None = None) -> bytes:
        """So many token units of the owner's into his account 0."""
        world, owner, token = self.world, owner or self.world.trader, token or self.gold
        account = account_id(owner)
        world.known[account] = None
        world.chain.send(token, "mint", owner, units)
        world.chain.send(token, "approve", world.vault.address, NO_LIMIT, sender=owner)
        world.send("vault", "deposit", account, token.address, units, sender=owner)
        return account

    def owing(self, gold: int = 100, lots: int = 10, price: str = "1900") -> bytes:
        """The victim bought at 2000 from `other`, and the price is another now."""
        self.pledge(gold * self.unit)
        self.world.deposit(self.world.other, 100_000)
        self.fund_taker(100_000)
        self.cross(self.eth, self.victim, self.other, lots * WAD, 2_000)
        self.world.push(self.eth.feed, price)
        return self.victim

    def leave(self) -> None:
        """The victim sells all that he holds at the index."""
        size, index = self.size(self.victim), self.index() // WAD
        self.cross(self.eth, self.other, self.victim, size, index)

    # Actions

    def convert(
        self,
        amount: int = NO_LIMIT,
        price: int = NO_LIMIT,
        victim: bytes | None = None,
        taker: bytes | None = None,
        token: Contract | None = None,
        sender: str | None = None,
    ) -> dict[str, Any]:
        """What the vault told of the sale."""
        world = self.world
        at = (token or self.gold).address
        values = (victim or self.victim, taker or self.taker, at, amount, price)
        receipt = world.chain.send(self.door, "convert", *values, sender=sender or world.stranger)
        block = int(receipt["blockNumber"], 16)
        (sold,) = world.vault.events(["CollateralSold"], block, block)
        return dict(sold.values)

    def has(self, account: bytes, token: Contract | None = None) -> int:
        return int(self.world.vault.read("collateralOf", account, (token or self.gold).address))

    def debts(self) -> tuple[int, int, int]:
        """Covered, bare, and interest that was not collected."""
        return tuple(self.door.read("losses"))

    def lend(self, account: bytes, delegate: str, owner: str) -> None:
        self.world.send("clearing", "setDelegate", account, delegate, FUND, sender=owner)
