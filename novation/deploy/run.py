"""Deploying and verifying, from a spec to a manifest: what the commands and the lab call."""

import hashlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from eth_utils.crypto import keccak

from novation import artifacts
from novation.chain import Account, Chain, Receipt, Sender
from novation.deploy.addresses import create_address
from novation.deploy.apply import Run, first_block, recover
from novation.deploy.errors import AddressUnset, NotBuilt, OtherDeployment, VerificationFailed
from novation.deploy.fields import UNSET
from novation.deploy.files import alone_in, read_json
from novation.deploy.journal import Journal
from novation.deploy.manifest import Entry, Manifest, Sent, as_text
from novation.deploy.plan import make_plan, own_creations
from novation.deploy.spec import Spec
from novation.deploy.state import check_outside, done_steps
from novation.deploy.steps import Drift, How, Plan, Step
from novation.deploy.verify import masked, verify

ROOT = Path(__file__).resolve().parents[2]
DEPLOYMENTS = ROOT / "deployments"


@dataclass
class Deployment:
    """A plan against a chain: what is done, what is left."""

    spec: Spec
    chain: Chain
    deployer: str
    folder: Path
    journal: Journal
    manifest: Manifest | None
    """Of this very chain; None before the first deployment."""
    plan: Plan
    done: set[str]

    @property
    def left(self) -> list[Step]:
        return [step for step in self.plan.steps if step.name not in self.done]

    @property
    def path(self) -> Path:
        return manifest_path(self.spec, self.folder)


def manifest_path(spec: Spec, folder: Path) -> Path:
    return folder / f"{spec.network}.json"


def prepare(spec: Spec, chain: Chain, deployer: str, folder: Path = DEPLOYMENTS) -> Deployment:
    """Reads where a deployment stands. Sends and writes nothing."""
    path = manifest_path(spec, folder)
    genesis = str(chain.block(0)["hash"])
    journal = Journal.open(path.with_suffix(".journal.json"), genesis, deployer)
    manifest = Manifest.find(path)
    if manifest is not None and manifest.genesis != genesis:
        manifest = None  # of a chain that is no more
    given = standing(spec, chain, manifest)
    nonces = reserve(spec, chain, deployer, journal, given)
    plan = make_plan(spec, deployer, nonces, given)
    if manifest is not None and not spec.local:
        refuse_another(plan, manifest, path)
    check_outside(chain, plan)
    done = done_steps(chain, plan)
    refuse_stale(chain, plan, done)
    return Deployment(spec, chain, deployer, folder, journal, manifest, plan, done)


def standing(spec: Spec, chain: Chain, manifest: Manifest | None) -> dict[str, str]:
    """The deployer's own creations of an earlier deployment, where they still have code."""
    if manifest is None:
        return {}
    known = {
        n: manifest.contracts[n].address for n in own_creations(spec) if n in manifest.contracts
    }
    codes = chain.codes(list(known.values()))
    return {name: known[name] for name, code in zip(known, codes, strict=True) if code}


def reserve(
    spec: Spec, chain: Chain, deployer: str, journal: Journal, given: Mapping[str, str]
) -> dict[str, int]:
    """Nonces for the deployer's own creations: those of the journal while they can be had."""
    count = chain.nonce(deployer)  # read first: what is mined meanwhile has code below
    nonces = {n: journal.reserved[n] for n in own_creations(spec) if n in journal.reserved}
    codes = chain.codes([create_address(deployer, nonce) for nonce in nonces.values()])
    nonces = {name: nonces[name] for name, code in zip(nonces, codes, strict=True) if code}
    missing = [n for n in own_creations(spec) if n not in nonces and n not in given]
    return nonces | {name: count + i for i, name in enumerate(missing)}


def refuse_another(plan: Plan, manifest: Manifest, path: Path) -> None:
    """A changed spec or source would silently make a second venue beside the first."""
    for step in plan.steps:
        entry = manifest.contracts.get(step.name)
        made = step.creation
        if made is not None and (entry is None or entry.address != made.address):
            there = entry.address if entry else "none"
            raise OtherDeployment(
                f"{path.name} has another deployment: {step.name} is {there} there and would be "
                f"{made.address} by this spec and these sources. Parameters and markets of a "
                f"venue that stands are changed through its AccessManager. To deploy a second "
                f"one, choose another salt and move the manifest away"
            )


def refuse_stale(chain: Chain, plan: Plan, done: set[str]) -> None:
    """CREATE addresses stay the same when the code changes: what stands there must be ours."""
    for step in plan.steps:
        made = step.creation
        if made is not None and made.how is How.FACTORY and step.name in done:
            artifact = artifacts.load(made.contract)
            if masked(chain.code(made.address), artifact) != artifact.deployed_bytecode:
                raise OtherDeployment(
                    f"{step.name} at {made.address} was made from other sources than these; "
                    f"choose another salt in the spec, or begin with a new local chain"
                )


def deploy(
    deployment: Deployment,
    account: Account,
    progress: Callable[[Step, Receipt], None] = lambda _step, _receipt: None,
    timeout: float = 600,
) -> tuple[Manifest, list[str]]:
    """Sends what is left, verifies, writes the manifest. Returns it and the steps sent."""
    if not deployment.spec.local:
        refuse_unset(deployment.spec)
        refuse_unbuilt()
    with alone_in(deployment.folder):
        return finish(deployment, account, progress, timeout)


