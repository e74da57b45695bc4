from pathlib import Path

import pytest

from novation.deploy import Spec, SpecError, read_spec
from novation.deploy.spec import parse

SPECS = Path(__file__).resolve().parents[3] / "deployments" / "specs"


@pytest.mark.parametrize(
    ("name", "chain_id"),
    [("local", 31337), ("sepolia", 11155111), ("arbitrum", 42161), ("mainnet", 1)],
)
def test_specs_of_this_repository_are_read(name: str, chain_id: int) -> None:
    spec = read_spec(SPECS / f"{name}.yaml")
    assert (spec.network, spec.chain_id) == (name, chain_id)
    assert [market.name for market in spec.markets] == ["ETH", "BTC"]
    assert spec.settlement == "USDC"
    assert [c.token for c in spec.collateral] == ["WETH", "WBTC"]


def test_markets_of_all_networks_have_the_same_parameters(local_spec: Spec) -> None:
    for name in ("sepolia", "arbitrum", "mainnet"):
        assert read_spec(SPECS / f"{name}.yaml").markets == local_spec.markets


def test_rollup_watches_its_sequencer() -> None:
    assert read_spec(SPECS / "arbitrum.yaml").sequencer is not None
    assert read_spec(SPECS / "mainnet.yaml").sequencer is None


def test_values_are_exact_integers_in_the_contracts_units(local_spec: Spec) -> None:
    market = local_spec.markets[0]
    assert market.risk.imr == 100_000
    assert market.risk.ramp_seconds == 86_400
    assert market.risk.open_interest_cap == 20_000 * 10**18
    assert market.full_premium == 3 * 10**16
    assert market.vamm.as_struct()["returnSpeed"] == 100
    assert local_spec.oracles["ETH"].maximum == 100_000 * 10**18


def faults(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, "spec.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("imr: 10 %", "imr: ten", 'markets[0].risk.imr: "ten" is not an amount'),
        ("imr: 10 %", "imr: 0.00001 %", "markets[0].risk.imr: "),
        ("imr: 10 %", "imr: 10 %\n      immr: 3 %", "markets[0].risk.immr: unknown key"),
        ("      mmr: 6 %\n", "", "markets[0].risk.mmr: missing"),
        ("window: 6 h", "window: 6", 'markets[0].vamm.window: "6" is not an amount'),
        ("follow: true", "follow: yes", 'markets[0].vamm.follow: "yes" is not true or false'),
        ("network: local", "network: local\nnetwork: x", "line 4: the key network appears twice"),
        ("settlement: USDC", "settlement: DAI", "settlement: no token DAI"),
        ("feed: ETH / USD", "feed: SOL / USD", "oracles.ETH.feed: no feed SOL / USD"),
        ("token: WETH", "token: USDC", "collateral[0].token: USDC is the settlement token"),
        ("token: WETH", "token: WBTC", "collateral: WBTC appears twice"),
        ('cap: "500"', 'cap: "0.000000001"', "collateral[1].cap: "),
        ("USDC: {share: 25 %", "DAI: {share: 25 %", "throttles.DAI: no token of the vault"),
        ("USDC: {share: 25 %", "DAI: {share: 25 %", "throttles.USDC: missing"),
        ("share: 25 %", "share: most", 'throttles.USDC.share: "most" is not an amount'),
        ('exempt: "10_000"', 'exempt: "0.0000001"', "throttles.USDC.exempt: "),
        ("source: mock, decimals: 6", "decimals: 6", "tokens.USDC: source is missing"),
        ("source: mock, decimals: 6", "source: mock, decimals: six", "tokens.USDC.decimals: "),
        ("chain_id: 31337", "chain_id: 1", "tokens.USDC.source: only local networks make"),
        ("name: BTC", "name: ETH", "markets: ETH appears twice"),
        ("admin: {members: [deployer]", "admin: {members: []", "roles.admin.members: exactly one"),
        (
            "guardian: {members: [deployer], delay: 0 s",
            "guardian: {members: [], delay: 1 s",
            "at once",
        ),
        (
            "risk: {members: [deployer], delay: 0 s",
            "risk: {members: [], delay: 1 d",
            "admin.delay: shorter",
        ),
        ('minimum: "1", max', 'minimum: "100_001", max', "oracles.ETH.minimum: not below maximum"),
        ("owner: deployer", "owner: bob", 'treasury.owner: "bob" is not an address'),
        (
            "owner: deployer",
            'owner: "0x5fbDB2315678afecb367f032d93F642f64180aa3"',
            "0x5fbDB2315678afecb367f032d93F642f64180aa3 has a wrong EIP-55 checksum",
        ),
    ],
)
def test_spec_with_a_fault_names_the_key(local_text: str, old: str, new: str, fault: str) -> None:
    assert old in local_text
    assert fault in faults(local_text.replace(old, new, 1))


def test_spec_with_several_faults_names_them_all(local_text: str) -> None:
    text = local_text.replace("imr: 10 %", "imr: x", 1).replace("salt: novation-1", "pepper: y")
    said = faults(text)
    assert "spec.yaml: markets[0].risk.imr: " in said
    assert "spec.yaml: pepper: unknown key" in said
    assert "spec.yaml: salt: missing" in said


@pytest.mark.parametrize("text", ["", "[]", "just words", "a: [1", "a:\n\t- b"])
def test_text_that_is_no_spec_is_refused_in_one_line_each(text: str) -> None:
    assert all(line.startswith("spec.yaml: ") for line in faults(text).splitlines())


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="No such file"):
        read_spec(tmp_path / "none.yaml")
