"""MarginVault in exact integers: tokens held, other collateral, caps, throttles.

Token amounts have the token's decimals; values are WAD quote. The clearing house's part is behind
`Clearing`; the vault's own changes are undone when that refuses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.fixed import div_up
from novation.model.market import STATUS_ERRORS
from novation.model.oracle import Price, PriceStatus
from novation.model.throttle import Throttle
from novation.units import PPM, PPM_IN_WAD, WAD

MAX_SLOTS = 8
MAX_DECIMALS = 18
MAX_DISCOUNT, MAX_INTEREST, MAX_THRESHOLD = 50_000, 500_000, 10_000
YEAR = 365 * 86_400
MIN_HAIRCUT, MAX_HAIRCUT = 10_000, 900_000
MIN_SCALE, MAX_SCALE = 1_000, 10**12
TERMS_RAMP = 86_400
WITHDRAW = 2
CAPITAL_BITS = 2**96 - 1
MOST_HELD = 2**96 - 1
OWNER_BYTES = 20
NO_LIMIT = 2**256 - 1


class Clearing(Protocol):
    """What the vault asks of the clearing house. Accounts have 32 bytes, addresses 20."""

    def credit(self, account: bytes, amount: int) -> None: ...
    def debit(
        self, account: bytes, amount: int, touch_first: Sequence[bytes], min_ratio: int
    ) -> None: ...
    def set_collateral(self, account: bytes, held: bool, check: bool) -> None: ...
    def is_authorised(self, account: bytes, who: bytes, permission: int) -> bool: ...


@dataclass
class Collateral:
    """One slot. `price` is what the slot's oracle says now."""

    token: str
    decimals: int
    haircut: int
    haircut_scale: int
    cap: int
    price: Callable[[], Price]
    held: int = 0
    last_price: int = 0
    from_haircut: int = 0
    from_scale: int = 0
    end_at: int = 0

    def terms_at(self, now: int) -> tuple[int, int]:
        """Haircut and scale for maintenance: linear from the old terms until `end_at`."""
        if now >= self.end_at:
            return self.haircut, self.haircut_scale
        left = self.end_at - now
        return (
            (self.from_haircut * left + self.haircut * (TERMS_RAMP - left)) // TERMS_RAMP,
            (self.from_scale * left + self.haircut_scale * (TERMS_RAMP - left)) // TERMS_RAMP,
        )

    def value_of(self, amount: int, now: int) -> tuple[int, int]:
        """Maintenance and initial value of `amount` token units."""
        price = self.price()
        live = price.status is PriceStatus.OK
        value = amount * (price.value if live else self.last_price) // 10**self.decimals
        haircut, scale = self.terms_at(now)
        maintenance = counted_down(value, haircut if live else 2 * haircut, scale)
        if not live:
            return maintenance, 0
        return maintenance, min(maintenance, counted_down(value, self.haircut, self.haircut_scale))

    def sale_price(self, now: int) -> int:
        """WAD quote per whole token, less the discount, rounded down; 0 without a price.

        Keeps the price as the last good one.
        """
        price = self.price()
        if price.status is not PriceStatus.OK:
            return 0
        self.last_price = price.value
        discount = min(min(self.terms_at(now)[0], self.haircut) // 2, MAX_DISCOUNT)
        return price.value * (PPM - discount) // PPM

    def poke(self) -> None:
        """Keeps the last good price."""
        price = self.price()
        if price.status is PriceStatus.OK:
            self.last_price = price.value


def counted_down(value: int, haircut: int, scale: int) -> int:
    """V * (1 - h * (1 + V / S)), V at most where that is greatest; never more than V.

    `value` WAD quote, `haircut` ppm, `scale` whole quote.
    """
    if haircut >= PPM:
        return 0
    scale_wad = scale * WAD
    value = min(value, scale_wad * (PPM - haircut) // (2 * haircut))
    return value * ((PPM - haircut) * scale_wad - haircut * value) // (PPM * scale_wad)


@dataclass(frozen=True)
class LossTerms:
    """Interest a year in ppm; a loss left alone and the sum of all such, whole quote."""

    rate: int = 0
    threshold: int = 0
    cap: int = 0


@dataclass
class MarginVault:
    settlement_token: str
    settlement_decimals: int
    clock: Clock
    clearing: Clearing = field(init=False)
    """Set by whoever makes both: each needs the other."""
    settlement_held: int = 0
    collateral: dict[str, Collateral] = field(default_factory=dict)
    balances: dict[tuple[bytes, str], int] = field(default_factory=dict)
    loss_terms: LossTerms = LossTerms()
    interest: tuple[int, int] = (0, 0)
    """The interest index when the terms were set, WAD, and when."""
    throttles: dict[str, Throttle] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_decimals(self.settlement_token, self.settlement_decimals)

    @property
    def settlement_scale(self) -> int:
        """WAD quote per unit of the settlement token."""
        return int(10 ** (MAX_DECIMALS - self.settlement_decimals))

    @property
    def settlement_cap(self) -> int:
        return CAPITAL_BITS // self.settlement_scale

    def settlement_wad(self) -> int:
        return self.settlement_held * self.settlement_scale

    def collateral_of(self, account: bytes, token: str) -> int:
        self._slot(token)
        return self.balances.get((account, token), 0)

    def collateral_value(self, account: bytes) -> tuple[int, int]:
        """(maintenance, initial) of all other collateral of the account."""
        values = [
            slot.value_of(self.balances.get((account, token), 0), self.clock.now)
            for token, slot in self.collateral.items()
        ]
        return sum(m for m, _ in values), sum(i for _, i in values)

    def deposit(self, account: bytes, token: str, amount: int) -> None:
        if amount == 0:
            raise Refused("VaultZeroAmount")
        if not any(account[:OWNER_BYTES]):
            raise Refused("VaultNoOwner", account=account)
        if token == self.settlement_token:
            total, cap = self.settlement_held + amount, self.settlement_cap
            if total > cap:
                raise Refused("VaultCapExceeded", token=token, total=total, cap=cap)
            self.clearing.credit(account, amount * self.settlement_scale)
            self.throttle(token).advance(self.settlement_held, self.clock.now)
            self.settlement_held = total
            return
        slot = self._slot(token)
        total, cap = slot.held + amount, min(slot.cap, MOST_HELD)
        if total > cap:
            raise Refused("VaultCapExceeded", token=token, total=total, cap=cap)
        self.clearing.set_collateral(account, True, False)
        self.throttle(token).advance(slot.held, self.clock.now)
        slot.held = total
        self.balances[account, token] = self.balances.get((account, token), 0) + amount
        slot.poke()

    def seed(self, amount: int) -> None:
        """Settlement tokens that become surplus, which is nobody's."""
        if amount == 0:
            raise Refused("VaultZeroAmount")
        total, cap = self.settlement_held + amount, self.settlement_cap
        if total > cap:
            raise Refused("VaultCapExceeded", token=self.settlement_token, total=total, cap=cap)
        self.throttle(self.settlement_token).advance(self.settlement_held, self.clock.now)
        self.settlement_held = total

    def withdraw(
        self,
        account: bytes,
        token: str,
        amount: int,
        caller: bytes,
        to: bytes,
        touch: Sequence[bytes] = (),
        min_release: int = WAD,
    ) -> None:
        if amount == 0:
            raise Refused("VaultZeroAmount")
        owner = account[:OWNER_BYTES]
        if caller != owner and not (
            to == owner and self.clearing.is_authorised(account, caller, WITHDRAW)
        ):
            raise Refused("VaultNotAuthorised", account=account, caller=caller)
        if token == self.settlement_token:
            held = self.settlement_held
            if amount > held:
                raise _too_low(account, token, held, amount)
            throttle, now = self.throttle(token), self.clock.now
            throttle.check(token, owner, amount, held, now)
            self.clearing.debit(account, amount * self.settlement_scale, touch, min_release)
            throttle.count_out(owner, amount, held, now)
            self.settlement_held = held - amount
            return
        self._withdraw_collateral(account, token, amount)

    def _withdraw_collateral(self, account: bytes, token: str, amount: int) -> None:
        slot = self._slot(token)
        balance = self.balances.get((account, token), 0)
        if amount > balance:
            raise _too_low(account, token, balance, amount)
        throttle, held, now = self.throttle(token), slot.held, self.clock.now
        throttle.check(token, account[:OWNER_BYTES], amount, held, now)
        last_price = slot.last_price
        self.balances[account, token] = balance - amount
        slot.held -= amount
        slot.poke()
        still = self._holds(account)
        try:
            self.clearing.set_collateral(account, still, True)
        except Exception:
            self.balances[account, token] = balance
            slot.held = held
            slot.last_price = last_price
            raise
        throttle.count_out(account[:OWNER_BYTES], amount, held, now)

    def poke(self, token: str) -> None:
        self._slot(token).poke()

    def snapshot(self) -> tuple[dict[tuple[bytes, str], int], dict[str, int]]:
        """What a refused call of the clearing house may have moved."""
        return dict(self.balances), {t: slot.last_price for t, slot in self.collateral.items()}

    def restore(self, kept: tuple[dict[tuple[bytes, str], int], dict[str, int]]) -> None:
        self.balances, prices = kept
        for token, price in prices.items():
            self.collateral[token].last_price = price

    # Losses behind other collateral

    def seize(
        self, from_: bytes, to: bytes, token: str, owed: int, budget: int, max_amount: int
    ) -> tuple[int, int, int, bool]:
        """Sells to `to` what brings `owed`: amount, paid, price, whether any collateral is left."""
        slot = self._slot(token)
        price = slot.sale_price(self.clock.now)
        if price == 0:
            raise Refused(STATUS_ERRORS[slot.price().status])
        amount, paid = self._sell(from_, to, slot, price, owed, budget, max_amount)
        return amount, paid, price, self._holds(from_)

    def seize_all(self, from_: bytes, to: bytes, owed: int, budget: int) -> tuple[int, bool]:
        """As `seize`, of each token that has a price, until `owed` is paid."""
        paid = 0
        for slot in self.collateral.values():
            price = slot.sale_price(self.clock.now)
            if price and paid < owed:
                rest = owed - paid, budget - paid
                paid += self._sell(from_, to, slot, price, *rest, NO_LIMIT)[1]
        return paid, self._holds(from_)

    def _sell(
        self,
        from_: bytes,
        to: bytes,
        slot: Collateral,
        price: int,
        owed: int,
        budget: int,
        max_amount: int,
    ) -> tuple[int, int]:
        unit = 10**slot.decimals
        balance = self.balances.get((from_, slot.token), 0)
        amount = min(div_up(owed * unit, price), balance, max_amount)
        paid = div_up(amount * price, unit)
        if paid > budget:
            amount = budget * unit // price
            paid = div_up(amount * price, unit)
        if amount == 0:
            return 0, 0
        self.balances[from_, slot.token] = balance - amount
        self.balances[to, slot.token] = self.balances.get((to, slot.token), 0) + amount
        return amount, paid

    def _holds(self, account: bytes) -> bool:
        return any(b for (owner, _), b in self.balances.items() if owner == account)

    def set_loss_terms(self, rate: int, threshold: int, cap: int) -> None:
        for name, value, most in (
            ("rate", rate, MAX_INTEREST),
            ("threshold", threshold, MAX_THRESHOLD),
        ):
            if value > most:
                raise Refused("VaultOutOfBounds", field=name, value=value, bound=most)
        self.interest = self.interest_index(), self.clock.now
        self.loss_terms = LossTerms(rate, threshold, cap)

    def interest_index(self) -> int:
        """Interest on 1 of loss since the beginning, WAD."""
        index, at = self.interest
        return index + self.loss_terms.rate * PPM_IN_WAD * (self.clock.now - at) // YEAR

    def list_collateral(self, slot: Collateral) -> None:
        if slot.token == self.settlement_token or slot.token in self.collateral:
            raise Refused("VaultAlreadyListed", token=slot.token)
        if len(self.collateral) == MAX_SLOTS:
            raise Refused("VaultSlotsFull", slots=MAX_SLOTS)
        _check_terms(slot.haircut, slot.haircut_scale)
        _check_decimals(slot.token, slot.decimals)
        slot.from_haircut, slot.from_scale = slot.haircut, slot.haircut_scale
        slot.poke()
        self.collateral[slot.token] = slot

    def set_collateral_terms(self, token: str, haircut: int, haircut_scale: int, cap: int) -> None:
        _check_terms(haircut, haircut_scale)
        slot = self._slot(token)
        if (haircut, haircut_scale) != (slot.haircut, slot.haircut_scale):
            slot.from_haircut, slot.from_scale = slot.terms_at(self.clock.now)
            slot.haircut, slot.haircut_scale = haircut, haircut_scale
            slot.end_at = self.clock.now + TERMS_RAMP
        slot.cap = cap

    def tighten_cap(self, token: str, cap: int) -> None:
        slot = self._slot(token)
        if cap >= slot.cap:
            raise Refused("VaultNotTighter", current=slot.cap, proposed=cap)
        slot.cap = cap

    # How fast a token may leave

    def throttle(self, token: str) -> Throttle:
        return self.throttles.setdefault(token, Throttle())

    def set_throttle(self, token: str, share: int, exempt: int) -> None:
        self.throttle(token).set(share, exempt, self.held_of(token), self.clock.now)

    def tighten_throttle(self, token: str, share: int, exempt: int) -> None:
        self.throttle(token).tighten(share, exempt, self.held_of(token), self.clock.now)

    def held_of(self, token: str) -> int:
        return self.settlement_held if token == self.settlement_token else self._slot(token).held

    def _slot(self, token: str) -> Collateral:
        if token not in self.collateral:
            raise Refused("VaultUnknownToken", token=token)
        return self.collateral[token]


def _too_low(account: bytes, token: str, balance: int, amount: int) -> Refused:
    return Refused(
        "VaultBalanceTooLow", account=account, token=token, balance=balance, amount=amount
    )


def _check_terms(haircut: int, scale: int) -> None:
    for name, value, least, most in (
        ("haircut", haircut, MIN_HAIRCUT, MAX_HAIRCUT),
        ("haircutScale", scale, MIN_SCALE, MAX_SCALE),
    ):
        if not least <= value <= most:
            bound = least if value < least else most
            raise Refused("VaultOutOfBounds", field=name, value=value, bound=bound)


def _check_decimals(token: str, decimals: int) -> None:
    if decimals > MAX_DECIMALS:
        raise Refused("VaultDecimals", token=token, decimals=decimals, maximum=MAX_DECIMALS)
