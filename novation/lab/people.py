"""Who is in the market: kinds, traits and money, drawn from the seed."""

from dataclasses import dataclass, field, replace

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


@dataclass(frozen=True)
class Mix:
    """Who is there. `lean` is the share of gamblers who buy, the others sell."""

    shares: dict[Kind, int] = field(default_factory=lambda: SHARES)
    lp_share_ppm: int = LP_SHARE_PPM
    lean: float = 0.5


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


def draw_crowd(count: int, draw: np.random.Generator, mix: Mix | None = None) -> list[Person]:
    """So many people, at least one of each kind; LPs together bring their share of the rest."""
    mix = mix or Mix()
    kinds: list[Kind] = []
    for kind, share in mix.shares.items():
        kinds += [kind] * max(count * share // 100, 1)
    kinds += [Kind.NOISE] * (count - len(kinds))
    people = [draw_person(i, kind, draw) for i, kind in enumerate(kinds)]
    for person in people:
        if person.kind is Kind.GAMBLER:
            side = 1 if draw.random() < mix.lean else -1
            person.traits = replace(person.traits, appetite=side)
            person.careful = False
    rich = sum(p.money for p in people if p.kind is not Kind.LP) * mix.lp_share_ppm // PPM
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
