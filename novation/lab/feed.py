"""A Chainlink feed on the throw-away chain: Chainlink's own contracts, fed by Chainlink's rule.

A round begins when the price has moved by the deviation or the heartbeat has passed, and lands
some seconds later. No second round begins before the first has landed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from novation import artifacts
from novation.chain.contract import encode_call
from novation.lab.blocks import Transaction
from novation.lab.prices import PricePath

DECIMALS = 8
PPM = 10**6
SUBMIT = "oracle round"


@dataclass(frozen=True)
class FeedRule:
    """ETH/USD on Ethereum: 0.5 %, one hour. `latency` is from the price seen to the round mined."""

    deviation_ppm: int = 5_000
    heartbeat: int = 3_600
    latency: int = 24

    def __post_init__(self) -> None:
        if self.deviation_ppm < 0 or self.heartbeat < 1 or self.latency < 0:
            raise ValueError(f"{self}: no feed works like this")


@dataclass(frozen=True)
class Round:
    """`answer` has 8 decimals; it is the price at `seen_at`."""

    seen_at: int
    lands_at: int
    answer: int


def to_answer(price: Decimal) -> int:
    return int(price.scaleb(DECIMALS).quantize(Decimal(1), ROUND_HALF_EVEN)) or 1


def rounds_of(path: PricePath, rule: FeedRule) -> Iterator[Round]:
    """All rounds that this rule makes of the path. The first shows the path's first price."""
    last = Round(path.start, path.start, to_answer(path.prices[0]))
    yield last
    for time, price in zip(path.times, path.prices, strict=True):
        while (due := last.seen_at + rule.heartbeat) < time:
            last = Round(due, due + rule.latency, to_answer(path.at(due)))
            yield last
        answer = to_answer(price)
        moved = abs(answer - last.answer) * PPM >= rule.deviation_ppm * last.answer
        if time >= last.lands_at and answer != last.answer and moved:
            last = Round(time, time + rule.latency, answer)
            yield last


class Feed:
    """FluxAggregator with one oracle, as novation.deploy makes it, behind EACAggregatorProxy.

    The oracle is paid nothing, so that no LINK is needed: with a payment of 0 the aggregator's
    reserve is 0 and the token is never called.
    """

    def __init__(self, oracle: str, aggregator: str, next_round: int) -> None:
        self.oracle = oracle
        self.aggregator = aggregator
        self.next_round = next_round
        self._flux = artifacts.load("FluxAggregator")

    def submission(self, round_: Round) -> Transaction:
        """The next round's transaction. Rounds must be mined in the order they were made."""
        data = encode_call(self._flux, "submit", self.next_round, round_.answer)
        self.next_round += 1
        return Transaction(SUBMIT, self.oracle, self.aggregator, data)