def finish(
    deployment: Deployment,
    account: Account,
    progress: Callable[[Step, Receipt], None],
    timeout: float,
) -> tuple[Manifest, list[str]]:
    chain, journal, plan = deployment.chain, deployment.journal, deployment.plan
    run = Run(chain, Sender(chain, account, timeout), plan, journal, progress)
    if deployment.left:
        creations = {s.name: s.creation for s in plan.steps if s.creation is not None}
        own = {n: c.nonce for n, c in creations.items() if c.how is How.CREATE}
        journal.reserved = {n: nonce for n, nonce in own.items() if nonce is not None}
        journal.save()
    sent = run.finish()
    manifest = deployment.manifest
    if sent or manifest is None or not same_addresses(plan, manifest):
        recover(chain, journal)
        manifest = record(deployment)
    if drifts := verify(chain, plan, manifest):
        raise VerificationFailed([str(drift) for drift in drifts])
    manifest.write(deployment.path)
    journal.remove()
    return manifest, sent


def refuse_unset(spec: Spec) -> None:
    if spec.treasury.owner == UNSET:
        raise AddressUnset(spec.network, "treasury.owner")
    for role, given in spec.roles:
        if UNSET in given.members:
            raise AddressUnset(spec.network, f"roles.{role}.members")


def refuse_unbuilt() -> None:
    """Compiled contracts of other sources would be recorded under this commit."""
    module = importlib.util.spec_from_file_location("build", ROOT / "scripts" / "build.py")
    assert module is not None
    assert module.loader is not None
    build = importlib.util.module_from_spec(module)
    sys.modules[module.name] = build  # its dataclasses look their module up
    module.loader.exec_module(build)
    made = read_json(build.KEYS) or {}
    if stale := [u.name for u in build.units() if made.get(u.name, {}).get("key") != u.key]:
        raise NotBuilt(f"{stale[0]} was changed after it was compiled: run `make build`")


def same_addresses(plan: Plan, manifest: Manifest) -> bool:
    made = {s.name: s.creation.address for s in plan.steps if s.creation is not None}
    return made == {name: entry.address for name, entry in manifest.contracts.items()}


def record(deployment: Deployment) -> Manifest:
    """The manifest as the chain and the journal have it."""
    chain, plan, entries = deployment.chain, deployment.plan, deployment.journal.entries
    made = {s.name: s.creation for s in plan.steps if s.creation is not None}
    codes = chain.codes([creation.address for creation in made.values()])
    contracts = {}
    for (name, creation), code in zip(made.items(), codes, strict=True):
        entry = entries.get(name)
        contracts[name] = Entry(
            contract=creation.contract,
            address=creation.address,
            created=creation.how.value,
            salt="0x" + creation.salt.hex() if creation.salt else None,
            arguments=as_text(creation.arguments),
            code_hash="0x" + keccak(code).hex(),
            block=entry.block if entry else None,
            transaction=entry.hash if entry else None,
        )
    blocks = [entry.block for entry in entries.values() if entry.block is not None]
    if not blocks:  # the journal was lost: when did the first contract of ours appear?
        factory = made["CoreFactory"].address
        blocks = [first_block(chain, lambda b: bool(chain.code(factory, b))) or 0]
        blocks.append(chain.block_number())
    return Manifest(
        network=plan.network,
        chain_id=plan.chain_id,
        genesis=deployment.journal.chain,
        deployer=plan.deployer,
        first_block=min(blocks),
        block=max(blocks),
        commit=commit(),
        compiler=compiler(),
        spec=hashlib.sha256(deployment.spec.model_dump_json().encode()).hexdigest(),
        contracts=contracts,
        external=plan.external,
        transactions=[
            Sent(step=name, hash=entry.hash, block=entry.block, gas_used=entry.gas_used)
            for name, entry in entries.items()
        ],
    )


def check(spec: Spec, chain: Chain, folder: Path = DEPLOYMENTS) -> list[Drift]:
    """How the chain differs from spec and manifest; nothing where all is well."""
    manifest = Manifest.read(manifest_path(spec, folder))
    given = {name: entry.address for name, entry in manifest.contracts.items()}
    nonces = dict.fromkeys(own_creations(spec), 0)
    return verify(chain, make_plan(spec, manifest.deployer, nonces, given), manifest)


def commit() -> str | None:
    """The commit deployed from; with "+" when files differ from it. None outside a checkout."""
    try:
        head = git("rev-parse", "HEAD").strip()
        return f"{head}+" if git("status", "--porcelain", "--", "contracts", "novation") else head
    except (OSError, subprocess.SubprocessError):
        return None


def git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout


def compiler() -> dict[str, Any]:
    """The compiler and its settings, as ape-config.yaml names them."""
    config = yaml.load((ROOT / "ape-config.yaml").read_text(encoding="utf-8"), yaml.BaseLoader)
    settings = dict(config["solidity"])
    settings.pop("import_remapping", None)
    return settings
