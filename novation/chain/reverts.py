"""Names what a contract reverted with: Solidity's own two errors, and every error of our ABIs."""

import json
from functools import cache
from typing import Any

from eth_utils.crypto import keccak

from novation import artifacts
from novation.chain.codec import decode_values, selector
from novation.chain.errors import BadCall, ContractError

ERROR = keccak(text="Error(string)")[:4]
PANIC = keccak(text="Panic(uint256)")[:4]
NO_REASON = "reverted without a reason"
PANICS = {
    0x01: "assertion failed",
    0x11: "arithmetic overflow",
    0x12: "division by zero",
    0x21: "not a value of the enum",
    0x31: "pop of an empty array",
    0x32: "index out of bounds",
    0x41: "too much memory",
}


@cache
def known_errors() -> dict[bytes, dict[str, Any]]:
    """ABI entry by selector, over all artifacts."""
    found: dict[bytes, dict[str, Any]] = {}
    for path in sorted(artifacts.FOLDER.glob("*.json")):
        for entry in json.loads(path.read_text(encoding="utf-8"))["abi"]:
            if entry["type"] == "error":
                found.setdefault(selector(entry), entry)
    return found


def decode_revert(data: bytes, during: str = "") -> ContractError:
    head, body = data[:4], data[4:]
    if not data:
        return ContractError(NO_REASON, {}, during)
    try:
        if head == ERROR:
            (reason,) = decode_values([{"type": "string"}], body, "Error")
            return ContractError("Error", {"reason": reason}, during)
        if head == PANIC:
            (code,) = decode_values([{"type": "uint256"}], body, "Panic")
            return ContractError("Panic", {"code": PANICS.get(code, hex(code))}, during)
        if entry := known_errors().get(head):
            values = decode_values(entry["inputs"], body, entry["name"])
            names = [p["name"] or str(i) for i, p in enumerate(entry["inputs"])]
            return ContractError(entry["name"], dict(zip(names, values, strict=True)), during)
    except BadCall:
        pass  # a selector we know before data that we do not
    return ContractError("unknown error", {"data": data}, during)


def revert_data(error: dict[str, Any]) -> bytes | None:
    """What the contract reverted with, from a node's error; nodes put it in different places."""
    data = error.get("data")
    while isinstance(data, dict):
        data = data.get("data") or data.get("result") or data.get("originalError")
    if isinstance(data, str):
        text = data.removeprefix("Reverted ").strip()
        if text.startswith("0x"):
            try:
                return bytes.fromhex(text[2:])
            except ValueError:
                return None
    message = str(error.get("message", ""))
    return b"" if error.get("code") == 3 or "revert" in message.lower() else None
