"""The ledger rebuilt from its events, and the identity of money checked on it in integers.

V = sum of capital + sum of pnl + sum of untouched pnl + pending fees + surplus, surplus >= 0, and
V >= capitalTotal + pending fees. Over all accounts, in every block.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from novation import artifacts
from novation.chain.client import to_bytes
from novation.chain.codec import event_topic, find
from novation.chain.words import (
    AccountWord,
    HouseWord,
    PositionWord,
    unpack_account,
    unpack_position,
)
from novation.lab.errors import ConservationError
from novation.lab.recording import Losses
from novation.model.fixed import tdiv
from novation.model.margin import Health, Sums, health_of
from novation.model.market_types import MarketView
from novation.model.sides import Position, profit, side_of, size_of
from novation.units import FEE_UNIT, RATIO_UNIT, WAD, show_wad

SIZE_SLACK = 1_000
"""Wei of lots by which the sizes of a side may fall short of open interest: one rounding each."""
NO_ACCOUNT = AccountWord(0, 0, 0)


@dataclass(frozen=True)
class Holding:
    """An account's part of the market, brought to now: what a touch would add, and its size."""

    untouched: int
    size: int


NOTHING = Holding(0, 0)


@dataclass(frozen=True)
class Books:
    """Sums over all accounts at the end of a block, WAD quote."""

    capital: int
    pnl: int
    untouched: int
    profit: int
    fees: int
    surplus: int
    backing: int

    @property
    def ratio(self) -> int:
        """h: what junior profit is worth as capital, WAD."""
        if self.backing >= self.profit:
            return WAD
        return self.backing * WAD // self.profit


