"""`novation collect` as a person types it, on a venue that the deployer made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from novation.chain import Contract
from novation.deploy import spec as specs
from novation.units import WAD
from tests.deploying import LOCAL, run
from tests.local_chain import LocalChain, local_chain
from tests.paths.test_deploy_commands import novation
from tests.world import ANY_MARKET, KEEP_PREMIUM, NO_LIMIT, account_id

BROKEN = "0x60006000fd"


@dataclass
class Deployed:
    chain: LocalChain
    folder: Path
    long: bytes
    short: bytes
    clearing: Contract
    oracle: str

    def collect(self, *words: str) -> tuple[int, str, str]:
        done = novation(self.folder, self.chain, "collect", "--network", "local", *words)
        return done.returncode, done.stdout, done.stderr

    def capital(self, account: bytes) -> int:
        return int(self.clearing.read("account", account).capital) // WAD


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """A long of one lot that lost 50; his counterparty, who won."""
    folder = tmp_path_factory.mktemp("deployments")
    with local_chain() as chain:
        manifest, _ = run(specs.read(LOCAL), chain, folder)
        admin, venue = chain.accounts[0], chain.accounts[7]
        token = Contract(chain, manifest.address("Token USDC"), "MockToken")
        core = ("ClearingHouse", "MarginVault")
        clearing, vault = (Contract(chain, manifest.address(name), name) for name in core)
        long, short = (account_id(owner) for owner in chain.accounts[1:3])
        for account, owner in ((long, chain.accounts[1]), (short, chain.accounts[2])):
            chain.send(token, "mint", owner, 10**10)
            chain.send(token, "approve", vault.address, NO_LIMIT, sender=owner)
            chain.send(vault, "deposit", account, token.address, 10**10, sender=owner)
        chain.send(clearing, "setVenue", venue, ANY_MARKET, True, sender=admin)
        fund = Contract(chain, manifest.address("InsuranceFund"), "InsuranceFund")
        chain.send(token, "mint", admin, 10**11)
        chain.send(token, "approve", fund.address, NO_LIMIT, sender=admin)
        chain.send(fund, "deposit", 10**11, admin, sender=admin)
        chain.send(Contract(chain, clearing.address, "Backstop"), "back", 0, False, sender=admin)
        legs = [(long, WAD, -2_500 * WAD, 0), (short, -WAD, 2_500 * WAD, 0)]
        chain.send(clearing, "clear", 0, sorted(legs), 0, KEEP_PREMIUM, sender=venue)
        flux = Contract(chain, manifest.address("Flux ETH / USD"), "FluxAggregator")
        chain.send(flux, "submit", 2, 2_450 * 10**8)
        yield Deployed(chain, folder, long, short, clearing, manifest.address("Oracle ETH"))


@pytest.fixture
def deployed(standing: Deployed) -> Iterator[Deployed]:
    with standing.chain.isolated():
        yield standing


def test_dry_run_says_whom_and_sends_nothing(deployed: Deployed) -> None:
    block = deployed.chain.block_number()
    code, out, _ = deployed.collect("--dry-run")
    assert code == 0
    first, last = out.splitlines()
    assert first.startswith(f"0x{deployed.long.hex()} 50")
    assert last.startswith("local: 1 accounts, 50")
    assert deployed.chain.block_number() == block


def test_losses_are_collected_and_nothing_is_left(deployed: Deployed) -> None:
    code, out, error = deployed.collect()
    assert code == 0, error
    assert "transaction 0x" in out
    assert (deployed.capital(deployed.long), deployed.capital(deployed.short)) == (9_950, 10_000)
    code, out, _ = deployed.collect()
    assert (code, out) == (0, "local: 0 accounts, 0 quote; release ratio 1 -> 1\n")


def test_small_losses_are_left_out(deployed: Deployed) -> None:
    code, out, _ = deployed.collect("--least", "51")
    assert (code, out) == (0, "local: 0 accounts, 0 quote; release ratio 1 -> 1\n")


def test_account_that_cannot_be_touched_is_named(deployed: Deployed) -> None:
    deployed.chain.request("anvil_setCode", deployed.oracle, BROKEN)
    code, out, error = deployed.collect()
    assert code == 1
    assert out.startswith("local: 0 accounts")
    assert f"0x{deployed.long.hex()} is left out: " in error


@pytest.mark.parametrize("least", ["much", "1e3", "0.0000000000000000001"])
def test_amount_that_is_none_is_bad_input(deployed: Deployed, least: str) -> None:
    code, _, error = deployed.collect("--least", least)
    assert code == 2
    assert "--least" in error


def test_without_a_manifest_or_a_collector_it_is_bad_input(
    deployed: Deployed, tmp_path: Path
) -> None:
    done = novation(tmp_path, deployed.chain, "collect", "--network", "local")
    assert (done.returncode, "deploy first" in done.stderr) == (2, True)
    raw = json.loads((deployed.folder / "local.json").read_text())
    del raw["contracts"]["Collector"]
    (tmp_path / "local.json").write_text(json.dumps(raw))
    done = novation(tmp_path, deployed.chain, "collect", "--network", "local")
    assert done.returncode == 2
    assert done.stderr.startswith("novation: local was deployed without a Collector")
