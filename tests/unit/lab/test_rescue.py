"""What the lab's keeper decides, on a mirror whose healths are given."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from novation.chain.words import PositionWord
from novation.lab.asks import NOBODY
from novation.lab.mirror import Holding, Mirror
from novation.lab.rescue import PER_BLOCK, Rescue
from novation.model.margin import Health
from novation.units import WAD
from tests.unit.lab.test_mirror import VIEW

NOW = 1_000
CLOSED = replace(VIEW, interrupted_until=NOW + 60)


class Desk:
    """A venue that keeps what it is asked for: kind, function, values."""

    market = 0
    decimals = 6
    vamm = "0x" + "cc" * 20
    spec = SimpleNamespace(markets=[SimpleNamespace(risk=SimpleNamespace(imr=100_000))])

    def call(self, kind, _sender, _name, _contract, function, *values):
        return (kind, function, values)

    def trade(self, kind, _sender, account, size, limit):
        return (kind, "trade", (account, size, limit))

    def close(self, _sender, account, limit):
        return ("close", "close", (account, limit))


def account(number: int) -> bytes:
    return bytes([number]) * 32


@pytest.fixture
def rescue():
    mirror = Mirror("0x" + "aa" * 20, "0x" + "bb" * 20, 0)
    mirror.view = VIEW
    made = Rescue(Desk(), mirror)
    give(made, made.account, equity=50_000, maintenance=0, size=0, free=50_000)
    return made


def give(rescue, who, equity, maintenance, size=10, free=0):
    mirror = rescue.mirror
    mirror.healths[who] = Health(equity * WAD, maintenance * WAD, 0, 0, free * WAD)
    mirror.holdings[who] = Holding(0, size * WAD)
    mirror.positions[who] = PositionWord(size * WAD, 0, 0)


def act(rescue, market=VIEW, reserve=4_000):
    return list(rescue.act(SimpleNamespace(market=market, reserve=reserve * WAD), NOW))


def test_healthy_accounts_are_left_alone(rescue):
    give(rescue, account(1), equity=100, maintenance=100)
    assert act(rescue) == []


def test_unhealthy_ones_go_to_the_venue_the_sickest_first(rescue):
    give(rescue, account(1), equity=90, maintenance=100)
    give(rescue, account(2), equity=20, maintenance=100)
    sent = act(rescue)
    assert [(kind, values[0]["victim"]) for kind, _, values in sent] == [
        ("liquidate to venue", account(2)),
        ("liquidate to venue", account(1)),
    ]
    assert sent[0][2][0]["venue"] == Desk.vamm


def test_while_fills_are_interrupted_the_keeper_takes_what_his_margin_carries(rescue):
    give(rescue, account(1), equity=90, maintenance=100, size=10)
    give(rescue, account(2), equity=20, maintenance=100, size=100_000)
    (only,) = act(rescue, CLOSED)
    assert (only[0], only[2][0]["victim"]) == ("liquidate", account(1))


def test_bankrupt_ones_are_resolved_into_his_account_or_nobodys(rescue):
    give(rescue, account(1), equity=-5, maintenance=100, size=10)
    give(rescue, account(2), equity=-50, maintenance=100, size=100_000)
    sent = {values[0]: values[1] for kind, _, values in act(rescue, CLOSED) if kind == "resolve"}
    assert sent == {account(1): rescue.account, account(2): NOBODY}


def test_a_block_is_not_filled(rescue):
    for number in range(1, 60):
        give(rescue, account(number), equity=number, maintenance=100)
    assert len(act(rescue)) == PER_BLOCK


@pytest.mark.parametrize(("size", "part"), [(50, -10), (-50, 10)])
def test_what_he_took_is_sold_in_parts(rescue, size, part):
    give(rescue, rescue.account, equity=50_000, maintenance=10, size=size)
    ((kind, _, values),) = act(rescue)
    assert (kind, values[1]) == ("keeper's trade", part * WAD)
    assert act(rescue, CLOSED) == []


def test_the_last_part_closes(rescue):
    give(rescue, rescue.account, equity=50_000, maintenance=10, size=7)
    ((kind, _, values),) = act(rescue)
    assert (kind, values) == ("close", (rescue.account, 0))
