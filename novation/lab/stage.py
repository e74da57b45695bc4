"""Setting the stage: the venue deployed at the path's first price, money in everybody's account."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from novation.deploy.spec import Spec
from novation.lab.blocks import Block, Blocks, Transaction
from novation.lab.errors import LabError
from novation.lab.feed import Feed, Round, to_answer
from novation.lab.mirror import Mirror
from novation.lab.people import Person
from novation.lab.pool import Pool
from novation.lab.prices import PricePath
from novation.lab.rpc import Rpc
from novation.lab.traders import Kind
from novation.lab.venue import FUND, NEVER, Venue, put_up
from novation.units import WAD, wad_to_tokens_down

BEFORE = 3_600
"""Seconds of the chain before the path begins: deployment and deposits."""
WALLET = 3  # what is minted for a person, in first deposits
SETUP = "set-up"


@dataclass
class Stage:
    """A chain with the venue on it, and what is known of both."""

    blocks: Blocks
    venue: Venue
    feed: Feed
    mirror: Mirror
    pool: Pool

    @classmethod
    def build(cls, rpc: Rpc, url: str, spec: Spec, market: int) -> "Stage":
        """Deploys, a second per block so that every run is the same; then mines by hand."""
        rpc.call("anvil_setBlockTimestampInterval", 1)
        venue = put_up(url, spec, market)
        rpc.call("anvil_removeBlockTimestampInterval")
        rpc.call("evm_setAutomine", False)
        mirror = Mirror(venue.clearing, venue.perp, venue.market)
        mirror.take(rpc.call("eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"}))
        return cls(Blocks(rpc), venue, venue.feed(), mirror, Pool(venue.vamm))

    def take(self, block: Block, names: dict[bytes, str]) -> Iterator[Any]:
        """Lets mirror and pool know what happened in a block; its fills."""
        for done in block.done:
            self.mirror.take(done.logs)
            yield from self.pool.take(done.logs, block.time, names)

    def rescue(self, batches: Iterable[list[Transaction]], path: PricePath) -> None:
        """The keepers' deposits and the insurance stake, before anybody trades."""
        for at, batch in enumerate(batches):
            self.must(batch, path.start - BEFORE // 4 + at)

    def fund(self, people: list[Person], path: PricePath) -> None:
        """Everybody's first deposit; LPs' money into the pool after the round it waits for."""
        now = path.start - BEFORE // 2
        for at, batch in enumerate(self._first_steps(people)):
            self.must(batch, now + at)
        lps = [p for p in people if p.kind is Kind.LP]
        answer = Round(now, now, to_answer(path.prices[0]))
        mint = [self._pool_call(p, "executeDeposit", p.account) for p in lps]
        self.must([self.feed.submission(answer), *mint], now + 60)

    def _first_steps(self, people: list[Person]) -> Iterator[list[Transaction]]:
        venue = self.venue
        vault = venue.address("MarginVault")
        money = {p.owner: wad_to_tokens_down(p.money, venue.decimals) for p in people}
        yield [
            call
            for p in people
            for call in (
                venue.on_token(SETUP, p.owner, "mint", p.owner, WALLET * money[p.owner]),
                venue.on_token(SETUP, p.owner, "approve", vault, NEVER),
            )
        ]
        seed = venue.call(
            SETUP, people[0].owner, "MarginVault", "MarginVault", "seed", self._cents()
        )
        yield [seed, *(venue.deposit(p.owner, p.account, money[p.owner]) for p in people)]
        lps = [p for p in people if p.kind is Kind.LP]
        yield [
            call
            for p in lps
            for call in (
                venue.on_clearing(SETUP, p.owner, "setDelegate", p.account, venue.vamm, FUND),
                self._pool_call(p, "requestDeposit", p.account, self._capital(p)),
            )
        ]

    def _cents(self) -> int:
        """Five cents, which are nobody's: what ended epochs may cost in rounding."""
        return wad_to_tokens_down(WAD // 20, self.venue.decimals)

    def _capital(self, person: Person) -> int:
        """What a person's first deposit was credited as."""
        tokens = wad_to_tokens_down(person.money, self.venue.decimals)
        unit: int = 10 ** (18 - self.venue.decimals)
        return tokens * unit

    def _pool_call(self, person: Person, function: str, *values: Any) -> Transaction:
        return self.venue.on_vamm(SETUP, person.owner, function, *values)

    def must(self, transactions: list[Transaction], time: int) -> None:
        """A block in which nothing may be refused."""
        block = self.blocks.mine(transactions, time)
        for done in block.done:
            if not done.succeeded:
                raise LabError(f"the stage cannot be set: {self.blocks.why(done)}")
        for _ in self.take(block, {}):
            pass
