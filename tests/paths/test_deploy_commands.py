"""The commands as a person types them: in processes of their own, without a terminal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from novation.chain import Contract, UnlockedAccount
from novation.chain.errors import AccountError
from novation.deploy.commands import open_account, run_deploy
from novation.deploy.errors import Declined
from novation.deploy.spec import parse
from tests.deploying import LOCAL, held_by, public_text, stand_ins, write_keystore
from tests.local_chain import ROOT, LocalChain, local_chain

NOVATION = [sys.executable, "-c", "from novation.cli import main; main()"]


@pytest.fixture(scope="module")
def anvil() -> Iterator[LocalChain]:
    with local_chain() as made:
        yield made


@pytest.fixture
def chain(anvil: LocalChain) -> Iterator[LocalChain]:
    with anvil.isolated():
        yield anvil


def command(folder: Path, chain: LocalChain | None, *words: str) -> list[str]:
    node = ["--rpc", chain.where] if chain is not None else []
    return [*NOVATION, *words, *node, "--folder", str(folder)]


def novation(
    folder: Path, chain: LocalChain | None, *words: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("NOVATION_")} | environment
    return subprocess.run(
        command(folder, chain, *words),
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_deploy_verify_and_drift_by_the_command(chain: LocalChain, tmp_path: Path) -> None:
    made = novation(tmp_path, chain, "deploy", "--network", "local")
    assert made.returncode == 0, made.stderr
    assert "verified against the spec" in made.stdout
    again = novation(tmp_path, chain, "deploy", "--network", "local")
    assert again.returncode == 0, again.stderr
    assert "nothing to send" in again.stdout
    clean = novation(tmp_path, chain, "verify", "--network", "local")
    assert clean.returncode == 0, clean.stderr
    assert clean.stdout == "local: the chain is what the spec says\n"

    raw = json.loads((tmp_path / "local.json").read_text())
    market = Contract(chain, raw["contracts"]["PerpMarket ETH"]["address"], "PerpMarket")
    chain.send(market, "tightenCaps", 10**18, 10_000_000)
    drift = novation(tmp_path, chain, "verify", "--network", "local")
    assert drift.returncode == 1
    assert drift.stderr == (
        "novation: PerpMarket ETH: params.openInterestCap: "
        f"expected {20_000 * 10**18}, found {10**18}\n"
    )


def test_dry_run_prints_the_plan_its_gas_and_its_cost(chain: LocalChain, tmp_path: Path) -> None:
    shown = novation(tmp_path, chain, "deploy", "--network", "local", "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert re.search(r"ClearingHouse +0x\w{40} +[\d,]+ gas\n", shown.stdout)
    assert re.search(r"transactions, [\d,]+ gas, [\d._]+ ETH at the base fee of", shown.stdout)
    assert chain.nonce(chain.accounts[0]) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("entries", [1, 8, 16, 27])
def test_kill_9_and_once_more(entries: int, chain: LocalChain, tmp_path: Path) -> None:
    journal = tmp_path / "local.journal.json"
    words = command(tmp_path, chain, "deploy", "--network", "local")
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            if journal.exists() and len(json.loads(journal.read_text())["entries"]) >= entries:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "local.json").exists()
    resumed = novation(tmp_path, chain, "deploy", "--network", "local")
    assert resumed.returncode == 0, resumed.stderr
    raw = json.loads((tmp_path / "local.json").read_text())
    assert chain.nonce(chain.accounts[0]) == len(raw["transactions"])
    assert chain.nonce(raw["contracts"]["CoreFactory"]["address"]) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["local.json"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["deploy", "--network", "nowhere"], 2, "nowhere.yaml: No such file"),
        (["deploy", "--network", "sepolia"], 2, "expected chain 11155111"),
        (["deploy", "--network", "sepolia", "--spec", str(LOCAL)], 2, "it is for local"),
        (["deploy", "--network", "local", "--account", "nobody"], 2, "no account nobody in"),
        (["deploy", "--network", "local", "--account", "deployer"], 2, "passphrase is wrong"),
        (["verify", "--network", "local"], 2, "deploy first"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    words: list[str], code: int, said: str, chain: LocalChain, tmp_path: Path
) -> None:
    write_keystore(tmp_path)
    known = {"APE_DATA_FOLDER": str(tmp_path), "NOVATION_PASSPHRASE": "wrong"}
    result = novation(tmp_path, chain, *words, **known)
    assert result.returncode == code
    assert said in result.stderr
    assert result.stderr.startswith("novation: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_public_network_wants_a_node_by_name(tmp_path: Path) -> None:
    result = novation(tmp_path, None, "deploy", "--network", "mainnet")
    assert result.returncode == 2
    assert result.stderr == "novation: name a node of mainnet with --rpc or NOVATION_RPC\n"


def test_no_node_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    result = novation(
        tmp_path, None, "verify", "--network", "local", NOVATION_RPC="http://127.0.0.1:1/KEY"
    )
    assert result.returncode == 1
    assert result.stderr == (
        "novation: no Ethereum node answers at http://127.0.0.1:1: connection refused\n"
    )


def test_public_network_is_asked_about_and_yes_answers(
    chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novation.deploy.spec.LOCAL_CHAINS", ())
    monkeypatch.setattr("novation.deploy.run.refuse_unbuilt", lambda: None)
    account = UnlockedAccount(chain)
    spec = parse(held_by(stand_ins(public_text(), chain), account.address), "public")
    before = chain.nonce(account.address)
    with pytest.raises(Declined, match="say --yes"):
        run_deploy(spec, chain, account, folder=tmp_path)
    assert chain.nonce(account.address) == before
    run_deploy(spec, chain, account, folder=tmp_path, yes=True)
    assert (tmp_path / "mainnet.json").exists()


class Public(LocalChain):
    """A node that does not say it is Anvil."""

    def request(self, method: str, *params: object) -> object:
        if method == "web3_clientVersion":
            return "Geth/v1.16.0"
        return super().request(method, *params)


def test_public_node_wants_a_keystore(chain: LocalChain) -> None:
    with pytest.raises(AccountError, match="name a keystore with --account"):
        open_account(Public(chain.provider, "a public node"), None)


@pytest.mark.parametrize("words", [[], ["--help"], ["deploy", "--help"]])
def test_help_needs_no_chain(words: list[str]) -> None:
    result = subprocess.run(
        [*NOVATION, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "deploy" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_ape_run_deploy_is_the_same_code(tmp_path: Path) -> None:
    ape = [str(Path(sys.executable).with_name("ape")), "run", "deploy"]
    words = ["--network", "ethereum:local:foundry", "--folder", str(tmp_path)]
    path = f"{ROOT / 'node_modules' / '.bin'}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        [*ape, *words],
        cwd=ROOT,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "verified against the spec" in result.stdout
    raw = json.loads((tmp_path / "local.json").read_text())
    assert raw["contracts"]["ClearingHouse"]["address"] in result.stdout
