"""A private Anvil for tests that need no deployed protocol: deploy, send, and set the clock."""

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rlp import encode
from web3 import HTTPProvider

from novation import artifacts
from novation.chain.client import Chain
from novation.chain.contract import Contract, encode_constructor
from novation.chain.errors import NodeUnreachable

ROOT = Path(__file__).resolve().parent.parent
ANVIL = ROOT / "node_modules" / ".bin" / "anvil"
START_SECONDS = 20
BLOCK_GAS = 100_000_000
TRANSACTION_GAS = 30_000_000
Artifact = artifacts.Artifact | str

PATIENCE = 60
"""Seconds until a transaction without a receipt is given up."""


class LocalChain(Chain):
    """Blocks are mined by each transaction, at the time that was set or a second later."""

    accounts: list[str]

    def deploy(self, artifact: Artifact, *values: Any, sender: str | None = None) -> Contract:
        made = artifacts.load(artifact) if isinstance(artifact, str) else artifact
        data = made.bytecode + encode_constructor(made, *values)
        receipt = self.transact({"data": "0x" + data.hex()}, sender)
        return Contract(self, receipt["contractAddress"], made)

    def send(
        self, contract: Contract, function: str, *values: Any, sender: str | None = None
    ) -> dict[str, Any]:
        """The receipt; raises the contract's error when it reverts."""
        data = "0x" + contract.encode(function, *values).hex()
        return self.transact({"to": contract.address, "data": data}, sender)

    def transact(self, tx: dict[str, Any], sender: str | None = None) -> dict[str, Any]:
        tx = {"from": sender or self.accounts[0], "gas": hex(TRANSACTION_GAS), **tx}
        tx_hash = self.request("eth_sendTransaction", tx)
        receipt = self.receipt_of(tx_hash)
        if int(receipt["status"], 16) == 0:
            # No estimate before, it would double the time: the reason is asked for afterwards.
            block = int(receipt["blockNumber"], 16)
            self.request("eth_call", tx, hex(block - 1))
            raise AssertionError(f"{tx_hash} failed in its block, but not when asked again")
        return dict(receipt)

    def receipt_of(self, tx_hash: str) -> dict[str, Any]:
        """When it is there: Anvil answers before it has mined."""
        began = time.monotonic()
        while (receipt := self.request("eth_getTransactionReceipt", tx_hash)) is None:
            time.sleep(0.001)
            if time.monotonic() - began > PATIENCE:
                raise AssertionError(f"{tx_hash} was not mined in {PATIENCE} s")
        return dict(receipt)

    def gas(self, receipt: dict[str, Any]) -> int:
        return int(receipt["gasUsed"], 16)

    @property
    def now(self) -> int:
        """Time of the latest block, at which reads are made."""
        return int(self.block()["timestamp"], 16)

    def next_at(self, timestamp: int) -> None:
        """Dates the next block."""
        self.request("evm_setNextBlockTimestamp", timestamp)

    def mine_at(self, timestamp: int) -> None:
        self.next_at(timestamp)
        self.request("evm_mine")

    def advance(self, seconds: int) -> None:
        self.mine_at(self.now + seconds)

    @contextmanager
    def isolated(self) -> Iterator[None]:
        snapshot = self.request("evm_snapshot")
        try:
            yield
        finally:
            self.request("evm_revert", snapshot)

    def next_address(self, sender: str, ahead: int = 0) -> str:
        """Where the contract of the sender's next transaction but `ahead` will be."""
        nonce = self.nonce(sender) + ahead
        return to_checksum_address(keccak(encode([bytes.fromhex(sender[2:]), nonce]))[12:])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def local_chain(*options: str) -> Iterator[LocalChain]:
    """Starts Anvil on a free port and stops it at the end, whatever happens."""
    port = free_port()
    command = [str(ANVIL), "--port", str(port), "--silent", "--block-base-fee-per-gas", "0"]
    command += ["--gas-limit", str(BLOCK_GAS), "--order", "fifo", "--hardfork", "cancun", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        chain = _connect(process, f"http://127.0.0.1:{port}")
        chain.accounts = [to_checksum_address(a) for a in chain.request("eth_accounts")]
        chain.request("anvil_setBlockTimestampInterval", 1)
        yield chain
    finally:
        process.terminate()
        process.wait()


def _connect(process: subprocess.Popen[bytes], url: str) -> LocalChain:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return LocalChain(HTTPProvider(url, request_kwargs={"timeout": 30}), url)
        except NodeUnreachable:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
