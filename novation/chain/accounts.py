"""Who signs: a keystore file that `ape accounts` made, or an account that a local node holds open.

A key exists here only between the passphrase and the signature; no file or argument holds one.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from eth_account import Account as EthAccount
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address

from novation.chain.client import Chain
from novation.chain.errors import AccountError

PASSPHRASE = "NOVATION_PASSPHRASE"
Transaction = dict[str, Any]


class Account(Protocol):
    """Signs transactions, or has the node sign them."""

    @property
    def address(self) -> str: ...

    def sign(self, transaction: Transaction) -> tuple[bytes, str] | None:
        """The signed transaction and its hash; None when the node signs."""


class UnlockedAccount:
    """An account whose key the node holds: only local chains have such."""

    def __init__(self, chain: Chain, address: str | None = None) -> None:
        held = [to_checksum_address(a) for a in chain.request("eth_accounts") or []]
        if not held:
            raise AccountError(f"{chain.where} holds no accounts; name a keystore with --account")
        self.address = to_checksum_address(address) if address else held[0]
        if self.address not in held:
            raise AccountError(f"{chain.where} does not hold the account {self.address}")

    def sign(self, transaction: Transaction) -> None:  # noqa: ARG002 -- the node will sign it
        return None


class KeystoreAccount:
    """A keystore file, decrypted for as long as this object lives."""

    def __init__(self, name: str, passphrase: Callable[[], str], locked: bool = False) -> None:
        """With `locked` the passphrase is asked for when something is to be signed."""
        self.name = name
        self._passphrase = passphrase
        self._signer: LocalAccount | None = None
        self._keystore = self._read()
        known = self._keystore.get("address")
        if known is None or not locked:
            known = self._unlocked().address
        self.address = str(to_checksum_address(known))

    def _read(self) -> dict[str, Any]:
        path = keystore_folder() / f"{self.name}.json"
        try:
            found = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            known = ", ".join(sorted(p.stem for p in path.parent.glob("*.json"))) or "none"
            raise AccountError(
                f"no account {self.name} in {path.parent} (there: {known}); make one with "
                f"`ape accounts generate {self.name}` or `ape accounts import {self.name}`"
            ) from None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise AccountError(f"account {self.name}: {path} is not a keystore")
        return found

    def _unlocked(self) -> LocalAccount:
        if self._signer is None:
            try:
                key = EthAccount.decrypt(self._keystore, self._passphrase())
            except (ValueError, KeyError, TypeError, NotImplementedError) as error:
                wrong = "MAC" in str(error)
                why = "the passphrase is wrong" if wrong else f"not a keystore ({error})"
                raise AccountError(f"account {self.name}: {why}") from None
            self._signer = EthAccount.from_key(key)
        return self._signer

    def sign(self, transaction: Transaction) -> tuple[bytes, str]:
        signed = self._unlocked().sign_transaction(transaction)
        return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()


def keystore_folder() -> Path:
    """Where ape keeps its accounts."""
    home = os.environ.get("APE_DATA_FOLDER")
    return (Path(home) if home else Path.home() / ".ape") / "accounts"


def passphrase_from(prompt: Callable[[], str] | None) -> Callable[[], str]:
    """The environment's passphrase, else what the prompt returns."""

    def ask() -> str:
        if (given := os.environ.get(PASSPHRASE)) is not None:
            return given
        if prompt is None:
            raise AccountError(f"no terminal to ask for the passphrase; set {PASSPHRASE}")
        return prompt()

    return ask
