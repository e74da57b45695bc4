"""Chainlink's rule in integers, and Chainlink's contracts fed by it."""

from decimal import Decimal

import pytest

from novation import artifacts
from novation.chain.contract import encode_call, encode_constructor
from novation.lab.anvil import Anvil, AnvilSettings
from novation.lab.blocks import DEPLOY_GAS, Blocks, Transaction
from novation.lab.feed import Feed, FeedRule, Round, rounds_of
from novation.lab.prices import PricePath

START = 1_583_971_200
ZERO = "0x" + "00" * 20
OPERATOR = "0x" + "ab" * 20


def path(*points: tuple[int, str]) -> PricePath:
    times, prices = zip(*points, strict=True)
    return PricePath("x", "y", False, tuple(START + t for t in times), tuple(map(Decimal, prices)))


def seen(points: PricePath, rule: FeedRule) -> list[tuple[int, int, int]]:
    return [(r.seen_at - START, r.lands_at - START, r.answer) for r in rounds_of(points, rule)]


def test_round_begins_when_the_price_has_moved_by_the_deviation():
    walk = path((0, "100"), (60, "100.49"), (120, "100.5"), (180, "100.4"), (240, "99.9"))
    assert seen(walk, FeedRule(latency=24)) == [
        (0, 0, 100_00000000),
        (120, 144, 100_50000000),
        (240, 264, 99_90000000),
    ]


def test_round_begins_when_the_heartbeat_has_passed():
    walk = path((0, "100"), (9000, "100.1"))
    assert seen(walk, FeedRule(heartbeat=3600, latency=10)) == [
        (0, 0, 100_00000000),
        (3600, 3610, 100_00000000),
        (7200, 7210, 100_00000000),
    ]


def test_no_round_begins_while_one_is_on_its_way():
    walk = path((0, "100"), (10, "101"), (20, "103"), (30, "105"), (40, "106"))
    assert [r[0] for r in seen(walk, FeedRule(latency=25))] == [0, 10, 40]


@pytest.mark.parametrize("wrong", [{"latency": -1}, {"heartbeat": 0}, {"deviation_ppm": -1}])
def test_rule_that_no_feed_follows_is_refused(wrong):
    with pytest.raises(ValueError, match="no feed"):
        FeedRule(**wrong)


@pytest.fixture
def blocks():
    with Anvil(AnvilSettings(timestamp=START, automine=False)) as chain:
        yield Blocks(chain.rpc)


@pytest.fixture
def aggregators(blocks):
    """FluxAggregator with one oracle and the proxy before it."""
    flux, proxy = artifacts.load("FluxAggregator"), artifacts.load("EACAggregatorProxy")
    settings = (ZERO, 0, 300, ZERO, 1, 10**20, 8, "ETH / USD")
    create = flux.bytecode + encode_constructor(flux, *settings)
    made = blocks.mine([Transaction("deploy", OPERATOR, None, create, DEPLOY_GAS)], START + 1)
    aggregator = made.done[0].created
    adopt = encode_call(flux, "changeOracles", [], [OPERATOR], [OPERATOR], 1, 1, 0)
    front = proxy.bytecode + encode_constructor(proxy, aggregator, ZERO)
    steps = [
        Transaction("deploy", OPERATOR, aggregator, adopt),
        Transaction("deploy", OPERATOR, None, front, DEPLOY_GAS),
    ]
    done = blocks.mine(steps, START + 2).done
    assert all(d.succeeded for d in done)
    return aggregator, done[1].created


def test_rounds_land_on_chainlinks_own_contracts(blocks, aggregators):
    aggregator, proxy = aggregators
    feed = Feed(OPERATOR, aggregator, 1)
    latest = encode_call(artifacts.load("EACAggregatorProxy"), "latestRoundData")
    for number, answer in enumerate((194_61000000, 185_03000000, 96_62000000), start=1):
        at = START + 100 * number
        done = blocks.mine([feed.submission(Round(at - 24, at, answer))], at).done
        assert done[0].succeeded
        words = blocks.read(proxy, latest)
        values = [int.from_bytes(words[i : i + 32], "big") for i in range(0, 160, 32)]
        assert values == [(1 << 64) + number, answer, at, at, (1 << 64) + number]


def test_round_of_a_stranger_is_refused_by_name(blocks, aggregators):
    feed = Feed("0x" + "cd" * 20, aggregators[0], 1)
    done = blocks.mine([feed.submission(Round(START, START, 1))], START + 9).done
    assert not done[0].succeeded
    assert "not enabled oracle" in str(blocks.why(done[0]))


def test_transactions_of_a_block_are_mined_in_their_order(blocks):
    senders = [f"0x{i + 1:040x}" for i in range(150)]
    batch = [Transaction("x", sender, ZERO, b"") for sender in senders for _ in range(2)]
    done = blocks.mine(batch, START + 50).done
    assert [d.transaction.sender for d in done] == [t.sender for t in batch]
