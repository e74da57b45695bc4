"""Logs, asked for in ranges that a node will answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from novation.chain.client import Chain, to_bytes
from novation.chain.errors import NodeError

RANGE = 10_000
"""Blocks asked for at once, to begin with: the limit of most public nodes."""
REFUSALS = ("range", "limit", "too many", "more than", "exceed", "too large", "timeout")


@dataclass(frozen=True)
class Log:
    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block: int
    transaction: str
    index: int

    @classmethod
    def of(cls, raw: dict[str, Any]) -> "Log":
        return cls(
            address=raw["address"],
            topics=tuple(to_bytes(topic) for topic in raw["topics"]),
            data=to_bytes(raw["data"]),
            block=int(raw["blockNumber"], 16),
            transaction=raw["transactionHash"],
            index=int(raw["logIndex"], 16),
        )


def read_logs(
    chain: Chain,
    addresses: Sequence[str],
    topics: Sequence[Sequence[str] | None],
    first: int,
    last: int,
    size: int = RANGE,
) -> Iterator[Log]:
    """Logs from block `first` to `last`, both included. A range the node refuses is halved."""
    start = first
    while start <= last:
        end = min(start + size - 1, last)
        wanted = {"address": list(addresses), "topics": [list(t) if t else None for t in topics]}
        span = {"fromBlock": hex(start), "toBlock": hex(end)}
        try:
            found = chain.request("eth_getLogs", wanted | span)
        except NodeError as error:
            if size == 1 or not any(word in error.message.lower() for word in REFUSALS):
                raise
            size = max(size // 2, 1)
            continue
        yield from (Log.of(raw) for raw in found)
        start = end + 1
