"""choose: whom to touch so that h becomes 1, on plain numbers."""

from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from novation.chain.collection import (
    ACCOUNT_GAS,
    ACCRUAL_GAS,
    BUDGET,
    HELD_GAS,
    SPARE,
    Books,
    Change,
    NotBacked,
    TooManyToTouch,
    change_of,
    choose,
    in_batches,
    losers,
    touch_gas,
)
from novation.chain.words import AccountWord
from novation.units import WAD

ONE_MARKET = ACCOUNT_GAS + HELD_GAS + ACCRUAL_GAS


def loser(number: int, loss: int, bitmap: int = 1) -> Change:
    """One who has lost so much of his capital."""
    return Change(number.to_bytes(32, "big"), -loss, 0, bitmap)


def winner(number: int, gain: int) -> Change:
    return Change(number.to_bytes(32, "big"), 0, gain, 1)


amounts = st.integers(-10 * WAD, 10 * WAD) | st.integers(-5, 5)
changes = st.lists(
    st.tuples(st.integers(-10 * WAD, 0) | st.integers(-5, 0), amounts, st.integers(1, 2**62 - 1)),
    max_size=7,
).map(lambda rows: [Change(i.to_bytes(32, "big"), c, p, b) for i, (c, p, b) in enumerate(rows, 1)])
books = st.builds(Books, st.integers(0, 20 * WAD), st.integers(0, 30 * WAD))
PLENTY = 10**12


def chosen(
    books: Books, changes: list[Change], budget: int = PLENTY
) -> list[Change] | NotBacked | TooManyToTouch:
    """The accounts, or why there are none to choose."""
    try:
        return choose(books, changes, budget)
    except (NotBacked, TooManyToTouch) as error:
        return error


@given(books, changes)
def test_chosen_make_the_ratio_one(books: Books, changes: list[Change]) -> None:
    picked = chosen(books, changes)
    if isinstance(picked, list):
        assert books.after(picked).ratio == WAD
        assert books.after(picked).missing <= 0


@given(books, changes)
def test_nobody_is_refused_whom_some_set_of_touches_would_help(
    books: Books, changes: list[Change]
) -> None:
    """NotBacked means it: no set of accounts makes h one."""
    error = chosen(books, changes)
    if isinstance(error, NotBacked):
        after = books.after(losers(changes))
        assert (error.missing, error.ratio) == (after.missing, after.ratio)
        assert error.missing > 0
        for count in range(len(changes) + 1):
            for some in combinations(changes, count):
                assert books.after(some).missing > 0


@given(books, changes)
def test_no_smaller_set_would_do(books: Books, changes: list[Change]) -> None:
    """But for the spare, which asks for one part in fifty more."""
    picked = chosen(books, changes)
    if isinstance(picked, list) and picked:
        wanted = books.missing + books.missing // SPARE
        most = sum(c.collected for c in losers(changes))
        for some in combinations(changes, len(picked) - 1):
            assert sum(c.collected for c in some) < min(wanted, most)


@given(books, changes)
def test_re_14_winners_are_never_touched(books: Books, changes: list[Change]) -> None:
    """Each one touched brings h nearer to one; RL-2: a winner's profit would lower it."""
    picked = chosen(books, changes)
    for change in picked if isinstance(picked, list) else []:
        assert change.collected > 0
        assert books.after([change]).missing < books.missing


@given(books, changes, st.integers(0, 20 * ONE_MARKET))
def test_gas_stays_within_the_budget_or_the_numbers_are_told(
    books: Books, changes: list[Change], budget: int
) -> None:
    picked = chosen(books, changes, budget)
    if isinstance(picked, TooManyToTouch):
        assert picked.missing == books.missing
        assert picked.gas > picked.budget == budget
        fewest = losers(changes)[: picked.accounts]
        assert picked.gas == touch_gas(fewest)
        assert books.after(fewest).missing <= 0 < books.after(fewest[:-1]).missing
    elif isinstance(picked, list):
        assert touch_gas(picked) <= budget


@given(books, changes, st.randoms())
def test_order_of_the_accounts_does_not_matter(
    books: Books, changes: list[Change], random: Any
) -> None:
    mixed = list(changes)
    random.shuffle(mixed)
    one, other = chosen(books, mixed), chosen(books, changes)
    assert one == other or str(one) == str(other)


