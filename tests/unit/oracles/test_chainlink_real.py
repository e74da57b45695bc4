"""Chainlink's own aggregator behind its own proxy."""

from dataclasses import dataclass
from typing import Any

import pytest

from novation.chain.contract import Contract
from novation.model.oracle import PriceStatus
from tests.local_chain import LocalChain

WAD = 10**18
ZERO = "0x" + "00" * 20
HEARTBEAT = 3_600
READ_GAS = 20_800
"""Most that a cold read may cost beyond its transaction; 18,350 of it is Chainlink's."""


@dataclass
class Feed:
    chain: LocalChain
    owner: str
    node: str
    proxy: Contract
    adapter: Contract
    aggregator: Contract
    number: int = 1

    def submit(self, answer: int) -> None:
        self.number += 1
        self.chain.send(self.aggregator, "submit", self.number, answer, sender=self.node)

    def aggregate(self) -> Contract:
        """A new aggregator with one node and its first answer."""
        return flux(self.chain, self.owner, self.node)

    def peek(self) -> Any:
        return self.adapter.read("peek")


def flux(chain: LocalChain, owner: str, node: str) -> Contract:
    values = (ZERO, 0, 180, ZERO, 1, 10**20, 8, "ETH / USD")
    aggregator = chain.deploy("FluxAggregator", *values, sender=owner)
    nodes = ([], [node], [owner], 1, 1, 0)
    chain.send(aggregator, "changeOracles", *nodes, sender=owner)
    chain.send(aggregator, "submit", 1, 2_000 * 10**8, sender=node)
    return aggregator


@pytest.fixture
def feed(chain: LocalChain) -> Feed:
    owner, node = chain.accounts[1:3]
    aggregator = flux(chain, owner, node)
    proxy = chain.deploy("EACAggregatorProxy", aggregator.address, ZERO, sender=owner)
    terms = {
        "feed": proxy.address,
        "second": ZERO,
        "sequencer": ZERO,
        "heartbeat": HEARTBEAT,
        "secondHeartbeat": 0,
        "sequencerGrace": 0,
        "maxDivergence": 0,
        "minimum": WAD,
        "maximum": 100_000 * WAD,
        "lotExponent": 0,
    }
    adapter = chain.deploy("ChainlinkOracleAdapter", terms)
    return Feed(chain, owner, node, proxy, adapter, aggregator)


def test_read_gives_what_the_node_submitted(feed: Feed) -> None:
    feed.submit(2_345_67890000)
    price = feed.peek()
    assert price.value == 2_345_6789 * 10**14
    assert price.updatedAt == feed.chain.now
    assert price.status == PriceStatus.OK


def test_read_silent_node_makes_the_price_stale(feed: Feed) -> None:
    at = feed.peek().updatedAt
    feed.chain.mine_at(at + HEARTBEAT + 1)
    price = feed.peek()
    assert (price.value, price.status) == (0, PriceStatus.STALE)
    assert feed.adapter.read("silentFor") == 1
    feed.submit(1_900 * 10**8)
    assert feed.peek().value == 1_900 * WAD


def test_read_new_aggregator_without_answer_is_no_answer(feed: Feed) -> None:
    values = (ZERO, 0, 180, ZERO, 1, 10**20, 8, "ETH / USD")
    empty = feed.chain.deploy("FluxAggregator", *values, sender=feed.owner)
    for function in ("proposeAggregator", "confirmAggregator"):
        feed.chain.send(feed.proxy, function, empty.address, sender=feed.owner)
    assert feed.peek().status == PriceStatus.NO_ANSWER


def test_read_access_controlled_proxy_is_no_answer(feed: Feed) -> None:
    feed.chain.send(feed.proxy, "setController", feed.aggregator.address, sender=feed.owner)
    assert feed.peek().status == PriceStatus.NO_ANSWER


def test_price_at_across_a_change_of_aggregator(feed: Feed) -> None:
    first = feed.chain.now
    feed.chain.advance(600)
    feed.submit(2_100 * 10**8)
    second = feed.chain.now
    feed.chain.advance(600)
    newer = feed.aggregate()
    third = feed.chain.now
    for function in ("proposeAggregator", "confirmAggregator"):
        feed.chain.send(feed.proxy, function, newer.address, sender=feed.owner)
    read = feed.adapter.read
    assert feed.peek().status == PriceStatus.OK
    assert read("priceAt", first + 300, 1 << 64 | 2) == 2_100 * WAD
    assert read("priceAt", second, 1 << 64 | 2) == 2_100 * WAD
    assert read("priceAt", second + 1, 2 << 64 | 1) == 2_000 * WAD
    assert read("priceAt", third, 2 << 64 | 1) == 2_000 * WAD


def test_read_gas_stays_under_its_limit(feed: Feed) -> None:
    receipt = feed.chain.send(feed.adapter, "read")
    calldata = 4 * 16
    spent = feed.chain.gas(receipt) - 21_000 - calldata
    assert spent <= READ_GAS, f"a cold read costs {spent}"
