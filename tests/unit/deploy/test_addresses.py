"""Addresses against published vectors."""

import pytest

from novation.deploy.addresses import create2_address, create_address


@pytest.mark.parametrize(
    ("nonce", "address"),
    [
        (0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"),
        (1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"),
        (2, "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"),
    ],
)
def test_create_address_is_that_of_anvils_first_account(nonce: int, address: str) -> None:
    assert create_address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", nonce) == address


@pytest.mark.parametrize("nonce", [0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000])
def test_create_address_encodes_nonces_as_rlp_does(nonce: int) -> None:
    rlp = pytest.importorskip("rlp")
    from eth_utils.address import to_canonical_address, to_checksum_address
    from eth_utils.crypto import keccak

    creator = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    encoded = rlp.encode([to_canonical_address(creator), nonce])
    assert create_address(creator, nonce) == to_checksum_address(keccak(encoded)[12:])


def test_create2_address_follows_eip_1014() -> None:

    from eth_utils.address import to_checksum_address
    from eth_utils.crypto import keccak

    salt, code = b"\1" * 32, b"\2\3"
    content = "ff4e59b44847b379578588920ca78fbf26c0b4956c" + salt.hex() + keccak(code).hex()
    assert create2_address(salt, code) == to_checksum_address(keccak(bytes.fromhex(content))[12:])
