"""Keepers of a stress: with capital and without, resolvers, collectors; or all of them asleep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from novation.lab.asks import Asks
from novation.lab.blocks import Transaction
from novation.lab.rescue import SETUP, Rescue, owner_of
from novation.lab.venue import NEVER, State, account_id
from novation.units import WAD, wad_to_tokens_down

ONE_BY_ONE, BATCHES, RESOLVED = 4, 5, 40  # a block
BATCH, COLLECTED = 10, 40  # accounts in a call
COLLECT_EVERY = 10  # blocks, while all profit is backed
LEAST_LOSS = WAD


@dataclass
class Keepers(Rescue):
    """`money` of the one with capital, WAD quote; 0: there is none. All sleep in `asleep`."""

    money: int = 0
    asleep: range = range(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.poor = owner_of("keeper without capital")
        self.selling = Asks(self.venue, self.poor, account_id(self.poor))
        self._turn = 0

    def set_up(self) -> Iterator[list[Transaction]]:
        """The one with capital puts it into the ledger; the other has nothing there."""
        venue, money = self.venue, wad_to_tokens_down(self.money, self.venue.decimals)
        if money == 0:
            return
        yield [
            venue.on_token(SETUP, self.keeper, "mint", self.keeper, money),
            venue.on_token(SETUP, self.keeper, "approve", venue.address("MarginVault"), NEVER),
        ]
        yield [venue.deposit(self.keeper, self.account, money)]

    def act(self, state: State, time: int) -> Iterator[Transaction]:
        self._turn += 1
        if time in self.asleep:
            return
        closed = state.market.interrupted_until > time
        found = [(self.mirror.health(a), a) for a in self.mirror.positions]
        bankrupt = [a for h, a in found if h.equity < 0]
        thin = [(h, a) for h, a in found if 0 <= h.equity < h.maintenance]
        thin.sort(key=lambda each: (each[0].equity * WAD // each[0].maintenance, each[1]))
        self._free = self.mirror.health(self.account).free
        yield from self._resolve(state, bankrupt)
        sick = [a for _, a in thin if a not in (self.account, self.selling.taker)]
        yield from self._take_in(state, sick) if closed else self._sell_off(state, sick)
        if not closed:
            yield from self._sell(state)
        yield from self._collect(state)

    def _able(self, state: State, account: bytes) -> bool:
        """Whether the margin that is still free carries this account's position as well."""
        wanted = self._margin(state, account)
        able = account != self.account and wanted <= self._free
        self._free -= wanted if able else 0
        return able

    def _resolve(self, state: State, bankrupt: list[bytes]) -> Iterator[Transaction]:
        for account in bankrupt[:RESOLVED]:
            yield self.asks.resolve(account, self._able(state, account))

    def _take_in(self, state: State, sick: list[bytes]) -> Iterator[Transaction]:
        """While nothing fills: into the account of the one with capital."""
        able = [a for a in sick[: ONE_BY_ONE + BATCHES * BATCH] if self._able(state, a)]
        yield from (self.asks.take(account) for account in able[:ONE_BY_ONE])
        for part in in_parts(able[ONE_BY_ONE:], BATCH):
            yield self.asks.take_many(part, sold=False)

    def _sell_off(self, state: State, sick: list[bytes]) -> Iterator[Transaction]:
        """Every third to the one with capital, if he can; the others to the vAMM."""
        kept = [a for i, a in enumerate(sick) if (i + self._turn) % 3 == 0]
        kept = [a for a in kept[:ONE_BY_ONE] if self._able(state, a)]
        sold = [a for a in sick if a not in kept]
        yield from (self.asks.take(account) for account in kept)
        yield from (self.selling.take_to_venue(account) for account in sold[:ONE_BY_ONE])
        for part in in_parts(sold[ONE_BY_ONE : ONE_BY_ONE + BATCHES * BATCH], BATCH):
            yield self.selling.take_many(part, sold=True)

    def _collect(self, state: State) -> Iterator[Transaction]:
        """Losses that nobody has booked yet: at once while a profit is not backed."""
        backing = state.vault - state.house.capital_total
        if backing >= state.house.profit_total and self._turn % COLLECT_EVERY:
            return
        held = self.mirror.holdings
        losers = sorted((h.untouched, a) for a, h in held.items() if h.untouched < -LEAST_LOSS)
        if losers:
            yield self.asks.collect([account for _, account in losers[:COLLECTED]])


def in_parts(accounts: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(accounts), size):
        yield accounts[start : start + size]
