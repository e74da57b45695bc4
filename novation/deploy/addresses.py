"""Addresses that are known before anything is deployed."""

from eth_utils.address import to_canonical_address, to_checksum_address
from eth_utils.crypto import keccak

CREATE2_DEPLOYER = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
"""Arachnid's deterministic deployment proxy: calldata is a salt, then creation code."""


def salt_of(deployment: str, name: str) -> bytes:
    return keccak(text=f"{deployment}/{name}")


def create2_address(salt: bytes, init_code: bytes) -> str:
    deployer = to_canonical_address(CREATE2_DEPLOYER)
    return to_checksum_address(keccak(b"\xff" + deployer + salt + keccak(init_code))[12:])


def create_address(creator: str, nonce: int) -> str:
    digits = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    item = digits if 0 < nonce < 0x80 else bytes([0x80 + len(digits)]) + digits
    content = b"\x94" + to_canonical_address(creator) + item  # RLP of [creator, nonce]
    return to_checksum_address(keccak(bytes([0xC0 + len(content)]) + content)[12:])
