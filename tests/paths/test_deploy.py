"""A deployment from nothing to a verified venue, interrupted at every point, on a real Anvil."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from novation.chain import Chain, Contract, ContractError, KeystoreAccount, UnlockedAccount
from novation.chain.accounts import passphrase_from
from novation.chain.errors import AccountError
from novation.deploy import (
    Deployment,
    Manifest,
    Spec,
    VerificationFailed,
    check,
    deploy,
    prepare,
    read_spec,
)
from novation.deploy.addresses import CREATE2_DEPLOYER
from novation.deploy.apply import Run
from novation.deploy.errors import (
    AddressUnset,
    AlreadyRunning,
    NoCreate2Deployer,
    NotBuilt,
    OtherDeployment,
    OutsideWorldDiffers,
)
from novation.deploy.estimate import estimate_gas
from novation.deploy.files import alone_in
from novation.deploy.run import refuse_unbuilt
from novation.deploy.spec import parse
from tests.deploying import (
    LOCAL,
    guarded,
    held_by,
    public_text,
    run,
    stand_ins,
    write_keystore,
)
from tests.local_chain import LocalChain, local_chain


@pytest.fixture(scope="module")
def anvil() -> Iterator[LocalChain]:
    with local_chain() as made:
        made.url = made.where
        yield made


@pytest.fixture
def chain(anvil: LocalChain) -> Iterator[LocalChain]:
    with anvil.isolated():
        yield anvil


@pytest.fixture(scope="module")
def spec() -> Spec:
    return read_spec(LOCAL)


@pytest.fixture
def admin(anvil: LocalChain) -> str:
    return UnlockedAccount(anvil, anvil.accounts[1]).address


def addresses(manifest: Manifest) -> dict[str, str]:
    return {name: entry.address for name, entry in manifest.contracts.items()}


@pytest.fixture
def keystores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keystores with one account, whose passphrase is in the environment."""
    write_keystore(tmp_path)
    monkeypatch.setenv("APE_DATA_FOLDER", str(tmp_path))
    monkeypatch.setenv("NOVATION_PASSPHRASE", "right")
    return tmp_path


def plan_size(spec: Spec, chain: Chain, folder: Path) -> int:
    return len(prepare(spec, chain, UnlockedAccount(chain).address, folder).plan.steps)


# From nothing


