"""A throw-away chain: Anvil as a child process that never outlives the run.

It is stopped when the context ends, whatever ends it: the last line, an exception, Ctrl-C or
SIGTERM. On Linux the kernel kills it even when the parent itself was killed (this works for the
thread that started it, so start it from the main thread).
"""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from novation.lab.errors import AnvilError
from novation.lab.rpc import Rpc

ROOT = Path(__file__).resolve().parents[2]
PINNED = ROOT / "node_modules" / ".bin" / "anvil"
OLDEST, BEFORE = (1, 5, 0), (2, 0, 0)
START_SECONDS = 15.0
STOP_SECONDS = 3.0
BLOCK_GAS = 2_000_000_000  # a block takes all transactions of its step
KEPT_STATES = 8
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class AnvilSettings:
    """`timestamp` is the first block's; with `automine` each transaction gets a block."""

    timestamp: int | None = None
    automine: bool = True
    chain_id: int = 31337
    accounts: int = 10

    def arguments(self) -> list[str]:
        # No base fee: what a call costs is counted in gas, and nobody needs ether.
        fixed = ["--silent", "--order", "fifo", "--auto-impersonate"]
        fees = ["--base-fee", "0", "--gas-price", "0", "--gas-limit", str(BLOCK_GAS)]
        chain = ["--chain-id", str(self.chain_id), "--accounts", str(self.accounts)]
        chain += ["--prune-history", str(KEPT_STATES), "--hardfork", "prague"]
        if self.timestamp is not None:
            chain += ["--timestamp", str(self.timestamp)]
        if not self.automine:
            chain.append("--no-mining")
        return fixed + fees + chain


def find_anvil() -> Path:
    """The pinned one, else one on PATH of a version that fits."""
    if PINNED.exists():
        return PINNED
    found = shutil.which("anvil")
    if found is None:
        raise AnvilError("Anvil is missing: run `make setup`, or install Foundry")
    version = version_of(Path(found))
    if not OLDEST <= version < BEFORE:
        shown, least = (".".join(map(str, v)) for v in (version, OLDEST))
        raise AnvilError(f"{found} is version {shown}, at least {least} is needed: `make setup`")
    return Path(found)


def version_of(anvil: Path) -> tuple[int, int, int]:
    try:
        done = subprocess.run([anvil, "--version"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AnvilError(f"{anvil} does not run: {error}") from None
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", done.stdout)
    if match is None:
        raise AnvilError(f"{anvil} --version says {done.stdout.strip() or done.stderr.strip()!r}")
    return int(match[1]), int(match[2]), int(match[3])


class Anvil:
    """`with Anvil(settings) as anvil:` has `anvil.rpc`, and `anvil.url` for other clients."""

    rpc: Rpc
    url: str

    def __init__(self, settings: AnvilSettings | None = None) -> None:
        self.settings = settings or AnvilSettings()
        self.process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._before: Any = None

    def __enter__(self) -> "Anvil":
        binary = find_anvil()
        self._before = exit_on_sigterm()
        try:
            self._start(binary)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def _start(self, binary: Path) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="novation-")
        ipc, port = Path(self._folder.name) / "anvil.ipc", free_port()
        log = Path(self._folder.name) / "anvil.log"
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [binary, "--port", str(port), "--ipc", ipc, *self.settings.arguments()],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop it in order
                preexec_fn=die_with_parent(),
            )
        self.rpc = self._connect(ipc, log)
        self.url = f"http://127.0.0.1:{port}"

    def _connect(self, ipc: Path, log: Path) -> Rpc:
        assert self.process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                said = " ".join(log.read_text(errors="replace").split())[:200]
                reason = said or f"exit status {self.process.returncode}"
                raise AnvilError(f"Anvil did not start: {reason}")
            try:
                rpc = Rpc(ipc)
                rpc.call("eth_chainId")
                return rpc
            except OSError:
                time.sleep(0.01)
        raise AnvilError(f"Anvil did not answer within {START_SECONDS:g} s")

    def _stop(self) -> None:
        if hasattr(self, "rpc"):
            self.rpc.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self._folder is not None:
            self._folder.cleanup()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
            self._before = None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def exit_on_sigterm() -> Any:
    """Makes SIGTERM end the run like an exception; the handler it replaces, if it did."""
    if threading.current_thread() is not threading.main_thread():
        return None
    if signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        return None  # somebody else's handler: theirs to end the run
    return signal.signal(signal.SIGTERM, end_run)


def end_run(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
    sys.exit(128 + number)


def die_with_parent() -> Callable[[], None] | None:
    """What the child runs before Anvil: asks the kernel to kill it when this thread ends."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return ask
