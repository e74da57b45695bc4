"""Anvil never outlives the run, however the run ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from novation.lab import anvil
from novation.lab.anvil import Anvil, AnvilSettings
from novation.lab.errors import AnvilError, RpcError

START = 1_583_971_200
HOLDER = """
import sys, time
from novation.lab.anvil import Anvil
with Anvil() as chain:
    print(chain.process.pid, flush=True)
    try:
        time.sleep(60)
    finally:
        print("left", flush=True)
"""


def gone(pid: int, seconds: float = 5) -> bool:
    """Whether the process has ended (a zombie has)."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_chain_answers_and_begins_at_the_time_asked_for():
    with Anvil(AnvilSettings(timestamp=START, automine=False)) as chain:
        assert chain.rpc.call("eth_chainId") == hex(31337)
        first = chain.rpc.call("eth_getBlockByNumber", "latest", False)
        assert int(first["timestamp"], 16) == START
        pid = chain.process.pid
    assert gone(pid)


def test_two_chains_stand_side_by_side():
    with Anvil() as first, Anvil() as second:
        assert first.url != second.url
        first.rpc.call("evm_mine")
        assert second.rpc.call("eth_blockNumber") == "0x0"


def test_exception_leaves_no_process():
    chain = Anvil()

    def fail():
        with chain:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert gone(chain.process.pid)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("number", "said"),
    [(signal.SIGINT, "left"), (signal.SIGTERM, "left"), (signal.SIGKILL, "")],
)
def test_signal_to_the_run_leaves_no_process(number, said):
    environment = os.environ | {"PYTHONPATH": str(anvil.ROOT)}
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    pid = int(holder.stdout.readline())
    assert not gone(pid, 0.1)
    holder.send_signal(number)
    rest, _ = holder.communicate(timeout=20)
    assert rest.strip() == said
    assert gone(pid)


def test_refused_request_says_which():
    with Anvil() as chain, pytest.raises(RpcError, match="eth_nonsense"):
        chain.rpc.call("eth_nonsense")


def test_batches_of_any_size_come_back_in_order():
    holders = [f"0x{i + 1:040x}" for i in range(700)]
    with Anvil() as chain:
        chain.rpc.batch(
            [("anvil_setBalance", [holder, hex(i)]) for i, holder in enumerate(holders)]
        )
        balances = chain.rpc.batch([("eth_getBalance", [holder, "latest"]) for holder in holders])
    assert [int(balance, 16) for balance in balances] == list(range(700))


def test_missing_anvil_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(anvil, "PINNED", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AnvilError, match="make setup"), Anvil():
        pass


@pytest.mark.parametrize(("version", "fits"), [("1.7.1", True), ("0.2.0", False), ("2.0.0", False)])
def test_anvil_on_path_must_fit(monkeypatch, tmp_path, version, fits):
    script = tmp_path / "anvil"
    script.write_text(f"#!/bin/sh\necho 'anvil Version: {version}-stable'\n")
    script.chmod(0o755)
    monkeypatch.setattr(anvil, "PINNED", tmp_path / "none")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    if fits:
        assert anvil.find_anvil() == script
    else:
        with pytest.raises(AnvilError, match=version):
            anvil.find_anvil()


def test_anvil_that_dies_at_once_is_told_with_its_words(monkeypatch, tmp_path):
    script = tmp_path / "anvil"
    script.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 2\n")
    script.chmod(0o755)
    monkeypatch.setattr(anvil, "PINNED", script)
    with pytest.raises(AnvilError, match="no such option"), Anvil():
        pass