def test_deploy_from_nothing_makes_the_venue_and_its_manifest(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    deployment = prepare(spec, chain, UnlockedAccount(chain).address, tmp_path)
    manifest, sent = deploy(deployment, UnlockedAccount(chain))
    assert sent == [step.name for step in deployment.plan.steps]
    assert check(spec, chain, tmp_path) == []

    house = Contract(chain, manifest.address("ClearingHouse"), "ClearingHouse")
    assert house.read("vault") == manifest.address("MarginVault")
    assert house.read("marketOf", 1) == manifest.address("PerpMarket BTC")
    vault = Contract(chain, manifest.address("MarginVault"), "MarginVault")
    assert vault.read("collateralAt", 1).token == manifest.address("Token WBTC")
    for symbol, exempt in (("USDC", 10_000 * 10**6), ("WETH", 4 * 10**18), ("WBTC", 15 * 10**6)):
        throttle = vault.read("throttleOf", manifest.address(f"Token {symbol}"))
        assert tuple(throttle)[:2] == (250_000, exempt)
    vamm = Contract(chain, manifest.address("VAMM ETH"), "VAMM")
    assert vamm.read("params").band == 30_000
    for name in ("ETH", "BTC"):
        market = Contract(chain, manifest.address(f"PerpMarket {name}"), "PerpMarket")
        assert market.read("backing") == (0, 0, True)
        assert market.read("peek").openInterestCap == 0


def test_manifest_keeps_inputs_as_text_and_every_transaction(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    _, sent = run(spec, chain, tmp_path)
    raw = json.loads((tmp_path / "local.json").read_text())
    market = raw["contracts"]["PerpMarket ETH"]
    params = list(market["arguments"].values())[-1]
    assert params["imr"] == "100000"
    assert params["openInterestCap"] == "20000000000000000000000"
    assert market["block"] is not None
    assert re.fullmatch(r"0x[0-9a-f]{64}", market["code_hash"])
    assert re.fullmatch(r"[0-9a-f]{40}\+?", raw["commit"])
    assert raw["compiler"]["version"] == "0.8.37"
    assert [t["step"] for t in raw["transactions"]] == sent
    for transaction in raw["transactions"]:
        receipt = chain.request("eth_getTransactionReceipt", transaction["hash"])
        assert int(receipt["gasUsed"], 16) == transaction["gas_used"]
        assert int(receipt["blockNumber"], 16) == transaction["block"]
    assert not list(tmp_path.glob("*.journal.json"))


def test_second_run_sends_nothing_and_leaves_the_manifest(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    run(spec, chain, tmp_path)
    before, nonce = (tmp_path / "local.json").read_bytes(), chain.nonce(chain.accounts[0])
    _, sent = run(spec, chain, tmp_path)
    assert sent == []
    assert chain.nonce(chain.accounts[0]) == nonce
    assert (tmp_path / "local.json").read_bytes() == before


def test_second_run_without_the_manifest_finds_what_stands(
    chain: LocalChain, tmp_path: Path
) -> None:
    """With mock feeds: the address of a FluxAggregator is made of a nonce that only it knew."""
    text = re.sub(r"source: flux, (.*?), minimum.*}", r"source: mock, \1}", LOCAL.read_text())
    mock_feeds = parse(text, "mock feeds")
    first, _ = run(mock_feeds, chain, tmp_path)
    (tmp_path / "local.json").unlink()
    second, sent = run(mock_feeds, chain, tmp_path)
    assert sent == []
    assert addresses(second) == addresses(first)


def test_deploy_with_a_keystore_signs_here(spec: Spec, chain: LocalChain, keystores: Path) -> None:
    tmp_path = keystores
    account = KeystoreAccount("deployer", passphrase_from(None))
    chain.request("anvil_setBalance", account.address, hex(10**20))
    manifest, sent = deploy(prepare(spec, chain, account.address, tmp_path), account)
    assert manifest.deployer == account.address
    assert chain.nonce(account.address) == len(sent)
    assert check(spec, chain, tmp_path) == []


# Interrupted


class Killed(BaseException):
    """As if the process had been killed: nothing catches it."""


def dies_before_broadcast(kill: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    whole = Run.note_sent

    def note_sent(self: Run, *given: object) -> None:
        whole(self, *given)  # type: ignore[arg-type]
        kill()

    patch.setattr(Run, "note_sent", note_sent)


def dies_before_recording(kill: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Run, "note_mined", lambda *_: kill())


def dies_after_recording(kill: Callable[[], None], patch: pytest.MonkeyPatch) -> None:
    whole = Run.note_mined

    def note_mined(self: Run, *given: object) -> None:
        whole(self, *given)  # type: ignore[arg-type]
        kill()

    patch.setattr(Run, "note_mined", note_mined)


def always() -> None:
    raise Killed


@pytest.mark.parametrize("dies", [dies_before_recording, dies_after_recording])
def test_killed_at_every_transaction_ends_with_the_same_venue(
    dies: Callable[..., None],
    admin: str,
    anvil: LocalChain,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each attempt sends one transaction and dies; the next goes on after it."""
    handed = guarded(admin)
    with anvil.isolated():
        whole, sent = run(handed, anvil, tmp_path / "whole")
    with anvil.isolated():
        start = anvil.nonce(anvil.accounts[0])
        with monkeypatch.context() as patch:
            dies(always, patch)
            for done in range(1, len(sent) + 1):
                with pytest.raises(Killed):
                    run(handed, anvil, tmp_path / "killed")
                assert anvil.nonce(anvil.accounts[0]) == start + done
        pieces, last = run(handed, anvil, tmp_path / "killed")
        assert last == []
        assert addresses(pieces) == addresses(whole)
        assert anvil.nonce(pieces.address("CoreFactory")) == 3
        assert [t.step for t in pieces.transactions] == sent
        assert all(t.hash and t.block and t.gas_used for t in pieces.transactions)
        assert check(handed, anvil, tmp_path / "killed") == []


@pytest.mark.parametrize("at", [0, 3, 13, 17, 28])
def test_killed_before_broadcast_sends_the_step_once(
    at: int, spec: Spec, chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size, start = plan_size(spec, chain, tmp_path), chain.nonce(chain.accounts[0])
    left = [at]

    def countdown() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    with monkeypatch.context() as patch:
        dies_before_broadcast(countdown, patch)
        with pytest.raises(Killed):
            run(spec, chain, tmp_path)
    assert chain.nonce(chain.accounts[0]) == start + at
    _, sent = run(spec, chain, tmp_path)
    assert len(sent) == size - at
    assert chain.nonce(chain.accounts[0]) == start + size


def test_killed_while_transactions_wait_resumes_after_they_are_mined(
    spec: Spec, chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction of the dead run is still in the mempool when the next run begins."""
    size, start = plan_size(spec, chain, tmp_path), chain.nonce(chain.accounts[0])
    chain.request("evm_setAutomine", False)
    try:
        with monkeypatch.context() as patch:
            patch.setattr("novation.chain.sender.Sender.wait", lambda *_: always())
            with pytest.raises(Killed):
                run(spec, chain, tmp_path)
        assert chain.nonce(chain.accounts[0], "pending") == start + 1
        chain.request("evm_setIntervalMining", 1)
        deployment = prepare(spec, chain, UnlockedAccount(chain).address, tmp_path)
        assert len(deployment.left) == size
        halt = pytest.MonkeyPatch.context()
        with halt as patch:
            dies_after_recording(always, patch)
            with pytest.raises(Killed):
                deploy(deployment, UnlockedAccount(chain))
    finally:
        chain.request("evm_setIntervalMining", 0)
        chain.request("evm_setAutomine", True)
    run(spec, chain, tmp_path)
    assert chain.nonce(chain.accounts[0]) == start + size


def test_node_that_lags_does_not_get_a_second_clearing_house(
    spec: Spec, chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The factory's next address would go to whatever came again; the journal knows better."""
    name = "ClearingHouse"
    with monkeypatch.context() as patch:
        whole = Run.note_mined

        def note_mined(self: Run, step: object, receipt: object) -> None:
            if step.name == name:  # type: ignore[attr-defined]
                raise Killed
            whole(self, step, receipt)  # type: ignore[arg-type]

        patch.setattr(Run, "note_mined", note_mined)
        with pytest.raises(Killed):
            run(spec, chain, tmp_path)
    seen = []

    def lagging(deployment: Deployment) -> Deployment:
        clearing = deployment.plan.creation(name).address
        whole = Chain.code

        def code(self: Chain, address: str) -> bytes:
            seen.append(address)
            return (
                b"" if address == clearing and seen.count(clearing) == 1 else whole(self, address)
            )

        patch.setattr(Chain, "code", code)
        patch.setattr("novation.deploy.apply.done_steps", lambda *_: deployment.done - {name})
        return deployment

    with monkeypatch.context() as patch:
        account = UnlockedAccount(chain)
        manifest, sent = deploy(lagging(prepare(spec, chain, account.address, tmp_path)), account)
    assert name not in sent
    assert chain.nonce(manifest.address("CoreFactory")) == 3


def test_resume_with_a_changed_spec_is_refused(
    spec: Spec, chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Run, "execute", stop_at("PerpMarket ETH"))
        with pytest.raises(Killed):
            run(spec, chain, tmp_path)
    text = LOCAL.read_text().replace("{owner: deployer, sub: 0}", "{owner: deployer, sub: 1}")
    with pytest.raises(OtherDeployment, match="ClearingHouse was sent from another spec"):
        run(parse(text, "changed"), chain, tmp_path)


def stop_at(name: str) -> Callable[..., None]:
    whole = Run.execute

    def execute(self: Run, step: object) -> None:
        if step.name == name:  # type: ignore[attr-defined]
            raise Killed
        whole(self, step)  # type: ignore[arg-type]

    return execute


def test_deploy_ends_in_an_error_when_verification_fails(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    manifest, _ = run(spec, chain, tmp_path)
    market = Contract(chain, manifest.address("PerpMarket ETH"), "PerpMarket")
    chain.send(market, "tightenCaps", 1, 1, sender=manifest.deployer)
    with pytest.raises(
        VerificationFailed, match=r"PerpMarket ETH: params\.openInterestCap"
    ) as caught:
        run(spec, chain, tmp_path)
    assert len(caught.value.drifts) == 2


# Estimated


def test_dry_run_sends_and_writes_nothing_and_is_exact(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    deployer, block = UnlockedAccount(chain).address, chain.block_number()
    deployment = prepare(spec, chain, deployer, tmp_path)
    gas = estimate_gas(chain, deployer, deployment.left)
    assert chain.block_number() == block
    assert list(tmp_path.iterdir()) == []
    manifest, _ = run(spec, chain, tmp_path)
    assert gas == [t.gas_used for t in manifest.transactions]


class Plain(HTTPProvider):
    """A node without eth_simulateV1."""

    def make_request(self, method: RPCEndpoint, params: object) -> RPCResponse:
        if method == "eth_simulateV1":
            error = {"code": -32601, "message": "the method does not exist"}
            return {"jsonrpc": "2.0", "id": 1, "error": error}  # type: ignore[typeddict-item]
        return super().make_request(method, params)


def test_dry_run_on_a_plain_node_rehearses_on_a_fork(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    plain = Chain(Plain(chain.where), "a plain node")
    plain.url = chain.url
    deployer = UnlockedAccount(chain).address
    left = prepare(spec, chain, deployer, tmp_path).left
    assert estimate_gas(plain, deployer, left) == estimate_gas(chain, deployer, left)


# Refused


def test_constructor_that_reverts_is_named_through_the_create2_deployer(
    chain: LocalChain, tmp_path: Path, admin: str
) -> None:
    """A feed that is silent for longer than its heartbeat."""
    spec = parse(held_by(stand_ins(public_text(), chain), admin), "public")
    chain.advance(7_200)
    account = UnlockedAccount(chain)
    deployment = prepare(spec, chain, account.address, tmp_path)
    for act in (
        lambda: estimate_gas(chain, account.address, deployment.left),
        lambda: deploy(deployment, account),
    ):
        with pytest.raises(ContractError, match="PerpMarket ETH: MarketNoPrice") as caught:
            act()
        assert caught.value.arguments == {"status": 4}


def test_two_deployments_at_once_are_refused(spec: Spec, chain: LocalChain, tmp_path: Path) -> None:
    with alone_in(tmp_path), pytest.raises(AlreadyRunning, match="is under way"):
        run(spec, chain, tmp_path)
    run(spec, chain, tmp_path)


def test_contracts_not_compiled_anew_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unbuilt()
    monkeypatch.setattr("novation.deploy.run.read_json", lambda _: {})
    with pytest.raises(NotBuilt, match="run `make build`"):
        refuse_unbuilt()


@pytest.mark.usefixtures("keystores")
def test_missing_keystore_is_named_with_those_there() -> None:
    with pytest.raises(AccountError, match=r"no account other in .*\(there: deployer\)"):
        KeystoreAccount("other", passphrase_from(None))


@pytest.mark.usefixtures("keystores")
def test_locked_keystore_knows_its_address_without_the_passphrase(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = KeystoreAccount("deployer", passphrase_from(None))
    monkeypatch.delenv("NOVATION_PASSPHRASE")
    locked = KeystoreAccount("deployer", passphrase_from(None), locked=True)
    assert locked.address == opened.address
    with pytest.raises(AccountError, match="set NOVATION_PASSPHRASE"):
        locked.sign({})


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"address": "0x12", "crypto": 1}'])
def test_file_that_is_no_keystore_is_refused(content: str, keystores: Path) -> None:
    (keystores / "accounts" / "broken.json").write_text(content)
    with pytest.raises(AccountError, match=r"account broken: .*not a keystore"):
        KeystoreAccount("broken", passphrase_from(None))


@pytest.mark.usefixtures("keystores")
def test_wrong_passphrase_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOVATION_PASSPHRASE", "wrong")
    with pytest.raises(AccountError, match="account deployer: the passphrase is wrong"):
        KeystoreAccount("deployer", passphrase_from(None))


@pytest.mark.usefixtures("keystores")
def test_no_passphrase_and_no_terminal_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOVATION_PASSPHRASE")
    with pytest.raises(AccountError, match="set NOVATION_PASSPHRASE"):
        KeystoreAccount("deployer", passphrase_from(None))


def test_network_without_the_create2_deployer_is_refused(
    spec: Spec, chain: LocalChain, tmp_path: Path
) -> None:
    chain.request("anvil_setCode", CREATE2_DEPLOYER, "0x")
    with pytest.raises(NoCreate2Deployer, match=CREATE2_DEPLOYER):
        run(spec, chain, tmp_path)


@pytest.fixture
def public() -> str:
    return public_text()


def test_token_that_is_not_there_is_refused(public: str, chain: LocalChain, tmp_path: Path) -> None:
    with pytest.raises(OutsideWorldDiffers, match="has no contract at 0x"):
        run(parse(public, "public"), chain, tmp_path)


def test_feed_of_another_pair_is_refused(public: str, chain: LocalChain, tmp_path: Path) -> None:
    spec = parse(stand_ins(public, chain, swapped=True), "public")
    with pytest.raises(OutsideWorldDiffers) as caught:
        run(spec, chain, tmp_path)
    assert "Feed ETH / USD: description: expected ETH / USD, found BTC / USD" in str(caught.value)


def test_public_spec_deploys_on_what_others_made(
    public: str, chain: LocalChain, tmp_path: Path, admin: str
) -> None:
    text = held_by(stand_ins(public, chain), admin)
    manifest, _ = run(parse(text, "public"), chain, tmp_path)
    assert set(manifest.external) == {f"Token {t}" for t in ("USDC", "WETH", "WBTC")} | {
        "Feed ETH / USD",
        "Feed BTC / USD",
    }
    assert check(parse(text, "public"), chain, tmp_path) == []


def test_unset_addresses_stop_a_deployment_but_not_a_dry_run(
    public: str, chain: LocalChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novation.deploy.spec.LOCAL_CHAINS", ())
    monkeypatch.setattr("novation.deploy.run.refuse_unbuilt", lambda: None)
    spec = parse(stand_ins(public, chain), "public")
    account = UnlockedAccount(chain)
    deployment = prepare(spec, chain, account.address, tmp_path)
    assert sum(estimate_gas(chain, account.address, deployment.left)) > 10_000_000
    with pytest.raises(AddressUnset, match=r"treasury\.owner is unset"):
        deploy(deployment, account)


def test_changed_spec_does_not_make_a_second_venue_on_a_live_network(
    public: str, chain: LocalChain, tmp_path: Path, admin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("novation.deploy.spec.LOCAL_CHAINS", ())
    monkeypatch.setattr("novation.deploy.run.refuse_unbuilt", lambda: None)
    text = held_by(stand_ins(public, chain), admin)
    run(parse(text, "public"), chain, tmp_path)
    changed = parse(text.replace("imr: 10 %", "imr: 11 %"), "public")
    with pytest.raises(OtherDeployment, match="PerpMarket ETH is 0x"):
        run(changed, chain, tmp_path)
