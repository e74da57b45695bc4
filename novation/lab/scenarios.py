"""What a stress does to a price path, to the venue and to those who act on it, by name."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from novation.deploy.spec import Spec
from novation.lab.people import Mix
from novation.lab.prices import PricePath
from novation.lab.traders import Kind
from novation.units import WAD

HOUR = 3_600
SHARES = {
    Kind.GAMBLER: 40,
    Kind.NOISE: 18,
    Kind.TREND: 14,
    Kind.LP: 10,
    Kind.BASIS: 8,
    Kind.ARBITRAGE: 6,
    Kind.SNIPER: 4,
}
ONE_SIDED = {Kind.GAMBLER: 80, Kind.NOISE: 10, Kind.LP: 10}
OPEN_INTEREST_CAP = 600_000 * WAD  # lots; what stops people here is margin, not a cap
LAST_PRICE = Decimal("1.25")  # the local oracle believes nothing below 1
QUOTES = Decimal("1e-8")

Bend = Callable[[PricePath, int], PricePath]
"""The path as a stress has it, with the worst moment of the one that was given."""
Adapt = Callable[[Spec, int], Spec]


@dataclass(frozen=True)
class Stress:
    """`before`, `after`: hours of the path around its worst moment; None takes all of it. `asleep`:
    for how many hours from that moment keepers do nothing."""

    name: str
    says: str
    mix: Mix = field(default_factory=lambda: Mix(SHARES))
    before: int | None = 2
    after: int = 3
    asleep: int = 0
    capital: bool = True
    stake: bool = True
    bend: Bend = lambda path, _: path
    adapt: Adapt = lambda spec, _: spec


def bend(factor: Callable[[int], Decimal], what: str) -> Bend:
    """Prices times what `factor` says so many seconds after the worst moment began."""

    def bent(path: PricePath, worst: int) -> PricePath:
        pairs = zip(path.times, path.prices, strict=True)
        prices = tuple((p * factor(t - worst)).quantize(QUOTES) for t, p in pairs)
        return PricePath(path.label, f"{path.source}; {what}", True, path.times, prices)

    return bent


def there_and_back(since: int) -> Decimal:
    """Seven tenths at once, and five quarters an hour and a half later."""
    if since < 0:
        return Decimal(1)
    return Decimal("0.7") if since < 3 * HOUR // 2 else Decimal("1.25")


def up(since: int) -> Decimal:
    return Decimal(1) if since < 0 else Decimal("2.6")


def to_nothing(path: PricePath, worst: int) -> PricePath:
    """Within an hour in equal steps of its logarithm to the least that the oracle believes."""
    end = float(LAST_PRICE / max(path.prices))

    def factor(since: int) -> Decimal:
        part = min(max(since, 0) / HOUR, 1.0)
        return Decimal(repr(end**part))

    bent = bend(factor, "within the hour it falls to almost nothing")(path, worst)
    prices = tuple(max(price, LAST_PRICE) for price in bent.prices)
    return replace(bent, prices=prices)


def open_cap(spec: Spec, market: int) -> Spec:
    return with_market(spec, market, risk={"open_interest_cap": OPEN_INTEREST_CAP})


def wide_band(spec: Spec, market: int) -> Spec:
    """The most that a pool may hold on what it has: its worst parameters inside the bounds."""
    wide = {"band": 200_000, "depth": 10, "distance_fee": 0}
    return with_market(spec, market, vamm=wide)


def quick_exit(spec: Spec, _: int) -> Spec:
    """The shortest cooldown of the insurance fund that its bounds let."""
    quick = spec.insurance.model_copy(update={"cooldown": HOUR})
    return spec.model_copy(update={"insurance": quick})


def with_market(spec: Spec, number: int, **changes: dict[str, int]) -> Spec:
    market = spec.markets[number]
    parts = {k: getattr(market, k).model_copy(update=values) for k, values in changes.items()}
    markets = list(spec.markets)
    markets[number] = market.model_copy(update=parts)
    return spec.model_copy(update={"markets": markets})


STRESSES = {
    stress.name: stress
    for stress in (
        Stress(
            "asleep",
            "For the worst hour gas costs so much that nobody liquidates, resolves or collects.",
            before=None,
            asleep=1,
        ),
        Stress(
            "jump",
            "In one round the index jumps by five maintenance margins, and later by twelve back.",
            bend=bend(there_and_back, "at the worst moment it jumps to 0.7, later to 1.25 of it"),
            adapt=quick_exit,
        ),
        Stress("poor", "Keepers have no capital: they sell what they take.", capital=False),
        Stress(
            "pool",
            "Nearly all buy from a pool with a wide band; then the index jumps to 2.6 of itself.",
            mix=Mix(ONE_SIDED, 250_000, 0.95),
            bend=bend(up, "at the worst moment it jumps to 2.6 of it"),
            adapt=wide_band,
        ),
        Stress("nothing", "The index falls to almost nothing within an hour.", bend=to_nothing),
        Stress(
            "uninsured",
            "Nobody stakes in the insurance fund; from the worst hour on keepers do nothing.",
            stake=False,
            asleep=3,
        ),
    )
}


def worst_hour(path: PricePath) -> int:
    """The second at which the hour begins that loses the most."""
    last = path.end - HOUR
    starts = [t for t in path.times if t <= last] or [path.start]
    return min(starts, key=lambda t: (path.at(t + HOUR) / path.at(t), t))