def test_nobody_is_touched_when_all_is_backed() -> None:
    assert choose(Books(100, 100), [loser(1, 50)]) == []
    assert choose(Books(101, 100), []) == []


def test_largest_losses_come_first_and_no_more_than_needed() -> None:
    found = [loser(1, 10), loser(2, 500), winner(3, 900), loser(4, 400)]
    assert choose(Books(0, 800), found) == [found[1], found[3]]


def test_one_part_in_fifty_more_is_taken_where_there_is_one() -> None:
    found = [loser(1, 100), loser(2, 1), loser(3, 1)]
    assert choose(Books(0, 100), found) == found
    assert choose(Books(0, 100), found[:2]) == found[:2]
    assert choose(Books(0, 100), found[:1]) == found[:1]


def test_spare_gives_way_to_the_budget() -> None:
    found = [loser(1, 100), loser(2, 2)]
    assert choose(Books(0, 100), found, ONE_MARKET) == found[:1]


def test_smaller_recorded_profit_counts_as_collected() -> None:
    """One who won, and has lost some of it since."""
    fallen = Change(bytes(32), 0, -40, 1)
    assert fallen.collected == 40
    assert choose(Books(60, 100), [fallen]) == [fallen]


def test_not_backed_says_what_is_missing_and_what_a_release_gives() -> None:
    with pytest.raises(NotBacked) as caught:
        choose(Books(50 * WAD, 100 * WAD), [loser(1, 10 * WAD), winner(2, WAD)])
    assert (caught.value.missing, caught.value.ratio) == (40 * WAD, WAD * 6 // 10)
    assert str(caught.value).startswith("40 quote are missing")
    assert str(caught.value).endswith("a release gives 0.6 for 1")


def test_too_many_says_what_it_would_take() -> None:
    found = [loser(n, WAD) for n in range(1, 401)]
    with pytest.raises(TooManyToTouch) as caught:
        choose(Books(0, 400 * WAD), found)
    assert caught.value.accounts == 400
    gas = 400 * (ACCOUNT_GAS + HELD_GAS) + ACCRUAL_GAS
    assert (caught.value.gas, caught.value.budget) == (gas, BUDGET)
    assert "400 quote are to be collected from 400 accounts" in str(caught.value)


def test_ratio_is_the_clearing_houses() -> None:
    assert Books(0, 0).ratio == Books(5, 5).ratio == WAD
    assert Books(1, 3).ratio == WAD // 3
    assert Books(-5, 3).ratio == 0


@pytest.mark.parametrize(
    ("stored", "touched", "capital", "profit"),
    [
        ((100, 0), (60, 0), -40, 0),
        ((100, 30), (90, 0), -10, -30),
        ((100, 0), (0, -50), -100, 0),
        ((0, -50), (0, 20), 0, 20),
        ((100, 30), (100, 70), 0, 40),
    ],
    ids=["loss", "profit then capital", "bankrupt", "recovered", "gain"],
)
def test_change_is_of_capital_and_positive_profit(
    stored: tuple[int, int], touched: tuple[int, int], capital: int, profit: int
) -> None:
    word = AccountWord(*stored, 1 << 62 | 0b101)
    assert change_of(b"a", word, *touched) == Change(b"a", capital, profit, 0b101)


def test_gas_counts_a_market_once_and_its_holders_each() -> None:
    one, two = loser(1, 1, 0b11), loser(2, 1, 0b110)
    assert touch_gas([]) == 0
    assert touch_gas([one]) == ACCOUNT_GAS + 2 * HELD_GAS + 2 * ACCRUAL_GAS
    assert touch_gas([one, two]) == 2 * ACCOUNT_GAS + 4 * HELD_GAS + 3 * ACCRUAL_GAS


@given(st.lists(st.integers(1, 2**16 - 1), max_size=30), st.integers(0, 20 * ONE_MARKET))
def test_batches_keep_all_in_order_and_within_the_gas(bitmaps: list[int], budget: int) -> None:
    found = [loser(n, 1, bitmap) for n, bitmap in enumerate(bitmaps)]
    batches = in_batches(found, budget)
    assert [change for batch in batches for change in batch] == found
    for batch in batches:
        assert len(batch) == 1 or touch_gas(batch) <= budget
