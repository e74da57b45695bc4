"""A vAMM's data: parameters and their bounds, curve, requests of LPs."""

from dataclasses import dataclass

from novation.model.errors import Refused

HOUR, DAY = 3_600, 86_400


@dataclass(frozen=True)
class VammParams:
    """ppm, but `depth` (whole number), `follow`, `cooldown` and `window` (seconds)."""

    band: int
    base_fee: int
    distance_fee: int
    age_fee: int
    fee_cap: int
    return_speed: int
    return_cap: int
    house_share: int
    depth: int
    follow: bool
    lp_fee: int
    cooldown: int
    window: int

    def check(self) -> None:
        """Refuses the first value outside its bounds."""
        for field, value, least, most in (
            ("band", self.band, 1_000, 200_000),
            ("baseFee", self.base_fee, 0, 10_000),
            ("distanceFee", self.distance_fee, 0, 1_000_000),
            ("ageFee", self.age_fee, 0, 5_000_000),
            ("feeCap", self.fee_cap, self.base_fee, 40_000),
            ("returnSpeed", self.return_speed, 0, 1_000),
            ("returnCap", self.return_cap, 0, self.band),
            ("houseShare", self.house_share, 0, 500_000),
            ("depth", self.depth, 1, 10),
            ("lpFee", self.lp_fee, 0, 10_000),
            ("cooldown", self.cooldown, HOUR, 30 * DAY),
            ("window", self.window, HOUR, 30 * DAY),
        ):
            if not least <= value <= most:
                bound = least if value < least else most
                raise Refused("VammOutOfBounds", field=field, value=value, bound=bound)


@dataclass(frozen=True)
class State:
    """`peg` (WAD quote per lot) stands at `index`; `root` = sqrt(k), WAD lots, 0 without curve."""

    peg: int = 0
    index: int = 0
    root: int = 0


@dataclass(frozen=True)
class Request:
    """An LP's: quote to deposit or shares to withdraw, WAD; seconds; least release ratio, WAD."""

    amount: int
    made_at: int
    min_ratio: int = 0
