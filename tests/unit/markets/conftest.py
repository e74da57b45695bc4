"""One market twice: the contract, with a test's account as its clearing house, and the model.

Every step is made on both at the same second; afterwards every stored word and the view are equal.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.chain.reverts import decode_revert
from novation.model import oracle
from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.market import (
    UNTOLD,
    Listing,
    MarketView,
    MarketWords,
    PerpMarket,
    RiskParams,
)
from novation.model.oracle import Config, Described, Feed, Round
from novation.units import WAD
from tests.local_chain import LocalChain, local_chain
from tests.world import ZERO

HOUR, DAY = 3_600, 86_400
HEARTBEAT = HOUR + 60
GAS = hex(5_000_000)
KEEP_PREMIUM = 2**255 - 1
NORMAL, REVERTING = 0, 1

LISTING = Listing(
    strict_window=30 * 60,
    premium_window=HOUR,
    short_window=5 * 60,
    interruption=60,
    full_premium=3 * WAD // 100,
    settlement_window=DAY,
)
RISK = RiskParams(
    imr=100_000,
    mmr=60_000,
    ramp_seconds=DAY,
    profit_weight=0,
    funding_cap=12_000,
    velocity=3_000,
    interest_rate=10_000,
    size_scale=10_000_000,
    min_notional=50,
    account_cap=5_000_000,
    open_interest_cap=20_000 * WAD,
    backing_multiple=20,
)


def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def as_struct(value: Any) -> dict[str, Any]:
    return {camel(k): v for k, v in asdict(value).items()}


def text(word: bytes) -> str:
    """A bytes32 that holds a name."""
    return word.rstrip(b"\0").decode()


def numbers(error: ContractError | Refused) -> list[Any]:
    found = error.arguments if isinstance(error, ContractError) else error.values
    return [text(v) if isinstance(v, bytes) and len(v) == 32 else v for v in found.values()]


@dataclass
class Pair:
    chain: LocalChain
    feed: Contract
    adapter: Contract
    contract: Contract
    model: PerpMarket
    clock: Clock
    shown: "Shown"
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def words(self) -> MarketWords:
        return self.model.words

    # Steps; each is a block of its own, `after` seconds later

    def wait(self, after: int) -> MarketView:
        """Time passes and nobody touches."""
        self.clock.now += after
        self.chain.mine_at(self.clock.now)
        return self.same()

    def push(self, answer: int, after: int = 1) -> None:
        """A round of 8 decimals, which nobody has touched yet."""
        self._send(after, self.feed, "push", answer)
        self.shown.push(answer, self.clock.now)

    def misbehave(self, mode: int, after: int = 1) -> None:
        self._send(after, self.feed, "setMode", mode)
        self.shown.mode = mode

    def accrue(self, after: int = 1) -> MarketView:
        self.both(self.model.accrue, after, "accrue")
        return self.same()

    def book(
        self, interest: int, long: int, short: int, premium: int | None = None, after: int = 1
    ) -> None:
        """As the clearing house does it: accrue and book in one second."""
        self.accrue(after)
        kept = KEEP_PREMIUM if premium is None else premium
        self.both(
            lambda: self.model.book(interest, long, short, premium),
            0,
            "book",
            interest,
            long,
            short,
            kept,
        )

    def set_depth(self, depth: int) -> None:
        self.both(lambda: self.model.set_depth(depth), 1, "setDepth", depth)

    def set_backing(self, lots: int) -> None:
        self.both(lambda: self.model.set_backing(lots), 1, "setBacking", lots)

    def set_params(self, after: int = 1, **changes: int) -> None:
        p = replace(self.model.params, **changes)
        self.both(lambda: self.model.set_params(p), after, "setParams", as_struct(p))

    def begin_settlement(self, after: int = 1) -> None:
        self.both(self.model.begin_settlement, after, "beginSettlement")

    def both(self, on_model: Callable[[], Any], after: int, function: str, *values: Any) -> None:
        """The call on both; they refuse with the same error and numbers, or both do it."""
        error = self._send(after, self.contract, function, *values)
        refused: Refused | None = None
        try:
            on_model()
        except Refused as found:
            refused = found
        names = [e and (e.name, numbers(e)) for e in (error, refused)]
        assert names[0] == names[1], f"{function}: contract {error}, model {refused}"
        if error is not None:
            self.refusals[error.name] = self.refusals.get(error.name, 0) + 1
        self.same()

    def _send(
        self, after: int, target: Contract, function: str, *values: Any
    ) -> ContractError | None:
        self.clock.now += after
        chain = self.chain
        chain.next_at(self.clock.now)
        data = "0x" + target.encode(function, *values).hex()
        tx = {"from": chain.accounts[0], "to": target.address, "data": data, "gas": GAS}
        digest = chain.request("eth_sendTransaction", tx)
        while (receipt := chain.request("eth_getTransactionReceipt", digest)) is None:
            pass
        if int(receipt["status"], 16) == 1:
            return None
        trace = chain.request("debug_traceTransaction", digest, {"tracer": "callTracer"})
        return decode_revert(bytes.fromhex(trace.get("output", "0x")[2:]))

    # Equality

    def same(self) -> MarketView:
        """Every stored word and the whole view agree, exactly; the view."""
        asked = [self.contract.at(view) for view in ("words", "peek", "backing")]
        stored, seen, backing = self.chain.batch(asked)
        for name in (f.name for f in fields(MarketWords)):
            assert getattr(stored, camel(name)) == getattr(self.words, name), name
        view = self.model.peek()
        for name in (f.name for f in fields(MarketView)):
            assert getattr(seen, camel(name)) == getattr(view, name), name
        told = self.model.backing != UNTOLD
        assert tuple(backing) == (self.model.backing, self.model.backed_cap, told)
        return view

    def same_epochs(self) -> None:
        for (side, epoch), end in self.model.epochs.items():
            assert tuple(self.contract.read("epochEnd", side, epoch)) == (end.k, end.ratio)


@dataclass
class Shown:
    """What the feed shows, and what the adapter's model makes of it."""

    clock: Clock
    adapter: oracle.ChainlinkOracleAdapter
    answer: int
    at: int
    number: int = 1
    mode: int = NORMAL

    def push(self, answer: int, at: int) -> None:
        self.answer, self.at, self.number = answer, at, self.number + 1

    def read(self) -> oracle.Price:
        id_ = 1 << 64 | self.number
        latest = Round(id_, self.answer, self.at, self.at, id_) if self.mode == NORMAL else None
        return self.adapter.peek(self.clock.now, Feed(8, latest))


