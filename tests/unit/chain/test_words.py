"""The words of contracts/types/Ledger.sol, packed here as the Solidity packs them."""

from hypothesis import given
from hypothesis import strategies as st

from novation.chain import words

uint96 = st.integers(0, 2**96 - 1)
int96 = st.integers(-(2**95), 2**95 - 1)


def field(value: int, width: int) -> int:
    return value & (2**width - 1)


@given(uint96, int96, st.integers(0, 2**64 - 1))
def test_unpack_account_gives_back_what_was_packed(capital: int, pnl: int, bitmap: int) -> None:
    word = capital | field(pnl, 96) << 96 | bitmap << 192
    assert words.unpack_account(word) == words.AccountWord(capital, pnl, bitmap)


@given(int96, st.integers(-(2**127), 2**127 - 1), st.integers(0, 2**32 - 1))
def test_unpack_position_gives_back_what_was_packed(units: int, k: int, epoch: int) -> None:
    word = field(units, 96) | field(k, 128) << 96 | epoch << 224
    assert words.unpack_position(word) == words.PositionWord(units, k, epoch)


def test_bitmap_names_markets_collateral_and_venue() -> None:
    account = words.AccountWord(0, 0, 1 << 63 | 1 << 62 | 1 << 61 | 0b101)
    assert account.markets == [0, 2, 61]
    assert account.has_collateral
    assert account.is_venue
    flat = words.AccountWord(0, 0, 0)
    assert (flat.markets, flat.has_collateral, flat.is_venue) == ([], False, False)
