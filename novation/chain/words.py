"""The ledger's packed words, as contracts/types/Ledger.sol packs them.

The events of the clearing house carry these words, so that a mirror needs nothing else.
"""

from dataclasses import dataclass

COLLATERAL_BIT = 1 << 62
VENUE_BIT = 1 << 63
MARKETS_MASK = COLLATERAL_BIT - 1


@dataclass(frozen=True)
class AccountWord:
    """capital 96 | pnl 96 | bitmap 64; WAD quote."""

    capital: int
    pnl: int
    bitmap: int

    @property
    def markets(self) -> list[int]:
        """Numbers of the markets held."""
        held = self.bitmap & MARKETS_MASK
        return [number for number in range(held.bit_length()) if held >> number & 1]

    @property
    def has_collateral(self) -> bool:
        return bool(self.bitmap & COLLATERAL_BIT)

    @property
    def is_venue(self) -> bool:
        return bool(self.bitmap & VENUE_BIT)


@dataclass(frozen=True)
class PositionWord:
    """units 96 | k 128 | epoch 32; units WAD and positive when long, k 1e27 quote per unit lot."""

    units: int
    k: int
    epoch: int


@dataclass(frozen=True)
class HouseWord:
    """The totals, as `ClearingHouse.house` gives them: WAD quote, fees in 1e-6 quote."""

    capital_total: int
    profit_total: int
    fees_pending: int


def unpack_account(word: int) -> AccountWord:
    return AccountWord(bits(word, 0, 96), signed(word, 96, 96), bits(word, 192, 64))


def unpack_position(word: int) -> PositionWord:
    return PositionWord(signed(word, 0, 96), signed(word, 96, 128), bits(word, 224, 32))


def bits(word: int, offset: int, width: int) -> int:
    return (word >> offset) & ((1 << width) - 1)


def signed(word: int, offset: int, width: int) -> int:
    value = bits(word, offset, width)
    return value - (1 << width) if value >> (width - 1) else value
