"""How fast a token may leave the vault, in exact integers. The formula is in IMarginVault."""

from dataclasses import dataclass, field

from novation.model.accrual import toward, weight
from novation.model.errors import Refused
from novation.units import PPM

THROTTLE_SECONDS = 3_600
MIN_SHARE = 50_000


@dataclass
class Throttle:
    """Of one token; `held` is what the vault holds of it since the last change, token units."""

    kept: int = 0
    """100 % less the share, ppm; 0 is no throttle."""
    exempt: int = 0
    average: int = 0
    averaged_at: int = 0
    taken: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """Owner -> what he took by his exemption, and when last."""

    @property
    def share(self) -> int:
        return PPM - self.kept

    def average_at(self, held: int, now: int) -> int:
        if not self.kept:
            return held
        return toward(self.average, held, weight(now - self.averaged_at, THROTTLE_SECONDS))

    def available(self, held: int, now: int) -> int:
        """What may leave now, exemptions aside."""
        return max(0, held - self.average_at(held, now) * self.kept // PPM)

    def exempt_left(self, owner: bytes, now: int) -> int:
        return max(0, self.exempt - self._taken_by(owner, now))

    def _taken_by(self, owner: bytes, now: int) -> int:
        taken, at = self.taken.get(owner, (0, 0))
        return taken if now < at + THROTTLE_SECONDS else 0

    def check(self, token: str, owner: bytes, amount: int, held: int, now: int) -> None:
        """Refuses what neither the average nor the owner's exemption lets go."""
        most = max(self.available(held, now), self.exempt_left(owner, now))
        if amount > most:
            raise Refused("VaultThrottled", token=token, wanted=amount, available=most)

    def count_out(self, owner: bytes, amount: int, held: int, now: int) -> None:
        """A withdrawal that was checked: on the owner's exemption, if it needs that."""
        if amount > self.available(held, now):
            self.taken[owner] = (self._taken_by(owner, now) + amount, now)
        self.advance(held, now)

    def advance(self, held: int, now: int) -> None:
        """Brings the average to now, before what is held changes."""
        if self.kept:
            self.average, self.averaged_at = self.average_at(held, now), now

    def set(self, share: int, exempt: int, held: int, now: int) -> None:
        if share > PPM:
            raise Refused("VaultOutOfBounds", field="share", value=share, bound=PPM)
        self._set(share, exempt, held, now)

    def tighten(self, share: int, exempt: int, held: int, now: int) -> None:
        for current, proposed in ((self.share, share), (self.exempt, exempt)):
            if proposed > current:
                raise Refused("VaultNotTighter", current=current, proposed=proposed)
        self._set(share, exempt, held, now)

    def _set(self, share: int, exempt: int, held: int, now: int) -> None:
        if share < MIN_SHARE:
            raise Refused("VaultOutOfBounds", field="share", value=share, bound=MIN_SHARE)
        self.average, self.averaged_at = self.average_at(held, now), now
        self.kept, self.exempt = PPM - share, exempt
