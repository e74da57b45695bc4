"""Who is in the market: kinds, traits and money, drawn from the seed."""

from dataclasses import dataclass

import numpy as np
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from novation.lab.traders import Kind, Traits, Trend, draw_traits
from novation.lab.venue import account_id
from novation.units import PPM, WAD

SHARES = {
    Kind.NOISE: 38,
    Kind.TREND: 33,
    Kind.LP: 10,
    Kind.BASIS: 9,
    Kind.ARBITRAGE: 6,
    Kind.SNIPER: 4,
}
"""How many in a hundred are of a kind."""
LP_SHARE_PPM = 1_500_000
"""What LPs together bring, of what all others do."""
CAREFUL = 0.7  # share of people who watch their margin in every block


@dataclass
class Person:
    kind: Kind
    owner: str
    account: bytes
    traits: Traits
    trend: Trend
    careful: bool
    money: int
    """First deposit, WAD quote; twice as much stays in the wallet."""


def draw_crowd(count: int, draw: np.random.Generator) -> list[Person]:
    """So many people, at least one of each kind; LPs together as rich as the others together."""
    kinds: list[Kind] = []
    for kind, share in SHARES.items():
        kinds += [kind] * max(count * share // 100, 1)
    kinds += [Kind.NOISE] * (count - len(kinds))
    people = [draw_person(i, kind, draw) for i, kind in enumerate(kinds)]
    rich = sum(p.money for p in people if p.kind is not Kind.LP) * LP_SHARE_PPM // PPM
    lps = [p for p in people if p.kind is Kind.LP]
    weights = sum(p.money for p in lps)
    for person in lps:
        person.money = rich * person.money // weights
    return people


def draw_person(number: int, kind: Kind, draw: np.random.Generator) -> Person:
    owner = to_checksum_address(keccak(text=f"novation lab {number}")[-20:])
    traits = draw_traits(kind, draw)
    money = min(max(round(float(draw.lognormal(8.8, 0.9))), 500), 150_000) * WAD
    if kind in (Kind.ARBITRAGE, Kind.SNIPER):
        money *= 5  # a business, not a punter
    careful = bool(draw.random() < CAREFUL)
    account = account_id(owner)
    return Person(kind, owner, account, traits, Trend(traits.horizon), careful, money)