@dataclass
class Mirror:
    """One market is held by the lab's accounts; a position in another one is refused."""

    clearing: str
    perp: str
    market: int
    accounts: dict[bytes, AccountWord] = field(default_factory=dict)
    positions: dict[bytes, PositionWord] = field(default_factory=dict)
    fees: int = 0
    """Of the house and pending, 1e-6 quote."""
    losses: Losses = field(default_factory=Losses)
    ended: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """(side, epoch) -> its last index and ratio."""
    holdings: dict[bytes, Holding] = field(default_factory=dict)
    view: MarketView | None = None
    unpriced: int = 0
    """Lots deleveraged since the last view."""
    healths: dict[bytes, Health] = field(default_factory=dict)

    def __post_init__(self) -> None:
        clearing, market = artifacts.load("ClearingHouse").abi, artifacts.load("PerpMarket").abi
        names = ("AccountSet", "PositionSet", "LegBooked", "FeesPending")
        self._topics = {event_topic(find(clearing, "event", name)): name for name in names}
        backstop = artifacts.load("Backstop").abi
        ends = ("Covered", "Orphaned", "Deleveraged")
        self._topics |= {event_topic(find(backstop, "event", name)): name for name in ends}
        self._rolled = event_topic(find(market, "event", "EpochRolled"))

    def take(self, logs: Iterable[dict[str, Any]]) -> None:
        """Logs in the order of the chain."""
        for log in logs:
            address, topics = log["address"].lower(), log["topics"]
            if address == self.clearing.lower() and (name := self._topics.get(topics[0])):
                self._take_ledger(name, topics, words(log["data"]))
            elif address == self.perp.lower() and topics[0] == self._rolled:
                k, ratio = words(log["data"])
                signed = k - (1 << 256) if k >> 255 else k
                self.ended[int(topics[1], 16), int(topics[2], 16)] = (signed, ratio)

    def _take_ledger(self, name: str, topics: list[str], data: list[int]) -> None:
        if name == "FeesPending":
            self.fees = data[0]
            return
        if name in ("Covered", "Orphaned", "Deleveraged"):
            self._take_loss(name, data)
            return
        account = to_bytes(topics[1])
        if name in ("AccountSet", "LegBooked"):
            self.accounts[account] = unpack_account(data[0])
        if name in ("PositionSet", "LegBooked"):
            if int(topics[2], 16) != self.market:
                raise ValueError(f"a position in market {int(topics[2], 16)}, not {self.market}")
            if data[-1]:
                self.positions[account] = unpack_position(data[-1])
            else:
                self.positions.pop(account, None)

    def _take_loss(self, name: str, data: list[int]) -> None:
        losses = self.losses
        if name == "Deleveraged":
            lots = min(data[0], (1 << 256) - data[0])
            losses.deleveraged += lots
            self.unpriced += lots
            return
        losses.insured += data[0]
        if name == "Covered":
            losses.charged += data[1]
        else:
            losses.orphaned += data[1]

    def bring_to(self, view: MarketView) -> None:
        """Works out what every position is at this view of the market."""
        self.view = view
        self.losses.notional += self.unpriced * view.index // WAD
        self.unpriced = 0
        self.holdings = {a: self._hold(p, view) for a, p in self.positions.items()}
        self.healths = {}

    def _hold(self, word: PositionWord, view: MarketView) -> Holding:
        """As a touch converts and profits; dust is left in, where it changes no sum."""
        p = Position(word.units, word.k, word.epoch)
        side = side_of(p.units)
        gain = 0
        while p.units and p.epoch != view.epoch[side]:
            k, ratio = self.ended[side, p.epoch]
            gain += profit(p, k)
            p = Position(tdiv(p.units * ratio, RATIO_UNIT), k, p.epoch + 1)
        if p.units == 0:
            return Holding(gain, 0)
        return Holding(gain + profit(p, view.k[side]), size_of(view, p.units))

    def account(self, account: bytes) -> AccountWord:
        return self.accounts.get(account, NO_ACCOUNT)

    def size(self, account: bytes) -> int:
        return self.holdings.get(account, NOTHING).size

    def health(self, account: bytes) -> Health:
        """As `ClearingHouse.health` would answer now."""
        if (known := self.healths.get(account)) is None:
            known = self.healths[account] = self._health(account)
        return known

    def _health(self, account: bytes) -> Health:
        assert self.view is not None
        word, held = self.account(account), self.holdings.get(account, NOTHING)
        sums = Sums()
        sums.add(self.view, held.size, word.is_venue)
        pnl = word.pnl + held.untouched
        eaten = min(word.capital, -pnl) if pnl < 0 else 0
        return health_of(word.capital - eaten, pnl + eaten, sums, (0, 0))

    def check(self, block: int, vault: int, house: HouseWord) -> Books:
        """The books of this block; raises when money is missing or made.

        `vault` and `house` are what the contracts hold.
        """
        capital = sum(a.capital for a in self.accounts.values())
        pnl = sum(a.pnl for a in self.accounts.values())
        gains = sum(a.pnl for a in self.accounts.values() if a.pnl > 0)
        untouched = sum(h.untouched for h in self.holdings.values())
        fees = self.fees * FEE_UNIT
        surplus = vault + self.losses.orphaned - capital - pnl - untouched - fees
        if capital != house.capital_total:
            raise unequal(block, "capitalTotal", house.capital_total, "all capital", capital)
        if gains != house.profit_total:
            raise unequal(block, "profitTotal", house.profit_total, "all profit", gains)
        if self.fees != house.fees_pending:
            held = house.fees_pending * FEE_UNIT
            raise unequal(block, "feesPending", held, "the fees told", fees)
        if vault < capital + fees:
            raise unequal(block, "V", vault, "capital and fees", capital + fees)
        if surplus < 0:
            claims = capital + pnl + untouched + fees - self.losses.orphaned
            raise unequal(block, "V", vault, "all claims", claims)
        self._check_sizes(block)
        return Books(capital, pnl, untouched, gains, fees, surplus, vault - capital - fees)

    def _check_sizes(self, block: int) -> None:
        assert self.view is not None
        for side in (0, 1):
            held = [h.size for h in self.holdings.values() if h.size]
            sizes = [abs(size) for size in held if side_of(size) == side]
            short = self.view.open_interest - sum(sizes)
            if not 0 <= short <= SIZE_SLACK + len(sizes):
                name = ("long", "short")[side]
                total = sum(sizes)
                raise unequal(block, "open interest", total + short, f"{name} sizes", total)


def words(data: str) -> list[int]:
    raw = to_bytes(data)
    return [int.from_bytes(raw[i : i + 32], "big") for i in range(0, len(raw), 32)]


def unequal(block: int, first: str, one: int, second: str, two: int) -> ConservationError:
    reason = f"{first} is {show_wad(one)}, but {second} {show_wad(two)}"
    return ConservationError(block, f"{reason}; difference {show_wad(one - two)}")
