"""Collector.tryTouch: each account by itself and within its gas, whatever the others do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from novation.chain.codec import decode_outputs, find
from novation.chain.collection import change_of, touch_gas
from novation.chain.contract import Contract
from novation.chain.reverts import decode_revert
from novation.chain.words import unpack_account
from novation.units import WAD
from tests.local_chain import LocalChain, local_chain
from tests.paths.test_reentrancy import Stage
from tests.unit.backstop.stressed import Stressed, refusal
from tests.world import ANY_MARKET, HOUR, KEEP_PREMIUM, ZERO, Market, World, account_id

MIN_GAS, MAX_GAS, MAX_REASON = 3_000_000, 2**24, 256
NEEDED = MIN_GAS * 64 // 63 + 5_000
REFUSING = "0x60016000526001601ffd"
"""An oracle that reverts with one byte."""
SHOUTING = "0x620180006000fd"
"""With 96 KiB."""
BURNING = "0x5b600056"
"""One that never ends."""


class Collecting:
    """Longs of the trader that a round at 1,900 makes lose; and one in a market of its own."""

    def __init__(self, world: World) -> None:
        self.world, self.stress = world, Stressed(world)
        self.collector = world.chain.deploy("Collector", world.clearing.address)
        self.bad_market = world.list_market("2000")
        self.good = [self.stress.long(10, sub) for sub in (1, 2)]
        self.bad = world.deposit(world.trader, 2_400, 3)
        self.stress.cross(self.bad_market, self.bad, self.stress.other, 10 * WAD, 2_000)
        for market in (world.markets[0], self.bad_market):
            world.push(market.feed, "1900")

    @contextmanager
    def broken(self, code: str) -> Iterator[None]:
        """The oracle of the one market runs this code instead of its own."""
        chain, oracle = self.world.chain, self.bad_market.oracle.address
        before = "0x" + chain.code(oracle).hex()
        chain.request("anvil_setCode", oracle, code)
        yield
        chain.request("anvil_setCode", oracle, before)

    def collect(self, accounts: list[bytes], gas_each: int = MIN_GAS) -> tuple[Any, Any]:
        """What it answers, and the receipt when it does the same."""
        world, at = self.world, self.collector
        data = "0x" + at.encode("tryTouch", accounts, gas_each).hex()
        tx = {"from": world.stranger, "to": at.address, "data": data, "gas": hex(30_000_000)}
        raw = world.chain.request("eth_call", tx, "latest")
        entry = find(at.artifact.abi, "function", "tryTouch")
        answer = decode_outputs(entry, bytes.fromhex(raw[2:]))
        return answer, world.chain.transact(tx, world.stranger)

    def capital(self, account: bytes) -> int:
        return int(self.world.account(account).capital)


@pytest.fixture
def collecting(world: World) -> Collecting:
    return Collecting(world)


def told(world: World, receipt: dict[str, Any]) -> list[bytes]:
    """Accounts whose words the clearing house told."""
    block = int(receipt["blockNumber"], 16)
    return [e.values["account"] for e in world.clearing.events(["AccountSet"], block, block)]


def test_try_touch_collects_the_losses_of_all(collecting: Collecting) -> None:
    world, accounts = collecting.world, [*collecting.good, collecting.bad]
    backing = world.vault.read("settlementWad") - world.clearing.read("house").capitalTotal
    answer, receipt = collecting.collect(accounts)
    assert [tuple(o) for o in answer.outcomes] == [(True, b"")] * 3
    assert answer.done == 3
    assert told(world, receipt) == accounts
    assert [collecting.capital(a) for a in accounts] == [1_400 * WAD] * 3
    after = world.vault.read("settlementWad") - world.clearing.read("house").capitalTotal
    assert after - backing == 3_000 * WAD
    assert receipt["logs"][-1]["address"].lower() != collecting.collector.address.lower()


def test_one_bad_account_does_not_stop_the_rest(collecting: Collecting) -> None:
    first, last = collecting.good
    with collecting.broken(REFUSING):
        answer, receipt = collecting.collect([first, collecting.bad, last])
    assert [o.done for o in answer.outcomes] == [True, False, True]
    assert answer.outcomes[1].reason == b"\x01"
    assert answer.done == 2
    assert told(collecting.world, receipt) == [first, last]
    assert [collecting.capital(a) for a in (first, last)] == [1_400 * WAD] * 2
    assert collecting.capital(collecting.bad) == 2_400 * WAD


def test_reason_is_cut(collecting: Collecting) -> None:
    with collecting.broken(SHOUTING):
        answer, receipt = collecting.collect([collecting.bad, collecting.good[0]])
    assert answer.outcomes[0].reason == bytes(MAX_REASON)
    assert answer.outcomes[1].done
    assert collecting.world.chain.gas(receipt) < 500_000


def test_account_that_burns_gas_burns_its_own_part(collecting: Collecting) -> None:
    with collecting.broken(BURNING):
        answer, receipt = collecting.collect([collecting.bad, *collecting.good])
    assert [tuple(o) for o in answer.outcomes] == [(False, b""), (True, b""), (True, b"")]
    assert told(collecting.world, receipt) == collecting.good
    assert MIN_GAS * 0.9 < collecting.world.chain.gas(receipt) < MIN_GAS + 500_000


def test_caller_short_of_gas_is_refused_and_no_account_looks_bad(collecting: Collecting) -> None:
    """Every amount of gas gives all accounts their part, or an error that has both numbers."""
    world = collecting.world
    batch = world.chain.deploy("MockBatch")
    data = collecting.collector.encode("tryTouch", [*collecting.good, collecting.bad], MIN_GAS)
    entry = find(collecting.collector.artifact.abi, "function", "tryTouch")
    ends = []
    for limit in (100_000, MIN_GAS, NEEDED, *range(NEEDED + 1_000, NEEDED + 400_000, 9_000)):
        found = batch.read("withGas", collecting.collector.address, data, limit)
        if found.ok:
            assert decode_outputs(entry, found.out).done == 3
        else:
            error = decode_revert(found.out)
            assert error.name == "CollectorGas"
            assert error.arguments["needed"] == NEEDED
            assert error.arguments["left"] < NEEDED
        ends.append(found.ok)
    assert ends == sorted(ends)
    assert set(ends) == {True, False}


def test_gas_that_the_check_lets_through_reaches_the_account(world: World) -> None:
    """The least gas that is let through: an account that burns all it gets had its full part."""
    collecting = Collecting(world)
    batch = world.chain.deploy("MockBatch")
    data = collecting.collector.encode("tryTouch", [collecting.bad], MIN_GAS)
    values = (collecting.collector.address, data)
    low, high = MIN_GAS, 2 * MIN_GAS
    with collecting.broken(BURNING):
        while high - low > 1:
            middle = (low + high) // 2
            ok = batch.read("withGas", *values, middle).ok
            low, high = (low, middle) if ok else (middle, high)
        receipt = world.chain.send(batch, "withGas", *values, high)
    assert NEEDED < high < NEEDED + 10_000
    inner = trace_of(world.chain, receipt, world.clearing)
    assert int(inner["gas"], 16) == MIN_GAS


def trace_of(chain: LocalChain, receipt: dict[str, Any], to: Contract) -> dict[str, Any]:
    """The first call to a contract."""
    digest = receipt["transactionHash"]
    left = [chain.request("debug_traceTransaction", digest, {"tracer": "callTracer"})]
    while left:
        call = left.pop(0)
        if call["to"].lower() == to.address.lower():
            return dict(call)
        left += call.get("calls", [])
    raise AssertionError("never called")


@pytest.mark.parametrize(
    ("gas_each", "bound"), [(MIN_GAS - 1, MIN_GAS), (MAX_GAS + 1, MAX_GAS), (2**256 - 1, MAX_GAS)]
)
def test_gas_each_outside_its_bounds_is_refused(
    collecting: Collecting, gas_each: int, bound: int
) -> None:
    found = refusal(collecting.collect, collecting.good, gas_each=gas_each)
    assert found == ("CollectorGasEach", [gas_each, bound])


def test_more_gas_may_be_allowed(collecting: Collecting) -> None:
    answer, _ = collecting.collect(collecting.good, gas_each=MAX_GAS)
    assert answer.done == 2


def test_empty_list_does_nothing(collecting: Collecting) -> None:
    answer, receipt = collecting.collect([])
    assert (list(answer.outcomes), answer.done) == ([], 0)
    assert receipt["logs"] == []


def test_same_account_twice_is_touched_and_changed_once(collecting: Collecting) -> None:
    account = collecting.good[0]
    answer, receipt = collecting.collect([account, account])
    assert [o.done for o in answer.outcomes] == [True, True]
    assert told(collecting.world, receipt) == [account]
    assert collecting.capital(account) == 1_400 * WAD


def test_flat_and_unknown_accounts_are_done_without_a_change(collecting: Collecting) -> None:
    world = collecting.world
    flat = world.deposit(world.stranger, 10)
    answer, receipt = collecting.collect([flat, account_id(world.stranger, 99), bytes(32)])
    assert answer.done == 3
    assert receipt["logs"] == []


def test_inv_34_in_the_middle_of_a_call_nobody_is_touched(world: World) -> None:
    """A token that calls out: the clearing house is locked for every account."""
    stage = Stage(world.chain, settlement=False)
    w = stage.world
    collector = w.chain.deploy("Collector", w.clearing.address)
    data = collector.encode("tryTouch", [stage.account, stage.own], MIN_GAS)
    w.chain.send(stage.token, "setCallback", collector.address, data, True)
    values: Any = (stage.account, stage.token.address, 1, w.trader, [], WAD)
    w.chain.send(w.vault, "withdraw", *values, sender=w.trader)
    assert stage.token.read("success") is True
    entry = find(collector.artifact.abi, "function", "tryTouch")
    answer = decode_outputs(entry, stage.token.read("returned"))
    assert answer.done == 0
    errors = [decode_revert(o.reason) for o in answer.outcomes]
    assert [e.name for e in errors] == ["ClearingLocked"] * 2
    assert errors[0].arguments == {"holder": w.vault.address}


# Gas

MARKETS = 16


class Wide:
    """Sixteen markets behind Chainlink's own contracts, with a second source and a sequencer."""

    def __init__(self, chain: LocalChain) -> None:
        self.chain, self.world = chain, World.deploy(chain)
        world = self.world
        self.collector = chain.deploy("Collector", world.clearing.address)
        self.sequencer = chain.deploy("MockFeed", 0)
        chain.send(self.sequencer, "push", 0)
        chain.advance(2 * HOUR)
        self.second: list[Contract] = []
        self.markets: list[Market] = [self.list() for _ in range(MARKETS)]
        self.venue = chain.accounts[7]
        world.send("clearing", "setVenue", self.venue, ANY_MARKET, True)
        self.maker = world.deposit(world.other, 1_000_000)
        self.wide = world.deposit(world.trader, 100_000)
        self.narrow = [world.deposit(world.trader, 10_000, sub) for sub in range(1, 11)]
        for market in self.markets:
            self.cross(self.wide, market.number)
        for account in self.narrow:
            self.cross(account, 0)
        self.round(1_990)

    def list(self) -> Market:
        chain, owner, made = self.chain, self.world.admin, []
        for _ in range(2):
            flux = chain.deploy("FluxAggregator", ZERO, 0, 300, ZERO, 1, 10**24, 8, "ETH / USD")
            chain.send(flux, "changeOracles", [], [owner], [owner], 1, 1, 0)
            made.append((flux, chain.deploy("EACAggregatorProxy", flux.address, ZERO)))
            self.submit(flux, 2_000)
        (flux, proxy), (other, second) = made
        self.second.append(other)
        config = {
            "feed": proxy.address,
            "second": second.address,
            "sequencer": self.sequencer.address,
            "heartbeat": HOUR,
            "secondHeartbeat": HOUR,
            "sequencerGrace": 60,
            "maxDivergence": WAD // 20,
            "minimum": WAD // 100,
            "maximum": 1_000_000 * WAD,
            "lotExponent": 0,
        }
        oracle = chain.deploy("ChainlinkOracleAdapter", config)
        return self.world.list_market(feed=flux, oracle=oracle)

    def cross(self, buyer: bytes, market: int) -> None:
        legs = [(buyer, WAD, -2_000 * WAD, 0), (self.maker, -WAD, 2_000 * WAD, 0)]
        values = (market, sorted(legs), 0, KEEP_PREMIUM)
        self.world.send("clearing", "clear", *values, sender=self.venue)

    def round(self, price: int) -> None:
        self.chain.next_at(self.chain.now + 300)
        for feed in [*(m.feed for m in self.markets), *self.second]:
            self.submit(feed, price)

    def submit(self, flux: Contract, price: int) -> None:
        round_ = int(flux.read("latestRound")) + 1
        self.chain.send(flux, "submit", round_, price * 10**8)

    def used(self, *accounts: bytes) -> int:
        """Gas that one call more for these takes, above an empty list; nothing is kept."""
        with self.chain.isolated():
            empty = self.chain.send(self.collector, "tryTouch", [], MIN_GAS)
            full = self.chain.send(self.collector, "tryTouch", list(accounts), MIN_GAS)
        return self.chain.gas(full) - self.chain.gas(empty)

    def bound(self, *accounts: bytes) -> int:
        words = [self.world.account(a) for a in accounts]
        stored = [unpack_account(w.capital | w.bitmap << 192) for w in words]
        return touch_gas(change_of(a, s, 0, 0) for a, s in zip(accounts, stored, strict=True))


@pytest.fixture(scope="module")
def wide() -> Iterator[Wide]:
    with local_chain() as chain:
        yield Wide(chain)


def test_sixteen_markets_take_two_thirds_of_the_least_gas_at_most(wide: Wide) -> None:
    assert wide.collector.read("MIN_GAS") == MIN_GAS
    used = wide.used(wide.wide)
    assert 1_500_000 < used <= 2_000_000 == MIN_GAS * 2 // 3
    assert used <= wide.bound(wide.wide)


def test_one_market_takes_what_its_round_takes_and_little_more(wide: Wide) -> None:
    one, ten = wide.used(wide.narrow[0]), wide.used(*wide.narrow)
    assert one <= wide.bound(wide.narrow[0])
    assert ten <= wide.bound(*wide.narrow)
    assert (ten - one) // 9 <= 34_000


def test_second_wide_account_takes_no_round_again(wide: Wide) -> None:
    both = wide.used(wide.wide, wide.maker)
    assert both - wide.used(wide.wide) <= 330_000
    assert both <= wide.bound(wide.wide, wide.maker)
