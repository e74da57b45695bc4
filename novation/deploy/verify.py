"""Reads a deployment back: code, constructor arguments, parameters, wiring, roles and delays.

What a constructor fixed is proved by addresses and hashes, everything else is read and compared
with the spec. Roles have no list on chain: the log is read for members the spec does not name.
"""

from collections.abc import Iterator
from typing import Any

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from novation import artifacts
from novation.artifacts import Artifact
from novation.chain import Chain, Contract
from novation.chain.contract import constructor_inputs, encode_constructor
from novation.deploy import roles
from novation.deploy.addresses import create2_address
from novation.deploy.manifest import Entry, Manifest, as_text, from_text
from novation.deploy.state import drifts_of
from novation.deploy.steps import Drift, How, Plan

CHANGEABLE = ("struct RiskParams", "struct VammParams")
"""Constructor arguments that parameters begin with: the facts compare what they are now."""


def masked(code: bytes, artifact: Artifact) -> bytes:
    """Runtime code without what the constructor filled in."""
    blank = bytearray(code)
    for start, length in artifact.immutables:
        blank[start : start + length] = bytes(length)
    return bytes(blank)


def verify(chain: Chain, plan: Plan, manifest: Manifest) -> list[Drift]:
    """`plan` must have been made with the addresses of the manifest."""
    block = chain.block_number()
    drifts = list(identity(chain, manifest))
    names = list(manifest.contracts)
    codes = chain.codes([manifest.contracts[name].address for name in names], block)
    for name, code in zip(names, codes, strict=True):
        drifts += code_drifts(name, manifest.contracts[name], code)
    drifts += argument_drifts(plan, manifest)
    drifts += factory_drifts(chain, manifest)
    drifts += drifts_of(chain, [*plan.outside, *plan.facts], block)
    drifts += venue_drifts(chain, plan, manifest, block)
    drifts += member_drifts(chain, plan, manifest, block)
    return drifts


def identity(chain: Chain, manifest: Manifest) -> Iterator[Drift]:
    genesis = chain.block(0)["hash"]
    if genesis != manifest.genesis:
        yield Drift(f"{chain.where}: genesis block", manifest.genesis, genesis)


def code_drifts(name: str, entry: Entry, code: bytes) -> Iterator[Drift]:
    if not code:
        yield Drift(f"{name}: code at {entry.address}", "a contract", "nothing")
        return
    digest = "0x" + keccak(code).hex()
    if digest != entry.code_hash:
        yield Drift(f"{name}: code hash", entry.code_hash, digest)
    artifact = artifacts.load(entry.contract)
    ours = "0x" + keccak(artifact.deployed_bytecode).hex()
    theirs = "0x" + keccak(masked(code, artifact)).hex()
    if ours != theirs:
        yield Drift(f"{name}: code hash without immutables, of these sources", ours, theirs)


def init_code(entry: Entry) -> bytes:
    """Creation code as the manifest's arguments make it with the artifact of today."""
    artifact = artifacts.load(entry.contract)
    values = [from_text(p, entry.arguments.get(p["name"])) for p in constructor_inputs(artifact)]
    return artifact.bytecode + encode_constructor(artifact, *values)


def argument_drifts(plan: Plan, manifest: Manifest) -> Iterator[Drift]:
    """The manifest's arguments against the spec, and against the addresses they must make."""
    for name, entry in manifest.contracts.items():
        made = {step.name: step.creation for step in plan.steps}.get(name)
        if made is None:
            yield Drift(name, "not in the spec", entry.address)
            continue
        texts = as_text(made.arguments)
        for parameter in constructor_inputs(artifacts.load(entry.contract)):
            if parameter.get("internalType") not in CHANGEABLE:
                key = parameter["name"]
                yield from differences(f"{name}: {key}", texts.get(key), entry.arguments.get(key))
        if entry.created == How.CREATE2.value and entry.salt is not None:
            salt = bytes.fromhex(entry.salt[2:])
            address = create2_address(salt, init_code(entry))
            if address != entry.address:
                yield Drift(f"{name}: address that code and arguments make", address, entry.address)
    for step in plan.steps:
        if step.creation is not None and step.name not in manifest.contracts:
            yield Drift(step.name, "a contract", "not in the manifest")


