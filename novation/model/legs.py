"""What a venue asks the clearing house to do: legs, or a fill that it plans under the lock."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Leg:
    """All WAD, positive when the account receives: lots, cash of the trade, other transfer."""

    account: bytes
    size: int
    cash: int
    transfer: int


@dataclass(frozen=True)
class Ask:
    """What a trader asks a venue for (types/Fill.sol): lots, or quote, or to close it all."""

    size: int
    quote: int
    limit: int
    closing: bool = False


@dataclass(frozen=True)
class Fill:
    """A fill, planned. WAD; `size` positive when the trader buys; `quote` without `fee`."""

    size: int
    quote: int
    fee: int
    house_fee: int
    peg: int
    mid: int
    index: int
    premium: int
