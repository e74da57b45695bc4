"""When stakers ask and claim, and what winners try; on a mirror whose healths are given."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from novation.chain.words import AccountWord
from novation.lab.blocks import Block, Done, Transaction
from novation.lab.people import Person
from novation.lab.stakers import FALL_PPM, Stakers, Temper
from novation.lab.traders import Kind, Traits, Trend
from novation.lab.winners import AWAKE, RELEASE, RUN, Winners
from novation.units import WAD
from tests.unit.lab.test_keepers import Desk, account, give, keepers
from tests.unit.lab.test_mirror import VIEW

COOLDOWN, WINDOW = 7_200, 600
FUND = "0x" + "dd" * 20


class House(Desk):
    spec = SimpleNamespace(insurance=SimpleNamespace(cooldown=COOLDOWN, window=WINDOW))

    def address(self, _name):
        return FUND

    def on_token(self, kind, sender, function, *values):
        return Transaction(kind, sender, None, (function, values))

    def release(self, sender, account, pnl, touched):
        return Transaction("release", sender, None, (account, pnl, touched))

    def withdraw(self, sender, account, amount):
        return Transaction("withdraw", sender, None, (account, amount))


@pytest.fixture
def desk():
    """Keepers, for their mirror."""
    return keepers()


@pytest.fixture
def mirror(desk):
    return desk.mirror


@pytest.fixture
def stakers(mirror):
    made = Stakers(House(), mirror, 1_000 * WAD)
    for staker in made.stakers:
        staker.shares = 5
    return made


def at(stakers, time, index=VIEW.index):
    state = SimpleNamespace(market=replace(VIEW, index=index))
    owners = {s.owner: s.temper for s in stakers.stakers}
    return [(owners[sent.sender], sent.data[0]) for sent in stakers.act(state, time)]


def test_stake_is_shared_out_whole(stakers):
    _, _, deposits = stakers.set_up()
    assert [sent.data[1][0] for sent in deposits] == [10**8, 2 * 10**8, 2 * 10**8, 5 * 10**8]


def test_without_money_there_are_no_stakers(mirror):
    assert Stakers(House(), mirror, 0).stakers == []


def test_first_asks_at_once_the_nervous_at_a_fall_and_the_late_at_a_bankrupt(stakers, desk):
    assert at(stakers, 0) == [(Temper.FIRST, "request")]
    assert at(stakers, 60) == []
    fallen = VIEW.index * (10**6 - FALL_PPM) // 10**6
    assert at(stakers, 120, fallen) == []
    assert at(stakers, 180, fallen - 1) == [(Temper.NERVOUS, "request")]
    give(desk, account(1), -1, 100)
    assert at(stakers, 240) == [(Temper.LATE, "request")]


def test_request_is_claimed_in_its_window_and_made_again_after_it(stakers):
    at(stakers, 0)
    assert at(stakers, COOLDOWN - 1) == []
    assert at(stakers, COOLDOWN) == [(Temper.FIRST, "redeem")]
    assert at(stakers, COOLDOWN + WINDOW) == [(Temper.FIRST, "redeem")]
    assert at(stakers, COOLDOWN + WINDOW + 1) == [(Temper.FIRST, "request")]


def test_claim_is_booked_from_the_event_and_ends_the_stake(stakers):
    at(stakers, 0)
    first = stakers.stakers[0]
    data = "0x" + (90 * 10**6).to_bytes(32, "big").hex() + (5).to_bytes(32, "big").hex()
    logs = [{"address": FUND, "topics": ["0x1", "0x2", "0x3", "0x4"], "data": data}]
    done = Done(Transaction("unstake", first.owner, None, b""), "", True, 1, logs, None)
    assert stakers.take(Block(1, 0, [done])) == 90 * 10**6
    assert (first.shares, first.paid, stakers.paid) == (0, 90 * 10**6, 90 * WAD)
    assert at(stakers, COOLDOWN) == []


def person(number: int) -> Person:
    traits = Traits(1, 1, 1, 1)
    return Person(Kind.NOISE, f"0x{number}", account(number), traits, Trend(1), False, WAD)


@pytest.fixture
def winners(desk):
    made = Winners(House(), desk.mirror, [person(1), person(2)])
    for number in (1, 2):
        give(desk, account(number), 500, 100, untouched=70)
        desk.mirror.accounts[account(number)] = AccountWord(100 * WAD, 10 * WAD, 1)
    return made


def woken(winners, index):
    list(winners.act(SimpleNamespace(market=VIEW), 0))
    return list(winners.act(SimpleNamespace(market=replace(VIEW, index=index)), 60))


def test_winners_sleep_while_the_index_hardly_moves(winners):
    assert woken(winners, VIEW.index * 1_009 // 1_000) == []


@pytest.mark.parametrize("index", [VIEW.index * 11 // 10, VIEW.index * 9 // 10])
def test_at_a_jump_one_half_closes_and_the_other_releases_at_any_ratio(winners, index):
    close, release = woken(winners, index)
    assert (close.kind, close.data[1][0]) == ("close", account(1))
    assert (release.kind, release.data) == (RELEASE, (account(2), 72 * WAD, []))


def test_winners_go_on_trying_until_the_interruption_must_be_over(winners):
    woken(winners, VIEW.index * 2)
    state = SimpleNamespace(market=replace(VIEW, index=VIEW.index * 2))
    assert len(list(winners.act(state, 60 + AWAKE - 1))) == 2
    assert list(winners.act(state, 60 + AWAKE)) == []


def test_flat_winner_withdraws_all_of_it(winners, desk):
    give(desk, account(1), 110, 0, size=0)
    sent = woken(winners, VIEW.index * 2)[-1]
    assert (sent.kind, sent.data) == (RUN, (account(1), 110 * 10**6))


def test_what_a_release_cost_is_counted(winners):
    data = "0x" + (72 * WAD).to_bytes(32, "big").hex() + (60 * WAD).to_bytes(32, "big").hex()
    logs = [{"topics": [winners._released, "0x0"], "data": data}]
    done = Done(Transaction(RELEASE, "0x2", None, b""), "", True, 1, logs, None)
    winners.take(Block(1, 0, [done, replace(done, transaction=Transaction("x", "", None, b""))]))
    assert (winners.asked, winners.got) == (72 * WAD, 60 * WAD)
