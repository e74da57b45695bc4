"""Withdrawals of the final settlement against a vault that throttles, and one that cuts."""

from collections import Counter
from types import SimpleNamespace

import pytest
from eth_utils.address import to_checksum_address

from novation.lab.blocks import Block, Done, Transaction
from novation.lab.settlement import CUT, HOUR, THROTTLED, Settlement
from novation.lab.venue import account_id
from novation.units import WAD

UNIT = 10**12


def owner(number: int) -> str:
    return to_checksum_address("0x" + f"{number:040x}")


class Vault(Settlement):
    """`left` may go out in an hour, whoever asks for more than `small` waits."""

    def __init__(self, held: int, share: int, small: int) -> None:
        self.held, self.share, self.small = held, share, small
        self.outcome = SimpleNamespace(refusals=Counter(), hours=0)
        self.venue = SimpleNamespace(decimals=6)
        self.stage = SimpleNamespace(blocks=SimpleNamespace(why=lambda _: self.why))
        self.why = SimpleNamespace(name=THROTTLED)
        self.time = self.hour = 0
        self.left = held * share // 100
        self.paid: Counter[bytes] = Counter()

    @property
    def _state(self):
        return SimpleNamespace(vault=self.held * UNIT)

    def _paid(self, account, amount, _ratio):
        return Transaction("final withdrawal", "0x" + account[:20].hex(), None, (account, amount))

    def _mine(self, transactions):
        if self.time // HOUR != self.hour:
            self.hour, self.left = self.time // HOUR, self.held * self.share // 100
        done = []
        for sent in transactions:
            account, amount = sent.data
            able = amount <= max(self.left, self.small)
            if able:
                self.held -= amount
                self.left -= min(amount, self.left)
                self.paid[account] += amount
            done.append(Done(sent, "", able, 0, [], None))
        return [Block(1, self.time, done)]


@pytest.mark.parametrize("shares", [(1_000,), (600, 400), (900, 50, 50), (100,) * 10])
def test_throttled_withdrawals_wait_by_the_hour_and_are_paid_in_full(shares):
    owed = {account_id(owner(i)): part * 10**6 for i, part in enumerate(shares)}
    vault = Vault(sum(owed.values()), 25, 10**5)
    assert vault._withdraw(dict(owed), WAD) == set()
    assert vault.paid == owed
    assert vault.held == 0
    assert vault.outcome.hours >= 3
    assert vault.outcome.refusals == Counter()


def test_without_a_throttle_nobody_waits():
    owed = {account_id(owner(i)): 10**6 for i in range(5)}
    vault = Vault(5 * 10**6, 100, 0)
    assert vault._withdraw(dict(owed), WAD) == set()
    assert vault.outcome.hours == 0
    assert vault.time == 0


@pytest.mark.parametrize("name", CUT)
def test_who_is_refused_for_the_ratio_is_named_and_asked_once(name):
    owed = {account_id(owner(1)): 10**6}
    vault = Vault(10**5, 0, 0)
    vault.why.name = name
    assert vault._withdraw(dict(owed), WAD) == set(owed)
    assert vault.outcome.refusals == {name: 1}
    assert vault.outcome.hours == 0
