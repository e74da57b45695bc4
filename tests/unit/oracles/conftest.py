"""One Anvil for the room's tests, and adapters over feeds of which every word can be set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.model import oracle as model
from tests.local_chain import LocalChain, local_chain

WAD = 10**18
ZERO = "0x" + "00" * 20
ID = 1 << 64 | 1
"""Id of the first round of phase 1."""


@pytest.fixture(scope="session")
def session_chain() -> Iterator[LocalChain]:
    with local_chain() as chain:
        yield chain


@pytest.fixture
def chain(session_chain: LocalChain) -> Iterator[LocalChain]:
    with session_chain.isolated():
        yield session_chain


def config(feed: str, **changes: Any) -> dict[str, Any]:
    """ETH/USD with usual terms: 1 h heartbeat, 10 to 100,000, lot of one unit."""
    made: dict[str, Any] = {
        "feed": feed,
        "second": ZERO,
        "sequencer": ZERO,
        "heartbeat": 3_600,
        "secondHeartbeat": 0,
        "sequencerGrace": 0,
        "maxDivergence": 0,
        "minimum": 10 * WAD,
        "maximum": 100_000 * WAD,
        "lotExponent": 0,
    }
    return made | changes


@dataclass
class Bench:
    """An adapter with a mock feed behind it; a second source and a sequencer where asked for."""

    chain: LocalChain
    feed: Contract
    adapter: Contract
    second: Contract | None = None
    sequencer: Contract | None = None
    terms: dict[str, Any] = field(default_factory=dict)

    def set(self, answer: int, age: int = 0, feed: Contract | None = None, **words: int) -> int:
        """Writes a round and returns the time of the block that a read now sees."""
        at = self.chain.now + 1
        round_id = words.get("id", ID)
        started = words.get("started_at", at - age)
        updated = words.get("updated_at", at - age)
        answered = words.get("answered_in", round_id)
        self.chain.next_at(at)
        to = feed or self.feed
        self.chain.send(to, "set", round_id, answer, started, updated, answered)
        return at

    def peek(self) -> Any:
        return self.adapter.read("peek")

    def status(self) -> model.PriceStatus:
        return model.PriceStatus(self.peek().status)


def make_bench(
    chain: LocalChain,
    decimals: int = 8,
    price: int = 2_000,
    second: bool = False,
    sequencer: bool = False,
    **changes: Any,
) -> Bench:
    feed = chain.deploy("MockFeed", decimals)
    chain.send(feed, "push", price * 10**decimals)
    made = Bench(chain, feed, feed)
    if second:
        made.second = chain.deploy("MockFeed", 6)
        chain.send(made.second, "push", price * 10**6)
        terms = {"second": made.second.address, "secondHeartbeat": 7_200}
        changes = terms | {"maxDivergence": WAD // 50} | changes
    if sequencer:
        made.sequencer = chain.deploy("MockFeed", 0)
        chain.send(made.sequencer, "push", 0)
        changes = {"sequencer": made.sequencer.address, "sequencerGrace": 3_600} | changes
    made.terms = config(feed.address, **changes)
    made.adapter = chain.deploy("ChainlinkOracleAdapter", made.terms)
    return made


@pytest.fixture
def bench(chain: LocalChain) -> Callable[..., Bench]:
    """Makes a bench: decimals, price, second=True, sequencer=True, and any term of the config."""

    def make(**terms: Any) -> Bench:
        return make_bench(chain, **terms)

    return make
