"""Which venue may fill in which market: state of the clearing house without a view."""

from typing import Any

from eth_utils.crypto import keccak

from novation import artifacts
from novation.chain import Call
from novation.deploy.steps import Fact


def venue_fact(clearing: str, venue: str, market: int, name: str) -> Fact:
    """The clearing house keeps the market's number plus one, so that 0 is no venue."""
    slot, offset, size = place_of("ClearingHouse", "venues", "marketPlusOne", venue)

    def decode(word: bytes) -> int:
        return int.from_bytes(word, "big") >> (8 * offset) & ((1 << 8 * size) - 1)

    what = f"ClearingHouse: market of the venue {name}, plus one"
    read: Call[Any] = Call(clearing, b"", decode, what, slot)
    return Fact(what, read, market + 1)


def place_of(contract: str, mapping: str, member: str, key: str) -> tuple[int, int, int]:
    """Slot, offset and size in bytes of a member of a mapping's struct, for an address as key."""
    layout = artifacts.load(contract).storage_layout
    (entry,) = (e for e in layout["storage"] if e["label"] == mapping)
    types = layout["types"]
    value = types[types[entry["type"]]["value"]]
    (field,) = (m for m in value["members"] if m["label"] == member)
    base = keccak(bytes.fromhex(key[2:]).rjust(32, b"\0") + int(entry["slot"]).to_bytes(32, "big"))
    size = int(types[field["type"]]["numberOfBytes"])
    return int.from_bytes(base, "big") + int(field["slot"]), field["offset"], size