def differences(what: str, expected: Any, found: Any) -> Iterator[Drift]:
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in {**expected, **found}:
            yield from differences(f"{what}.{key}", expected.get(key), found.get(key))
    elif expected != found:
        yield Drift(what, expected, found)


def factory_drifts(chain: Chain, manifest: Manifest) -> Iterator[Drift]:
    """CREATE addresses do not depend on the code: the factory's log says what was created."""
    entries = {n: e for n, e in manifest.contracts.items() if e.created == How.FACTORY.value}
    factory = Contract(chain, manifest.address("CoreFactory"), "CoreFactory")
    created: dict[str, bytes] = {}
    for event in factory.events(["Created"], manifest.first_block, manifest.block):
        created[event.values["created"]] = event.values["initCodeHash"]
    for name, entry in entries.items():
        ours, theirs = keccak(init_code(entry)), created.get(entry.address)
        if ours != theirs:
            yield Drift(f"{name}: hash of creation code and arguments", ours, theirs)


def venue_drifts(chain: Chain, plan: Plan, manifest: Manifest, block: int) -> Iterator[Drift]:
    """Venues beyond those of the spec: each may propose legs for anybody's account."""
    house = Contract(chain, manifest.address("ClearingHouse"), "ClearingHouse")
    ours = {step.creation.address for step in plan.steps if step.creation is not None}
    allowed: dict[str, int] = {}
    for event in house.events(["VenueSet"], manifest.first_block, block):
        allowed.pop(event.values["venue"], None)
        if event.values["allowed"]:
            allowed[event.values["venue"]] = event.values["market"]
    for venue, market in allowed.items():
        if venue not in ours:
            what = f"ClearingHouse: {venue} as a venue"
            yield Drift(what, "no venue", f"a venue of market {market}")


def member_drifts(chain: Chain, plan: Plan, manifest: Manifest, block: int) -> Iterator[Drift]:
    """Roles, labels and functions that were given beyond what the spec says."""
    manager = Contract(chain, manifest.address("AccessManager"), "AccessManager")
    names = ["RoleGranted", "RoleLabel", "TargetFunctionRoleUpdated", "TargetAdminDelayUpdated"]
    members: dict[tuple[int, str], None] = {}
    functions: dict[tuple[str, bytes], None] = {}
    labels: dict[int, str] = {}
    for event in manager.events(names, manifest.first_block, block):
        values = event.values
        if event.name == "RoleGranted":
            members[values["roleId"], values["account"]] = None
        elif event.name == "RoleLabel":
            labels[values["roleId"]] = values["label"]
        elif event.name == "TargetFunctionRoleUpdated":
            functions[to_checksum_address(values["target"]), values["selector"]] = None
    for role, label in roles.LABELS.items():
        if labels.get(role) != label:
            yield Drift(f"AccessManager: label of role {role}", label, labels.get(role))
    expected = expected_reads(plan)
    asked = [manager.at("hasRole", role, account) for role, account in members]
    for (role, account), call, held in zip(members, asked, chain.batch(asked, block), strict=True):
        if call.data not in expected and held.isMember:
            what = f"AccessManager: {account} as {roles.NAMES.get(role, f'role {role}')}"
            yield Drift(what, "no member", f"a member with delay {held.executionDelay}")
    asked = [manager.at("getAccess", role, account) for role, account in members]
    for (role, account), access in zip(members, chain.batch(asked, block), strict=True):
        if access.effect and access.since:
            what = (
                f"AccessManager: {account} as {roles.NAMES.get(role, role)}: a delay is on its way"
            )
            yield Drift(what, "none", f"{access.pendingDelay} s at {access.effect}")
    asked = [manager.at("getTargetFunctionRole", *target) for target in functions]
    for (target, code), call, role in zip(functions, asked, chain.batch(asked, block), strict=True):
        if call.data not in expected and role != roles.ADMIN:
            what = f"AccessManager: role of {target} 0x{code.hex()}"
            yield Drift(what, roles.NAMES[roles.ADMIN], roles.NAMES.get(role, role))


def expected_reads(plan: Plan) -> set[bytes]:
    return {fact.call.data for fact in plan.facts}
