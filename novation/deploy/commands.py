"""`novation deploy`, `verify` and `collect`; `ape run deploy` comes here too."""

import getpass
import sys
from pathlib import Path

from novation.artifacts import ArtifactMissing
from novation.chain import Account, Chain, Contract, KeystoreAccount, Receipt, UnlockedAccount
from novation.chain.accounts import passphrase_from
from novation.chain.collection import Core, collect
from novation.chain.errors import AccountError, ChainError, WrongChain
from novation.chain.sender import Sender
from novation.deploy import spec as specs
from novation.deploy.errors import (
    AddressUnset,
    Declined,
    NoManifest,
    NotDeployed,
    SpecError,
    VerificationFailed,
)
from novation.deploy.estimate import estimate_gas
from novation.deploy.manifest import Manifest
from novation.deploy.run import DEPLOYMENTS, Deployment, check, deploy, manifest_path, prepare
from novation.deploy.show import plan_table
from novation.deploy.spec import Spec
from novation.deploy.steps import Step
from novation.units import show_wad

BAD_INPUT = (
    SpecError,
    AccountError,
    NoManifest,
    NotDeployed,
    AddressUnset,
    WrongChain,
    ArtifactMissing,
)
LOCAL_RPC = "http://127.0.0.1:8545"
LOCAL_CLIENTS = ("anvil", "hardhat", "ganache", "ethereumjs")


class NoRpc(AccountError):
    def __init__(self, network: str) -> None:
        super().__init__(f"name a node of {network} with --rpc or NOVATION_RPC")


def exit_code(error: Exception) -> int:
    """2 for what the caller got wrong, 1 for what chain, deployment or verification refused."""
    return 2 if isinstance(error, BAD_INPUT) else 1


def find_spec(network: str | None, path: Path | None, chain_id: int | None = None) -> Spec:
    """The spec of that file, or of that network, or of that chain."""
    if path is not None:
        spec = specs.read(path)
        if network not in (None, spec.network):
            raise SpecError(str(path), [f"network: it is for {spec.network}, not {network}"])
        return spec
    folder = DEPLOYMENTS / "specs"
    if network is not None:
        return specs.read(folder / f"{network}.yaml")
    found = [s for s in map(specs.read, sorted(folder.glob("*.yaml"))) if s.chain_id == chain_id]
    if len(found) != 1:
        raise SpecError(str(folder), [f"{len(found)} specs are for chain {chain_id}; name one"])
    return found[0]


def connect(spec: Spec, rpc: str | None) -> Chain:
    if rpc is None and not spec.local:
        raise NoRpc(spec.network)
    return Chain.connect(rpc or LOCAL_RPC, spec.chain_id)


def open_account(chain: Chain, name: str | None, dry_run: bool = False) -> Account:
    """The keystore of that name; without one, what a local node holds open."""
    if name is not None:
        terminal = sys.stdin.isatty()
        ask = (lambda: getpass.getpass(f"passphrase of {name}: ")) if terminal else None
        return KeystoreAccount(name, passphrase_from(ask), locked=dry_run)
    client = str(chain.request("web3_clientVersion")).lower()
    if not client.startswith(LOCAL_CLIENTS):
        raise AccountError(f"{chain.where} is no local node; name a keystore with --account")
    return UnlockedAccount(chain)


def run_deploy(
    spec: Spec,
    chain: Chain,
    account: Account,
    *,
    folder: Path = DEPLOYMENTS,
    dry_run: bool = False,
    yes: bool = False,
) -> None:
    deployment = prepare(spec, chain, account.address, folder)
    if dry_run or not (yes or spec.local):
        gas = estimate_gas(chain, account.address, deployment.left)
        print(plan_table(deployment, gas))
        if dry_run:
            return
        agree(deployment)
    manifest, sent = deploy(deployment, account, progress)
    done = f"{len(sent)} transactions" if sent else "nothing to send"
    print(f"{spec.network}: {done}; verified against the spec")
    print(f"ClearingHouse {manifest.address('ClearingHouse')}")
    print(f"manifest {deployment.path}")


def agree(deployment: Deployment) -> None:
    if not deployment.left:
        return
    if not sys.stdin.isatty():
        raise Declined("no terminal to ask whether to send; say --yes")
    if input("Send these transactions? [y/N] ").strip().lower() not in ("y", "yes"):
        raise Declined("nothing was sent")


def progress(step: Step, receipt: Receipt) -> None:
    where = f" {step.creation.address}" if step.creation else ""
    print(f"{step.name}{where} block {receipt.block} gas {receipt.gas_used:,}", flush=True)


def run_verify(spec: Spec, chain: Chain, *, folder: Path = DEPLOYMENTS) -> None:
    if drifts := check(spec, chain, folder):
        raise VerificationFailed([str(drift) for drift in drifts])
    print(f"{spec.network}: the chain is what the spec says")


class NotCollected(ChainError):
    """Accounts that could not be touched; the rest were."""


def run_collect(
    spec: Spec, chain: Chain, account: Account | None, *, least: int, folder: Path = DEPLOYMENTS
) -> None:
    """Touches all that have lost at least `least` (WAD) since their last touch. Without an account
    it only says whom."""
    manifest = Manifest.read(manifest_path(spec, folder))
    if "Collector" not in manifest.contracts:
        raise NotDeployed(spec.network, "Collector")
    clearing, vault, collector = (
        Contract(chain, manifest.address(name), name)
        for name in ("ClearingHouse", "MarginVault", "Collector")
    )
    core = Core(clearing, vault, manifest.first_block)
    sender = Sender(chain, account) if account is not None else None
    done = collect(core, collector, sender, least)
    for change in done.touched:
        print(f"0x{change.account.hex()} {show_wad(change.collected)}")
    for receipt in done.sent:
        print(f"transaction {receipt.hash} block {receipt.block} gas {receipt.gas_used:,}")
    total = show_wad(sum(change.collected for change in done.touched))
    ratios = f"release ratio {show_wad(done.before.ratio)} -> {show_wad(done.after.ratio)}"
    print(f"{spec.network}: {len(done.touched)} accounts, {total} quote; {ratios}")
    if done.refused:
        told = (f"0x{account.hex()} is left out: {why}" for account, why in done.refused.items())
        raise NotCollected("\n".join(told))
