"""What the keepers of a stress decide, on a mirror whose healths are given."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from novation.chain.words import HouseWord, PositionWord
from novation.lab.asks import NOBODY
from novation.lab.blocks import Transaction
from novation.lab.keepers import BATCH, Keepers
from novation.lab.mirror import Holding, Mirror
from novation.model.margin import Health
from novation.units import WAD
from tests.unit.lab.test_mirror import VIEW

NOW = 1_000
CLOSED = replace(VIEW, interrupted_until=NOW + 60)
BACKED = HouseWord(1_000 * WAD, 0, 0)


class Desk:
    """A venue whose transactions keep what was asked for: function and values as data."""

    market = 0
    decimals = 6
    vamm = "0x" + "cc" * 20
    spec = SimpleNamespace(markets=[SimpleNamespace(risk=SimpleNamespace(imr=100_000))])

    def call(self, kind, sender, _name, _contract, function, *values):
        return Transaction(kind, sender, None, (function, values))

    def trade(self, kind, sender, account, size, limit):
        return Transaction(kind, sender, None, ("trade", (account, size, limit)))

    def close(self, sender, account, limit):
        return Transaction("close", sender, None, ("close", (account, limit)))


def account(number: int) -> bytes:
    return bytes([number]) * 32


def keepers(free=50_000, asleep=range(0)):
    mirror = Mirror("0x" + "aa" * 20, "0x" + "bb" * 20, 0)
    mirror.view = VIEW
    made = Keepers(Desk(), mirror, money=free * WAD, asleep=asleep)
    give(made, made.account, free, 0, size=0, free=free)
    give(made, made.selling.taker, 0, 0, size=0)
    return made


def give(made, who, equity, maintenance, size=10, free=0, untouched=0):
    mirror = made.mirror
    mirror.healths[who] = Health(equity * WAD, maintenance * WAD, 0, 0, free * WAD)
    mirror.holdings[who] = Holding(untouched * WAD, size * WAD)
    if size:
        mirror.positions[who] = PositionWord(size * WAD, 0, 0)


def act(made, market=VIEW, vault=1_000, house=BACKED):
    state = SimpleNamespace(market=market, reserve=4_000 * WAD, vault=vault * WAD, house=house)
    return list(made.act(state, NOW))


def test_sleeping_keepers_do_nothing_whatever_there_is_to_do():
    made = keepers(asleep=range(NOW, NOW + 1))
    give(made, account(1), -5, 100)
    give(made, account(2), 20, 100, untouched=-50)
    assert act(made) == []
    made.asleep = range(NOW + 1, NOW + 2)
    assert {sent.kind for sent in act(made)} >= {"resolve"}


def test_without_capital_all_is_sold_to_the_venue_and_bankrupts_go_to_nobody():
    made = keepers(free=0)
    for number in range(1, 30):
        give(made, account(number), number, 100)
    give(made, account(99), -5, 100)
    sent = act(made)
    assert {s.kind for s in sent} == {"resolve", "liquidate to venue", "liquidate many to venue"}
    assert {s.data[1][1] for s in sent if s.kind == "resolve"} == {NOBODY}
    sizes = [len(s.data[1][0]) for s in sent if s.kind == "liquidate many to venue"]
    assert max(sizes) == BATCH
    assert sum(sizes) + sum(s.kind == "liquidate to venue" for s in sent) == 29
    assert {s.sender for s in sent if "venue" in s.kind} == {made.poor}


def test_with_capital_a_third_is_taken_in_while_fills_go_on_and_all_while_they_do_not():
    made = keepers()
    for number in range(1, 13):
        give(made, account(number), number, 100)
    kinds = [s.kind for s in act(made)]
    assert kinds.count("liquidate") == 4
    assert kinds.count("liquidate to venue") == 4
    closed = act(made, CLOSED)
    assert {s.kind for s in closed} == {"liquidate", "liquidate many"}


def test_margin_of_the_one_with_capital_is_not_spent_twice():
    made = keepers(free=500)  # ten lots at 200 need 240
    for number in range(1, 6):
        give(made, account(number), number, 100)
    assert [s.kind for s in act(made, CLOSED)] == ["liquidate", "liquidate"]


def test_the_one_with_capital_is_resolved_to_nobody_when_he_is_bankrupt_himself():
    made = keepers()
    give(made, made.account, -5, 100, size=10, free=0)
    (sent,) = [s for s in act(made, CLOSED) if s.kind == "resolve"]
    assert sent.data[1][:2] == (made.account, NOBODY)


def test_losses_are_collected_the_largest_first_as_soon_as_a_profit_is_not_backed():
    made = keepers()
    give(made, account(1), 500, 100, untouched=-20)
    give(made, account(2), 500, 100, untouched=-90)
    give(made, account(3), 500, 100, untouched=70)
    assert act(made) == []
    (sent,) = act(made, house=HouseWord(1_000 * WAD, 70 * WAD, 0))
    assert (sent.kind, sent.data[1][0]) == ("collect", [account(2), account(1)])


@pytest.mark.parametrize("blocks", [9, 10])
def test_losses_are_collected_now_and_then_while_all_profit_is_backed(blocks):
    made = keepers()
    give(made, account(1), 500, 100, untouched=-20)
    sent = [s for _ in range(blocks) for s in act(made)]
    assert len(sent) == (blocks == 10)