@pytest.fixture(scope="session")
def session_chain() -> Iterator[LocalChain]:
    with local_chain() as chain:
        yield chain


@pytest.fixture
def chain(session_chain: LocalChain) -> Iterator[LocalChain]:
    with session_chain.isolated():
        yield session_chain


@dataclass
class Bench:
    """Makes pairs; the chain's first account is the clearing house and holds every role."""

    chain: LocalChain
    manager: Contract
    feed: Contract
    adapter: Contract
    at: int
    answer: int

    def listing(self, listing: Listing) -> dict[str, Any]:
        made = as_struct(listing) | {"oracle": self.adapter.address}
        del made["oracleMaximum"]
        return made

    def deploy(self, listing: Listing = LISTING, risk: RiskParams = RISK) -> Contract:
        return self.chain.deploy(
            "PerpMarket",
            self.manager.address,
            self.chain.accounts[0],
            self.listing(listing),
            as_struct(risk),
        )

    def pair(self, listing: Listing = LISTING, risk: RiskParams = RISK) -> Pair:
        contract = self.deploy(listing, risk)
        clock = Clock(self.chain.now)
        config = Config(HEARTBEAT, WAD // 100, 10**6 * WAD)
        adapter = oracle.ChainlinkOracleAdapter(config, Described(8, 1))
        shown = Shown(clock, adapter, self.answer, self.at)
        model = PerpMarket(clock, shown.read, listing, risk)
        made = Pair(self.chain, self.feed, self.adapter, contract, model, clock, shown)
        made.same()
        return made


@pytest.fixture
def bench(chain: LocalChain) -> Bench:
    manager = chain.deploy("AccessManager", chain.accounts[0])
    feed = chain.deploy("MockFeed", 8)
    answer = 2_000 * 10**8
    chain.send(feed, "push", answer)
    at = chain.now
    config = {
        "feed": feed.address,
        "second": ZERO,
        "sequencer": ZERO,
        "heartbeat": HEARTBEAT,
        "secondHeartbeat": 0,
        "sequencerGrace": 0,
        "maxDivergence": 0,
        "minimum": WAD // 100,
        "maximum": 10**6 * WAD,
        "lotExponent": 0,
    }
    adapter = chain.deploy("ChainlinkOracleAdapter", config)
    return Bench(chain, manager, feed, adapter, at, answer)


@pytest.fixture
def market(bench: Bench) -> Pair:
    return bench.pair()
