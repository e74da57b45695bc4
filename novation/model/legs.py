"""What a venue asks the clearing house to do to one account."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Leg:
    """All WAD, positive when the account receives: lots, cash of the trade, other transfer."""

    account: bytes
    size: int
    cash: int
    transfer: int
