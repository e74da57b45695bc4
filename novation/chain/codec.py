"""Turns Python values into calldata and back, by the ABI alone.

A struct is given as a mapping or an object by the names of its fields, so that the order in
Solidity may change; it comes back as a named tuple.
"""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.address import is_address, to_checksum_address
from eth_utils.crypto import keccak

from novation.chain.errors import BadCall

Abi = list[dict[str, Any]]


def type_of(parameter: dict[str, Any]) -> str:
    """Canonical type, structs as tuples: `(address,uint256)[]`."""
    kind: str = parameter["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(type_of(component) for component in parameter["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


def signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(type_of(p) for p in entry['inputs'])})"


def selector(entry: dict[str, Any]) -> bytes:
    return keccak(text=signature(entry))[:4]


def find(abi: Abi, kind: str, name: str, count: int | None = None) -> dict[str, Any]:
    """The function, event or error of that name, or of that signature where it is overloaded."""
    same = [e for e in abi if e["type"] == kind and e["name"] == name.partition("(")[0]]
    if "(" in name:
        same = [e for e in same if signature(e) == name]
    if count is not None and len(same) > 1:
        same = [e for e in same if len(e["inputs"]) == count]
    if len(same) != 1:
        raise BadCall(f"the ABI has {len(same) or 'no'} {kind}s {name}")
    return same[0]


def to_abi(parameter: dict[str, Any], value: Any, path: str) -> Any:
    """The value as eth_abi wants it."""
    kind: str = parameter["type"]
    if kind.endswith("]"):
        item = {**parameter, "type": kind[: kind.rindex("[")]}
        return [to_abi(item, v, f"{path}[{i}]") for i, v in enumerate(value)]
    if kind == "tuple":
        fields = parameter["components"]
        return tuple(
            to_abi(c, field_of(value, c, fields, path), f"{path}.{c['name']}") for c in fields
        )
    if kind == "address" and not is_address(value):
        raise BadCall(f"{path}: {value!r} is not an address")
    if isinstance(value, str) and kind.startswith("bytes"):
        return bytes.fromhex(value.removeprefix("0x"))
    if isinstance(value, float) or (isinstance(value, bool) and kind != "bool"):
        raise BadCall(f"{path}: {value!r} is not a {kind}")
    return value


def field_of(value: Any, field: dict[str, Any], fields: Sequence[Any], path: str) -> Any:
    name = field["name"]
    if isinstance(value, Mapping):
        if unknown := value.keys() - {f["name"] for f in fields}:
            raise BadCall(f"{path}: the struct has no field {sorted(unknown)[0]}")
        if name not in value:
            raise BadCall(f"{path}: the struct's field {name} is missing")
        return value[name]
    if isinstance(value, Sequence) and not hasattr(value, "_fields"):
        if len(value) != len(fields):
            raise BadCall(f"{path}: {len(value)} values for {len(fields)} fields")
        return value[list(fields).index(field)]
    try:
        return getattr(value, name)
    except AttributeError:
        raise BadCall(f"{path}: the struct's field {name} is missing") from None


def encode_arguments(inputs: Sequence[dict[str, Any]], values: Sequence[Any], what: str) -> bytes:
    if len(inputs) != len(values):
        raise BadCall(f"{what} takes {len(inputs)} arguments, not {len(values)}")
    pairs = zip(inputs, values, strict=True)
    plain = [to_abi(p, v, f"{what}: {p['name'] or p['type']}") for p, v in pairs]
    try:
        return encode([type_of(p) for p in inputs], plain)
    except (EncodingError, OverflowError, TypeError, ValueError) as error:
        raise BadCall(f"{what}: {error}") from None


@cache
def record(name: str, fields: tuple[str, ...]) -> Any:
    return namedtuple(name, fields, rename=True)


def from_abi(parameter: dict[str, Any], value: Any) -> Any:
    kind: str = parameter["type"]
    if kind.endswith("]"):
        item = {**parameter, "type": kind[: kind.rindex("[")]}
        return [from_abi(item, v) for v in value]
    if kind == "tuple":
        fields = parameter["components"]
        told = parameter.get("internalType", "struct Struct").partition("[")[0]
        name = told.split(" ")[-1].split(".")[-1]
        made = record(name, tuple(f["name"] for f in fields))
        return made(*(from_abi(f, v) for f, v in zip(fields, value, strict=True)))
    return to_checksum_address(value) if kind == "address" else value


def decode_values(parameters: Sequence[dict[str, Any]], data: bytes, what: str) -> list[Any]:
    try:
        values = decode([type_of(p) for p in parameters], data)
    except (DecodingError, OverflowError) as error:
        raise BadCall(f"{what}: the answer does not fit the ABI ({error})") from None
    return [from_abi(p, v) for p, v in zip(parameters, values, strict=True)]


def decode_outputs(entry: dict[str, Any], data: bytes) -> Any:
    """One output as itself, several as a named tuple, none as None."""
    outputs = entry["outputs"]
    what = signature(entry)
    if outputs and not data:
        raise BadCall(f"{what}: no answer; there is no such contract at the address")
    values = decode_values(outputs, data, what)
    if len(values) < 2:
        return values[0] if values else None
    return record(entry["name"], tuple(o["name"] for o in outputs))(*values)


@dataclass(frozen=True)
class Event:
    """A log, decoded by the ABI of the contract that emitted it."""

    name: str
    values: dict[str, Any]
    address: str
    block: int
    transaction: str
    index: int


def event_topic(entry: dict[str, Any]) -> str:
    return "0x" + keccak(text=signature(entry)).hex()


def decode_event(
    abi: Abi, topics: Sequence[bytes], data: bytes
) -> tuple[str, dict[str, Any]] | None:
    """Name and values of an event of the ABI; None when it is not one of its events."""
    for entry in abi:
        if entry["type"] != "event" or entry.get("anonymous") or not topics:
            continue
        if topics[0] != keccak(text=signature(entry)):
            continue
        indexed = [p for p in entry["inputs"] if p["indexed"]]
        if len(indexed) != len(topics) - 1:
            continue
        plain = [p for p in entry["inputs"] if not p["indexed"]]
        values = dict(
            zip((p["name"] for p in plain), decode_values(plain, data, entry["name"]), strict=True)
        )
        for parameter, topic in zip(indexed, topics[1:], strict=True):
            hashed = parameter["type"] in ("string", "bytes") or parameter["type"][-1] == "]"
            known = topic if hashed or parameter["type"] == "tuple" else None
            values[parameter["name"]] = known or decode_values([parameter], topic, entry["name"])[0]
        return entry["name"], {p["name"]: values[p["name"]] for p in entry["inputs"]}
    return None
