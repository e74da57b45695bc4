import dataclasses
import re

import pytest

from novation.chain.errors import BadCall
from novation.deploy import Spec
from novation.deploy.addresses import create_address
from novation.deploy.plan import make_plan, own_creations
from novation.deploy.spec import parse
from novation.deploy.steps import Drift, Fact, How

DEPLOYER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
ADMIN = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


def nonces(spec: Spec) -> dict[str, int]:
    return {name: number for number, name in enumerate(own_creations(spec))}


def names(spec: Spec) -> list[str]:
    return [step.name for step in make_plan(spec, DEPLOYER, nonces(spec)).steps]


def test_plan_is_the_same_every_time(local_spec: Spec) -> None:
    plans = [make_plan(local_spec, DEPLOYER, nonces(local_spec)) for _ in range(2)]
    assert [(s.name, s.to, s.data) for s in plans[0].steps] == [
        (s.name, s.to, s.data) for s in plans[1].steps
    ]


def test_names_and_addresses_are_of_one_contract_each(local_spec: Spec) -> None:
    plan = make_plan(local_spec, DEPLOYER, nonces(local_spec))
    addresses = [s.creation.address for s in plan.steps if s.creation]
    assert len(set(addresses)) == len(addresses)
    assert len({s.name for s in plan.steps}) == len(plan.steps)


def test_clearing_house_and_vault_name_each_other(local_spec: Spec) -> None:
    plan = make_plan(local_spec, DEPLOYER, nonces(local_spec))
    factory, clearing = plan.creation("CoreFactory"), plan.creation("ClearingHouse")
    vault = plan.creation("MarginVault")
    assert clearing.address == create_address(factory.address, 1)
    assert vault.address == create_address(factory.address, 2)
    assert vault.address in clearing.arguments.values()
    assert clearing.address in vault.arguments.values()


def test_venues_are_marked_before_anybody_can_deposit(local_spec: Spec) -> None:
    order = names(local_spec)
    for market in local_spec.markets:
        assert order.index(f"ClearingHouse: venue {market.name}") < order.index("MarginVault")


def test_markets_are_told_their_backing_when_they_have_their_cover(local_spec: Spec) -> None:
    order = names(local_spec)
    for market in local_spec.markets:
        told = order.index(f"ClearingHouse: back {market.name}")
        assert order.index(f"InsuranceFund: {market.name}") < told


def test_rights_come_last(local_spec: Spec) -> None:
    assert names(local_spec)[-1] == "AccessManager: roles"


def test_hand_over_follows_where_admin_is_another(local_text: str) -> None:
    text = local_text.replace("admin: {members: [deployer]", f'admin: {{members: ["{ADMIN}"]')
    assert names(parse(text, "spec"))[-2:] == ["AccessManager: roles", "AccessManager: hand over"]


def test_salt_moves_every_address_but_the_deployers_own(local_spec: Spec, local_text: str) -> None:
    other = parse(local_text.replace("novation-1", "novation-2"), "spec")
    one, two = (make_plan(s, DEPLOYER, nonces(s)) for s in (local_spec, other))
    for a, b in zip(one.steps, two.steps, strict=True):
        assert a.name == b.name
        if a.creation and b.creation:
            same = a.creation.address == b.creation.address
            assert same == (a.creation.how is How.CREATE)


def test_parameters_reach_the_constructors(local_spec: Spec) -> None:
    plan = make_plan(local_spec, DEPLOYER, nonces(local_spec))
    risk = list(plan.creation("PerpMarket BTC").arguments.values())[-1]
    assert (risk["imr"], risk["mmr"], risk["fundingCap"]) == (80_000, 50_000, 10_000)
    assert risk["backingMultiple"] == 12
    vamm = list(plan.creation("VAMM BTC").arguments.values())
    assert vamm[2] == 1
    assert vamm[-1]["baseFee"] == 400


def test_value_that_a_contract_cannot_hold_is_refused_by_name(local_text: str) -> None:
    spec = parse(local_text.replace("min_notional: 50", "min_notional: 70_000", 1), "spec")
    with pytest.raises(BadCall, match="PerpMarket's constructor"):
        make_plan(spec, DEPLOYER, nonces(spec))


def test_live_feeds_are_checked_and_not_made(local_text: str) -> None:
    live = f'{{source: live, decimals: 8, description: BTC / USD, address: "{ADMIN}"}}'
    text = re.sub(r"  BTC / USD: {.*}", f"  BTC / USD: {live}", local_text)
    spec = parse(text, "spec")
    plan = make_plan(spec, DEPLOYER, nonces(spec))
    assert plan.external == {"Feed BTC / USD": ADMIN}
    assert "Flux BTC / USD" not in [s.name for s in plan.steps]
    assert [f.what for f in plan.outside] == [
        "Feed BTC / USD: decimals",
        "Feed BTC / USD: description",
    ]


def test_fact_of_a_struct_names_the_field_that_drifts(local_spec: Spec) -> None:
    plan = make_plan(local_spec, DEPLOYER, nonces(local_spec))
    (fact,) = (f for f in plan.facts if f.what == "PerpMarket ETH: params")
    found = dataclasses.make_dataclass("Params", list(fact.expected))(*fact.expected.values())
    assert list(fact.drifts(found)) == []
    found.imr = 1
    assert list(fact.drifts(found)) == [Drift("PerpMarket ETH: params.imr", 100_000, 1)]


def test_fact_whose_read_failed_is_a_drift() -> None:
    fact = Fact("a: b", None, 1)  # type: ignore[arg-type]
    (drift,) = fact.drifts(BadCall("no such contract"))
    assert str(drift) == "a: b: expected 1, found no such contract"
