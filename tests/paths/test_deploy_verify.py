"""What `novation verify` finds when a venue is no longer what its spec says, on a real Anvil."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from novation.chain import Contract, UnlockedAccount
from novation.deploy import Manifest, Spec, check, read_spec
from novation.deploy.errors import HandedOver, NoManifest
from novation.deploy.spec import parse
from tests.deploying import DAY, LOCAL, drifts, guarded, run
from tests.local_chain import LocalChain, local_chain


@dataclass
class Venue:
    """A venue handed over to an admin, whose every act waits a week."""

    chain: LocalChain
    spec: Spec
    folder: Path
    manifest: Manifest
    admin: str
    stranger: str

    @property
    def deployer(self) -> str:
        return self.manifest.deployer

    def contract(self, name: str, artifact: str | None = None) -> Contract:
        return Contract(self.chain, self.manifest.address(name), artifact or name.split()[0])

    def drifts(self, spec: Spec | None = None) -> list[str]:
        return drifts(spec or self.spec, self.chain, self.folder)

    def as_admin(self, target: Contract, function: str, *values: Any) -> None:
        """Schedules a call, waits, executes it."""
        manager, data = self.contract("AccessManager"), target.encode(function, *values)
        self.chain.send(manager, "schedule", target.address, data, 0, sender=self.admin)
        self.chain.advance(7 * DAY)
        self.chain.send(manager, "execute", target.address, data, sender=self.admin)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with local_chain() as chain:
        admin, stranger = (UnlockedAccount(chain, chain.accounts[i]).address for i in (1, 5))
        spec, folder = guarded(admin), tmp_path_factory.mktemp("venue")
        manifest, _ = run(spec, chain, folder)
        yield Venue(chain, spec, folder, manifest, admin, stranger)


@pytest.fixture
def venue(standing: Venue, tmp_path: Path) -> Iterator[Venue]:
    shutil.copy(standing.folder / "local.json", tmp_path)
    with standing.chain.isolated():
        yield Venue(**{**vars(standing), "folder": tmp_path})


def test_verify_is_clean_after_the_hand_over(venue: Venue) -> None:
    assert venue.drifts() == []
    manager = venue.contract("AccessManager")
    assert tuple(manager.read("hasRole", 0, venue.deployer)) == (False, 0)
    assert tuple(manager.read("hasRole", 0, venue.admin)) == (True, 7 * DAY)


def test_verify_names_a_parameter_changed_through_the_access_manager(venue: Venue) -> None:
    vamm = venue.contract("VAMM ETH")
    params = {**vamm.read("params")._asdict(), "baseFee": 600}
    venue.as_admin(vamm, "setParams", params)
    assert venue.drifts() == ["VAMM ETH: params.baseFee: expected 500, found 600"]
    text = LOCAL.read_text(encoding="utf-8").replace("base_fee: 5 bps", "base_fee: 6 bps")
    following = parse(text, "new").model_copy(update={"roles": venue.spec.roles})
    assert venue.drifts(following) == []


@pytest.mark.parametrize(
    ("contract", "function", "values", "drift"),
    [
        (
            "PerpMarket BTC",
            "tightenCaps",
            (10**18, 15_000_000),
            f"PerpMarket BTC: params.openInterestCap: expected {1_000 * 10**18}, found {10**18}",
        ),
        (
            "MarginVault",
            "tightenCap",
            ("Token WBTC", 1),
            "MarginVault: collateralAt(1).cap: expected 50000000000, found 1",
        ),
        (
            "MarginVault",
            "tightenThrottle",
            ("Token USDC", 50_000, 10_000 * 10**6),
            "MarginVault: throttle of USDC.share: expected 250000, found 50000",
        ),
        (
            "ClearingHouse",
            "stopVenue",
            ("VAMM ETH",),
            "ClearingHouse: market of the venue ETH, plus one: expected 1, found 0",
        ),
    ],
)
def test_verify_names_what_a_guardian_tightened(
    contract: str, function: str, values: tuple[Any, ...], drift: str, venue: Venue
) -> None:
    given = [venue.manifest.address(v) if isinstance(v, str) else v for v in values]
    venue.chain.send(venue.contract(contract), function, *given, sender=venue.deployer)
    (found,) = venue.drifts()
    assert drift in found


CODE = bytes.fromhex("12345678")
MOVED = [
    ("grantRole", (1, "stranger", 0), "{stranger} as RISK: expected no member, found a member"),
    ("grantRole", (7, "stranger", 0), "{stranger} as role 7: expected no member"),
    ("grantRole", (2, "deployer", 9), "as GUARDIAN.executionDelay: expected 0, found 9"),
    ("grantRole", (1, "admin", 5), "as RISK: a delay is on its way: expected none, found 5 s at "),
    ("revokeRole", (2, "deployer"), "as GUARDIAN.isMember: expected True, found False"),
    ("labelRole", (1, "OTHER"), "label of role 1: expected RISK, found OTHER"),
    ("setRoleGuardian", (1, 0), "RISK is cancelled by role: expected 2, found 0"),
    ("setRoleAdmin", (1, 3), "RISK is granted by role: expected 0, found 3"),
    ("setTargetFunctionRole", ("VAMM ETH", "setParams", 2), "VAMM ETH.setParams: expected 1"),
    ("setTargetFunctionRole", ("VAMM ETH", CODE, 1), " 0x12345678: expected ADMIN, found RISK"),
    ("setTargetClosed", ("MarginVault", True), "MarginVault is closed: expected False"),
]


@pytest.mark.parametrize(("function", "values", "drift"), MOVED)
def test_verify_names_rights_that_moved(
    function: str, values: tuple[Any, ...], drift: str, venue: Venue
) -> None:
    vamm = venue.contract("VAMM ETH")
    meant: dict[Any, Any] = {
        name: getattr(venue, name) for name in ("stranger", "deployer", "admin")
    }
    meant |= {name: venue.manifest.address(name) for name in ("VAMM ETH", "MarginVault")}
    meant |= {"setParams": [vamm.encode("setParams", vamm.read("params"))[:4]], CODE: [CODE]}
    given = [meant.get(value, value) for value in values]
    venue.as_admin(venue.contract("AccessManager"), function, *given)
    (found,) = venue.drifts()
    assert drift.format(stranger=venue.stranger) in found


def test_verify_names_a_venue_beyond_the_spec(venue: Venue) -> None:
    venue.as_admin(venue.contract("ClearingHouse"), "setVenue", venue.stranger, 255, True)
    what = f"ClearingHouse: {venue.stranger} as a venue"
    assert venue.drifts() == [f"{what}: expected no venue, found a venue of market 255"]


def test_verify_names_code_that_changed_or_went(venue: Venue) -> None:
    lens = venue.manifest.address("Lens")
    code = bytearray(venue.chain.code(lens))
    code[-1] ^= 1
    venue.chain.request("anvil_setCode", lens, "0x" + bytes(code).hex())
    assert [line.split(": expected")[0] for line in venue.drifts()] == [
        "Lens: code hash",
        "Lens: code hash without immutables, of these sources",
    ]
    venue.chain.request("anvil_setCode", lens, "0x")
    assert f"Lens: code at {lens}: expected a contract, found nothing" in venue.drifts()


def edit(venue: Venue, change: Any) -> None:
    path = venue.folder / "local.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")


def test_verify_proves_the_manifests_arguments(venue: Venue) -> None:
    def change(raw: Any) -> None:
        raw["contracts"]["Oracle ETH"]["arguments"]["c"]["heartbeat"] = "1"
        raw["contracts"]["ClearingHouse"]["arguments"]["treasury_"] = "0x" + "22" * 32

    edit(venue, change)
    found = venue.drifts()
    assert "Oracle ETH: c.heartbeat: expected 86400, found 1" in found
    assert any(f.startswith("Oracle ETH: address that code and arguments make") for f in found)
    assert any(f.startswith("ClearingHouse: treasury_: expected") for f in found)
    assert any(f.startswith("ClearingHouse: hash of creation code and arguments") for f in found)


def test_verify_names_a_market_that_the_spec_has_not(venue: Venue) -> None:
    short = venue.spec.model_copy(update={"markets": venue.spec.markets[:1]})
    found = venue.drifts(short)
    assert "ClearingHouse: marketCount: expected 1, found 2" in found
    assert any(line.startswith("PerpMarket BTC: expected not in the spec") for line in found)


def test_steps_left_after_the_hand_over_are_refused(venue: Venue) -> None:
    venue.as_admin(venue.contract("AccessManager"), "revokeRole", 2, venue.deployer)
    with pytest.raises(HandedOver, match="AccessManager: roles"):
        run(venue.spec, venue.chain, venue.folder)


def test_verify_without_a_manifest_says_to_deploy(venue: Venue, tmp_path: Path) -> None:
    with pytest.raises(NoManifest, match="deploy first"):
        check(venue.spec, venue.chain, tmp_path / "nowhere")


def test_verify_against_another_chain_says_so(venue: Venue) -> None:
    edit(venue, lambda raw: raw.update(genesis="0x" + "00" * 32))
    assert "genesis block: expected 0x000" in venue.drifts()[0]


def test_spec_of_another_venue_names_every_difference(venue: Venue) -> None:
    found = venue.drifts(read_spec(LOCAL))
    assert any("as ADMIN" in line for line in found)
    assert any("as RISK" in line for line in found)
