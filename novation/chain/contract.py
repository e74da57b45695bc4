"""A deployed contract: its address and its artifact."""

from collections.abc import Iterator
from typing import Any

from eth_utils.address import to_checksum_address

from novation import artifacts
from novation.chain.client import Call, Chain
from novation.chain.codec import (
    Event,
    decode_event,
    decode_outputs,
    encode_arguments,
    event_topic,
    find,
    selector,
)
from novation.chain.logs import Log, read_logs


def encode_call(artifact: artifacts.Artifact, function: str, *values: Any) -> bytes:
    entry = find(artifact.abi, "function", function, len(values))
    return selector(entry) + encode_arguments(
        entry["inputs"], values, f"{artifact.name}.{entry['name']}"
    )


def encode_constructor(artifact: artifacts.Artifact, *values: Any) -> bytes:
    """Encoded arguments, to be put behind the creation code."""
    inputs = constructor_inputs(artifact)
    return encode_arguments(inputs, values, f"{artifact.name}'s constructor")


def constructor_inputs(artifact: artifacts.Artifact) -> list[dict[str, Any]]:
    return next((e["inputs"] for e in artifact.abi if e["type"] == "constructor"), [])


def call_to(address: str, artifact: artifacts.Artifact, function: str, *values: Any) -> Call[Any]:
    """The read, to be made by `Chain.call` or in a batch."""
    entry = find(artifact.abi, "function", function, len(values))
    label = f"{artifact.name}.{entry['name']}"
    data = encode_call(artifact, function, *values)
    return Call(address, data, lambda answer: decode_outputs(entry, answer), label)


class Contract:
    def __init__(self, chain: Chain, address: str, artifact: artifacts.Artifact | str) -> None:
        self.chain = chain
        self.address = to_checksum_address(address)
        self.artifact = artifacts.load(artifact) if isinstance(artifact, str) else artifact

    def encode(self, function: str, *values: Any) -> bytes:
        return encode_call(self.artifact, function, *values)

    def at(self, function: str, *values: Any) -> Call[Any]:
        return call_to(self.address, self.artifact, function, *values)

    def read(self, function: str, *values: Any, block: int | str = "latest") -> Any:
        return self.chain.call(self.at(function, *values), block)

    def decode_log(self, log: Log) -> Event | None:
        if (found := decode_event(self.artifact.abi, log.topics, log.data)) is None:
            return None
        name, values = found
        return Event(name, values, log.address, log.block, log.transaction, log.index)

    def events(self, names: list[str], first: int, last: int) -> Iterator[Event]:
        """Events of these names, in the order of the chain."""
        topics = [event_topic(find(self.artifact.abi, "event", name)) for name in names]
        for log in read_logs(self.chain, [self.address], [topics], first, last):
            if (event := self.decode_log(log)) is not None:
                yield event
