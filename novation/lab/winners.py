"""People who try to have their profit out as soon as there is one, before losses are collected."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from novation import artifacts
from novation.chain.codec import event_topic, find
from novation.lab.blocks import Block, Transaction
from novation.lab.mirror import Mirror, words
from novation.lab.people import Person
from novation.lab.venue import NEVER, State, Venue
from novation.units import PPM, WAD, wad_to_tokens_down

JUMP_PPM = 10_000  # change of the index within a block that wakes them
AWAKE = 900  # seconds that they try after it: the interruption is shorter
LEAST = 10 * WAD  # profit worth a transaction
A_BLOCK = 40
RELEASE, RUN = "winner releases", "winner withdraws"


@dataclass
class Winners:
    """One half makes profit capital at any ratio and draws what is free; the other half closes, and
    withdraws all of it at full worth or not at all.

    `asked` is the profit given up in releases, `got` the capital that it became, WAD quote.
    """

    venue: Venue
    mirror: Mirror
    people: list[Person]
    asked: int = 0
    got: int = 0

    def __post_init__(self) -> None:
        self._index = self._until = 0
        self._released = event_topic(find(artifacts.load("ClearingHouse").abi, "event", "Released"))

    def act(self, state: State, time: int) -> Iterator[Transaction]:
        index, before = state.market.index, self._index
        self._index = index
        if before and abs(index - before) * PPM >= JUMP_PPM * before:
            self._until = time + AWAKE
        if time >= self._until:
            return
        won = [(self._profit(p.account), at, p) for at, p in enumerate(self.people)]
        best = sorted((each for each in won if each[0] >= LEAST), key=lambda e: (-e[0], e[1]))
        for profit, at, person in best[:A_BLOCK]:
            if at % 2:
                yield from self._grab(person, profit)
            else:
                yield from self._run(person)

    def _profit(self, account: bytes) -> int:
        held = self.mirror.holdings.get(account)
        return self.mirror.account(account).pnl + (held.untouched if held else 0)

    def _grab(self, person: Person, profit: int) -> Iterator[Transaction]:
        asked = profit * 9 // 10  # a round may land before it
        yield replace(self.venue.release(person.owner, person.account, asked, []), kind=RELEASE)
        free = self.mirror.health(person.account).free
        if amount := wad_to_tokens_down(free, self.venue.decimals):
            yield self._withdraw(person, amount)

    def _run(self, person: Person) -> Iterator[Transaction]:
        size = self.mirror.size(person.account)
        if size:
            yield self.venue.close(person.owner, person.account, 0 if size > 0 else NEVER)
            return
        word = self.mirror.account(person.account)
        everything = wad_to_tokens_down(word.capital + word.pnl, self.venue.decimals)
        yield self._withdraw(person, everything)

    def _withdraw(self, person: Person, amount: int) -> Transaction:
        return replace(self.venue.withdraw(person.owner, person.account, amount), kind=RUN)

    def take(self, block: Block) -> None:
        for done in block.done:
            if done.transaction.kind != RELEASE:
                continue
            for log in done.logs:
                if log["topics"][0] == self._released:
                    asked, got = words(log["data"])
                    self.asked += asked
                    self.got += got
