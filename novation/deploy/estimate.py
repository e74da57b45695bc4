"""What the steps that are left would cost, found by running them where nothing is kept.

A node with eth_simulateV1 runs them itself; otherwise Anvil forks the chain. Estimating one by one
is no use: almost every step needs the ones before it.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from novation.chain import Chain, ChainError, ContractError, NodeError, NodeUnreachable
from novation.chain.reverts import NO_REASON, decode_revert
from novation.deploy.errors import DeployError
from novation.deploy.state import explain
from novation.deploy.steps import Step

MISSING = (-32601, -32600, -32602, -32004)
"""Codes that nodes answer with to a method they do not have."""
RICH = hex(10**24)
START_SECONDS = 30


class CannotEstimate(DeployError):
    """Neither the node nor a fork of it can run the steps."""


def estimate_gas(chain: Chain, deployer: str, steps: Sequence[Step]) -> list[int]:
    """Gas of each step, run in order."""
    if not steps:
        return []
    try:
        return simulate(chain, deployer, steps)
    except NodeError as error:
        if error.code not in MISSING:
            raise
    except ContractError as error:
        if error.name != NO_REASON or not can_fork(chain):
            raise
    with forked(chain) as fork:
        return rehearse(fork, deployer, steps)


def transaction(deployer: str, step: Step) -> dict[str, str]:
    sent = {"from": deployer, "data": "0x" + step.data.hex()}
    return sent if step.to is None else {**sent, "to": step.to}


def simulate(chain: Chain, deployer: str, steps: Sequence[Step]) -> list[int]:
    blocks: list[dict[str, Any]] = [{"calls": [transaction(deployer, step)]} for step in steps]
    blocks[0]["stateOverrides"] = {deployer: {"balance": RICH}}
    options = {"blockStateCalls": blocks, "validation": False}
    answer = chain.request("eth_simulateV1", options, "latest")
    gas = []
    for step, block in zip(steps, answer, strict=True):
        (made,) = block["calls"]
        if int(made["status"], 16) != 1:
            data = (made.get("error") or {}).get("data") or made.get("returnData") or "0x"
            raise decode_revert(bytes.fromhex(data[2:]), step.name)
        gas.append(int(made["gasUsed"], 16))
    return gas


def rehearse(fork: Chain, deployer: str, steps: Sequence[Step]) -> list[int]:
    fork.request("anvil_impersonateAccount", deployer)
    fork.request("anvil_setBalance", deployer, RICH)
    now = int(fork.block()["timestamp"], 16)
    gas = []
    for step in steps:
        now += 1  # Anvil's clock is this machine's: feeds must be as old as they are on the chain
        fork.request("evm_setNextBlockTimestamp", now)
        sent = transaction(deployer, step)
        try:
            digest = fork.request("eth_sendTransaction", sent)
            receipt = None
            while receipt is None:
                receipt = fork.request("eth_getTransactionReceipt", digest)
            if int(receipt["status"], 16) != 1:
                fork.request("eth_call", sent, "latest")
                raise ContractError(NO_REASON, {})
        except ContractError as error:
            named = ContractError(error.name, error.arguments, step.name)
            raise explain(fork, deployer, step, named) from None
        gas.append(int(receipt["gasUsed"], 16))
    return gas


def find_anvil() -> str | None:
    beside = Path(__file__).resolve().parents[2] / "node_modules" / ".bin"
    return shutil.which("anvil", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")


def can_fork(chain: Chain) -> bool:
    return find_anvil() is not None and chain.url is not None


@contextlib.contextmanager
def forked(chain: Chain) -> Iterator[Chain]:
    """An Anvil of our own on a fork of the chain, gone afterwards."""
    anvil = find_anvil()
    if anvil is None or chain.url is None:
        raise CannotEstimate(
            f"{chain.where} has no eth_simulateV1, and there is no anvil to fork it with"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [anvil, "--silent", "--port", str(port), "--fork-url", chain.url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield connect_to(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait()


def connect_to(process: "subprocess.Popen[bytes]", url: str) -> Chain:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return Chain.connect(url)
        except NodeUnreachable:
            if process.poll() is not None or time.monotonic() > deadline:
                raise CannotEstimate("anvil could not fork the chain") from None
            time.sleep(0.1)
        except ChainError as error:
            raise CannotEstimate(f"anvil could not fork the chain: {error}") from None
