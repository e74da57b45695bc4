"""The world of the tests with Chainlink's own contracts for feeds, as gas is measured on it."""

from typing import Any

from novation.chain.contract import Contract
from novation.units import WAD
from tests.world import HOUR, ZERO, Market, World

Receipt = dict[str, Any]


class Venue(World):
    """The world of the tests, with Chainlink's own contracts for feeds."""

    def list_chainlink(self, price: str) -> Market:
        chain, owner = self.chain, self.admin
        limits = (1, 10**24, 8, "ETH / USD")
        flux = chain.deploy("FluxAggregator", ZERO, 0, 300, ZERO, *limits)
        chain.send(flux, "changeOracles", [], [owner], [owner], 1, 1, 0)
        proxy = chain.deploy("EACAggregatorProxy", flux.address, ZERO)
        self.push(flux, price)
        oracle = chain.deploy("ChainlinkOracleAdapter", adapter_config(proxy.address))
        return self.list_market(feed=flux, oracle=oracle)

    def throttle(self) -> None:
        """That of the deployments: a quarter an hour, 10,000 exempt."""
        exempt = 10_000 * 10**self.decimals
        self.send("vault", "setThrottle", self.token.address, 250_000, exempt)

    def push(self, feed: Contract, price: str) -> None:
        whole, _, part = price.partition(".")
        answer = int(whole + part.ljust(8, "0")[:8])
        self.chain.send(feed, "submit", int(feed.read("latestRound")) + 1, answer)


def adapter_config(feed: str) -> dict[str, Any]:
    return {
        "feed": feed,
        "second": ZERO,
        "sequencer": ZERO,
        "heartbeat": HOUR + 60,
        "secondHeartbeat": 0,
        "sequencerGrace": 0,
        "maxDivergence": 0,
        "minimum": WAD // 100,
        "maximum": 1_000_000 * WAD,
        "lotExponent": 0,
    }
