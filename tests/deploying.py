"""Deploying in tests: specs for an Anvil, and a run from plan to manifest."""

import json
import re
from pathlib import Path

from eth_account import Account as EthAccount

from novation.chain import Chain, UnlockedAccount
from novation.deploy import Manifest, Spec, check, deploy, prepare
from novation.deploy.spec import parse
from tests.local_chain import LocalChain

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "deployments" / "specs"
LOCAL = SPECS / "local.yaml"
ZERO = "0x" + "00" * 20
KEY = "0x" + "11" * 32
DAY = 86_400


def run(spec: Spec, chain: Chain, folder: Path) -> tuple[Manifest, list[str]]:
    account = UnlockedAccount(chain)
    return deploy(prepare(spec, chain, account.address, folder), account)


def drifts(spec: Spec, chain: Chain, folder: Path) -> list[str]:
    return [str(drift) for drift in check(spec, chain, folder)]


def guarded(admin: str) -> Spec:
    """The local spec, handed over to an admin who waits, as on a live network."""
    text = LOCAL.read_text(encoding="utf-8")
    for role, days in (("admin", 7), ("risk", 2), ("listing", 2)):
        old = f"{role}: {{members: [deployer], delay: 0 s}}"
        assert old in text
        text = text.replace(old, f'{role}: {{members: ["{admin}"], delay: {days} d}}')
    return parse(text, "guarded")


def public_text() -> str:
    """Mainnet's spec under this chain's number: its tokens and feeds are others' contracts."""
    text = (SPECS / "mainnet.yaml").read_text(encoding="utf-8")
    return text.replace("chain_id: 1\n", "chain_id: 31337\n")


def stand_ins(text: str, chain: LocalChain, swapped: bool = False) -> str:
    """The spec with tokens and feeds of this chain in place of the public ones."""
    pairs = ["ETH / USD", "BTC / USD"]
    made: dict[str, str] = {}
    for pair, said in zip(pairs, reversed(pairs) if swapped else pairs, strict=True):
        flux = chain.deploy("FluxAggregator", ZERO, 0, 0, ZERO, 1, 10**16, 8, said)
        one = [chain.accounts[0]]
        chain.send(flux, "changeOracles", [], one, one, 1, 1, 0)
        chain.send(flux, "submit", 1, 2_500 * 10**8)
        made[pair] = chain.deploy("EACAggregatorProxy", flux.address, ZERO).address
    for symbol, decimals in (("USDC", 6), ("WETH", 18), ("WBTC", 8)):
        made[symbol] = chain.deploy("MockToken", symbol, symbol, decimals).address
    for name, address in made.items():
        text = re.sub(rf'(  {name}: .*address: )"0x\w+"', rf'\1"{address}"', text)
    return text


def held_by(text: str, admin: str) -> str:
    """The spec with every unset address set."""
    return text.replace("[unset]", f'["{admin}"]').replace("unset", f'"{admin}"')


def write_keystore(folder: Path) -> None:
    """As `ape accounts import deployer` leaves it, with the passphrase "right"."""
    (folder / "accounts").mkdir()
    stored = EthAccount.encrypt(KEY, "right", kdf="pbkdf2", iterations=10)
    (folder / "accounts" / "deployer.json").write_text(json.dumps(stored))
