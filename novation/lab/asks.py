"""What keepers ask of the venue, as calls: takeovers, resolutions, collection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from novation.lab.blocks import Transaction
from novation.lab.venue import NEVER, Venue

NOBODY = bytes(32)
ZERO = "0x" + "00" * 20
EVERYTHING = 1 << 79
ANY_GAIN = -NEVER // 2
BATCH_GAS = 12_000_000
TOUCH_GAS = 3_000_000


@dataclass(frozen=True)
class Asks:
    """Sent by `keeper` for the taker account `taker`."""

    venue: Venue
    keeper: str
    taker: bytes

    def take(self, victim: bytes) -> Transaction:
        """Into the taker's account, whose margin must carry it."""
        return self._call("liquidate", "liquidate", self._takeover(victim, ZERO, ANY_GAIN))

    def take_to_venue(self, victim: bytes) -> Transaction:
        """Sold to the vAMM at once, if that leaves the taker no poorer."""
        takeover = self._takeover(victim, self.venue.vamm, 0)
        return self._call("liquidate to venue", "liquidateToVenue", takeover)

    def take_many(self, victims: Sequence[bytes], sold: bool) -> Transaction:
        """As many as go through; `sold` to the vAMM or kept."""
        to = self.venue.vamm if sold else ZERO
        least = 0 if sold else ANY_GAIN
        asks = [self._takeover(victim, to, least) for victim in victims]
        kind = "liquidate many to venue" if sold else "liquidate many"
        return replace(self._call(kind, "tryLiquidateMany", asks), gas=BATCH_GAS)

    def resolve(self, victim: bytes, taken: bool) -> Transaction:
        """Ends a bankrupt account; into the taker's account or nobody's."""
        taker = self.taker if taken else NOBODY
        return self._call("resolve", "resolve", victim, taker, self.venue.market)

    def collect(self, accounts: Sequence[bytes]) -> Transaction:
        """Touches accounts, so that their losses are there for those who gained."""
        values = ("Collector", "Collector", "tryTouch", list(accounts), TOUCH_GAS)
        return replace(self.venue.call("collect", self.keeper, *values), gas=BATCH_GAS)

    def _call(self, kind: str, function: str, *values: Any) -> Transaction:
        return self.venue.call(kind, self.keeper, "Liquidator", "Liquidator", function, *values)

    def _takeover(self, victim: bytes, venue: str, least: int) -> dict[str, Any]:
        return {
            "market": self.venue.market,
            "victim": victim,
            "taker": self.taker,
            "maxSize": EVERYTHING,
            "topUp": 0,
            "venue": venue,
            "expected": 0,
            "minNet": least,
        }
