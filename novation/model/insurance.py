"""Insurance: shares of the account that pays deficits (backstop/InsuranceFund.sol).

Way out: request, cooldown, then inside the window redeem or withdraw at the lower of the prices at
request and now. Assets and amounts of tokens are token units, money of the ledger and cover WAD
quote. Each public method is one transaction; `sender` is the 20-byte address that calls. Tokens
outside the vault and allowances of theirs are not modelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from novation.model.clock import Clock
from novation.model.errors import Refused
from novation.model.fixed import MAX_UINT, div_up, full_mul_div, full_mul_div_up
from novation.units import PPM, WAD

HOUR, DAY = 3_600, 86_400
MIN_TIME, MAX_TIME = HOUR, 30 * DAY
USED_DECAY = 7 * DAY
VIRTUAL = 10**6
"""Shares that nobody owns; beside them is one token unit that nobody owns."""
SPENT = VIRTUAL * 10**6
"""Shares per token unit at 1e-6 of the first price."""
LEAST_WORTH = 9_999
CLAIMS_BOUND = 10_000
"""Of the stake, ppm: claims wait while bankrupts have lost more."""


class Money(Protocol):
    """An account of the ledger: capital and pnl, WAD quote."""

    @property
    def capital(self) -> int: ...
    @property
    def pnl(self) -> int: ...


class Clearing(Protocol):
    """What insurance asks of the clearing house."""

    bare_debt: int
    interest_pending: int

    def stored(self, account: bytes) -> Money: ...
    def release(
        self,
        account: bytes,
        amount: int,
        touch_first: Sequence[bytes],
        min_ratio: int,
        sender: bytes,
    ) -> int: ...


class Vault(Protocol):
    """What insurance asks of the margin vault."""

    settlement_token: str
    settlement_held: int

    @property
    def settlement_scale(self) -> int: ...
    @property
    def settlement_cap(self) -> int: ...
    def collateral_value(self, account: bytes) -> tuple[int, int]: ...
    def deposit(self, account: bytes, token: str, amount: int) -> None: ...
    def withdraw(
        self, account: bytes, token: str, amount: int, caller: bytes, to: bytes
    ) -> None: ...


@dataclass(frozen=True)
class StakeRequest:
    """Shares to be claimed; the window's first and last second; assets and supply when asked."""

    shares: int = 0
    from_: int = 0
    until: int = 0
    assets: int = 0
    supply: int = 0


@dataclass(frozen=True)
class Cover:
    """Of one market: ppm of the stake not in cooldown, the last draw, what was used after it."""

    ppm: int = 0
    drawn_at: int = 0
    used: int = 0


@dataclass
class InsuranceFund:
    """`address` is the fund's own; its ledger account is number 0."""

    clock: Clock
    clearing: Clearing
    vault: Vault
    address: bytes
    cooldown: int = 7 * DAY
    window: int = DAY
    share_epoch: int = 0
    total: int = 0
    requested: int = 0
    balances: dict[bytes, int] = field(default_factory=dict)
    requests: dict[bytes, StakeRequest] = field(default_factory=dict)
    allowances: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    covers: dict[int, Cover] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.account = self.address + bytes(12)
        self.set_times(self.cooldown, self.window)

    # Shares

    def balance_of(self, holder: bytes) -> int:
        return self.balances.get(holder, 0)

    def request_of(self, holder: bytes) -> StakeRequest:
        return self.requests.get(holder, StakeRequest())

    def total_assets(self) -> int:
        return self._capital() // self.vault.settlement_scale

    def to_shares(self, assets: int) -> int:
        """Rounded down."""
        return full_mul_div(assets, self.total + VIRTUAL, self.total_assets() + 1)

    def to_assets(self, shares: int) -> int:
        """Rounded down."""
        return full_mul_div(shares, self.total_assets() + 1, self.total + VIRTUAL)

    def approve(self, spender: bytes, amount: int, sender: bytes) -> None:
        self.allowances[sender, spender] = amount

    def transfer(self, to: bytes, amount: int, sender: bytes) -> None:
        self._require_movable(sender, amount)
        self._move(sender, to, amount)

    def transfer_from(self, from_: bytes, to: bytes, amount: int, sender: bytes) -> None:
        self._require_allowance(from_, sender, amount)
        self._require_movable(from_, amount)
        self._spend(from_, sender, amount)
        self._move(from_, to, amount)

    def _require_movable(self, holder: bytes, amount: int) -> None:
        """Shares in a request stay."""
        balance = self.balance_of(holder)
        if balance < amount:
            raise Refused("ERC20InsufficientBalance", sender=holder, balance=balance, needed=amount)
        free = balance - self.request_of(holder).shares
        if free < amount:
            raise Refused("InsuranceSharesRequested", holder=holder, free=free, wanted=amount)

    def _require_allowance(self, owner: bytes, spender: bytes, amount: int) -> None:
        given = self.allowances.get((owner, spender), 0)
        if given < amount:
            raise Refused(
                "ERC20InsufficientAllowance", spender=spender, allowance=given, needed=amount
            )

    def _spend(self, owner: bytes, spender: bytes, amount: int) -> None:
        if self.allowances.get((owner, spender), 0) < MAX_UINT:
            self.allowances[owner, spender] = self.allowances.get((owner, spender), 0) - amount

    def _move(self, from_: bytes, to: bytes, amount: int) -> None:
        self.balances[from_] = self.balance_of(from_) - amount
        self.balances[to] = self.balance_of(to) + amount

    # In

    def deposit(self, assets: int, receiver: bytes) -> int:
        everything = self._require_unspent()
        shares = full_mul_div(assets, self.total + VIRTUAL, everything + 1)
        worth = full_mul_div(shares, (everything + 1) * 10_000, self.total + VIRTUAL)
        if worth < assets * LEAST_WORTH:
            raise Refused("InsuranceDepositTooSmall", assets=assets, worth=worth // 10_000)
        self._enter(assets, shares, receiver)
        return shares

    def mint(self, shares: int, receiver: bytes) -> int:
        everything = self._require_unspent()
        assets = full_mul_div_up(shares, everything + 1, self.total + VIRTUAL)
        self._enter(assets, shares, receiver)
        return assets

    def _enter(self, assets: int, shares: int, receiver: bytes) -> None:
        self.vault.deposit(self.account, self.vault.settlement_token, assets)
        self.balances[receiver] = self.balance_of(receiver) + shares
        self.total += shares

    def _require_unspent(self) -> int:
        """All assets."""
        assets = self.total_assets()
        if is_spent(assets, self.total):
            raise Refused("InsuranceSpent", assets=assets, shares=self.total)
        value = self.vault.collateral_value(self.account)[0]
        if value > self._bound():
            raise Refused("InsuranceHoldsCollateral", value=value, maximum=self._bound())
        return assets

    def max_deposit(self) -> int:
        if self.vault.collateral_value(self.account)[0] > self._bound():
            return 0
        if is_spent(self.total_assets(), self.total):
            return 0
        return self.vault.settlement_cap - self.vault.settlement_held

    # Out

    def request(self, shares: int, sender: bytes) -> None:
        has = self.balance_of(sender)
        if shares == 0 or shares > has:
            raise Refused("InsuranceSharesTooLow", holder=sender, shares=has, wanted=shares)
        from_ = self.clock.now + self.cooldown
        made = StakeRequest(shares, from_, from_ + self.window, self.total_assets(), self.total)
        self._set_request(sender, made)

    def cancel(self, sender: bytes) -> None:
        self._open_request(sender)
        self._set_request(sender, StakeRequest())

    def lapse(self, holder: bytes) -> None:
        r = self._open_request(holder)
        if self.clock.now <= r.until:
            raise Refused("InsuranceTooEarly", time=self.clock.now, from_=r.until)
        self._set_request(holder, StakeRequest())

    def _set_request(self, holder: bytes, r: StakeRequest) -> None:
        self.requested += r.shares - self.request_of(holder).shares
        if r.shares:
            self.requests[holder] = r
        else:
            self.requests.pop(holder, None)

    def _open_request(self, holder: bytes) -> StakeRequest:
        if holder not in self.requests:
            raise Refused("InsuranceNoRequest", holder=holder)
        return self.requests[holder]

    def _require_cooled(self, holder: bytes) -> StakeRequest:
        r = self._open_request(holder)
        if self.clock.now < r.from_:
            raise Refused("InsuranceTooEarly", time=self.clock.now, from_=r.from_)
        if self.clock.now > r.until:
            raise Refused("InsuranceTooLate", time=self.clock.now, until=r.until)
        if self.clearing.bare_debt > self._bound():
            losses = self.clearing.bare_debt
            raise Refused("InsuranceClaimsWait", losses=losses, maximum=self._bound())
        return r

    def _bound(self) -> int:
        """Losses of bankrupts that claims do not wait for."""
        return self._capital() * CLAIMS_BOUND // PPM

    def redeem(self, shares: int, receiver: bytes, owner: bytes, sender: bytes) -> int:
        """Assets paid."""
        r = self._require_cooled(owner)
        assets = self._worth(r, shares)
        self._claim(r, shares, assets, receiver, owner, sender)
        return assets

    def withdraw(self, assets: int, receiver: bytes, owner: bytes, sender: bytes) -> int:
        """Shares burned."""
        r = self._require_cooled(owner)
        then = full_mul_div_up(assets, r.supply + VIRTUAL, r.assets + 1)
        now = full_mul_div_up(assets, self.total + VIRTUAL, self.total_assets() + 1)
        shares = max(then, now)
        self._claim(r, shares, assets, receiver, owner, sender)
        return shares

    def _worth(self, r: StakeRequest, shares: int) -> int:
        """At the lower of the prices at request and now, rounded down."""
        then = full_mul_div(shares, r.assets + 1, r.supply + VIRTUAL)
        return min(then, self.to_assets(shares))

    def _claim(
        self,
        r: StakeRequest,
        shares: int,
        assets: int,
        receiver: bytes,
        owner: bytes,
        sender: bytes,
    ) -> None:
        if shares > r.shares:
            raise Refused("InsuranceSharesTooLow", holder=owner, shares=r.shares, wanted=shares)
        if assets == 0:
            raise Refused("InsuranceNothingToPay", shares=shares)
        if sender != owner:
            self._require_allowance(owner, sender, shares)
        token = self.vault.settlement_token
        self.vault.withdraw(self.account, token, assets, self.address, receiver)
        if sender != owner:
            self._spend(owner, sender, shares)
        self._set_request(owner, replace(r, shares=r.shares - shares))
        self.balances[owner] -= shares
        self.total -= shares

    def preview_claim(self, holder: bytes, shares: int) -> int:
        r = self.request_of(holder)
        return self._worth(r, shares) if r.shares else 0

    def claimable(self, holder: bytes) -> tuple[int, int]:
        """Shares and assets: maxRedeem and maxWithdraw."""
        r = self.request_of(holder)
        if not r.shares or not r.from_ <= self.clock.now <= r.until:
            return 0, 0
        if self.clearing.bare_debt > self._bound():
            return 0, 0
        assets = self._worth(r, r.shares)
        return (r.shares if assets else 0), assets

    # Income and the end of a stake

    def release(self, amount: int, touch_first: Sequence[bytes]) -> int:
        """Junior profit of the fund becomes capital, one for one or not at all."""
        return self.clearing.release(self.account, amount, touch_first, WAD, sender=self.address)

    def restart(self) -> None:
        """Ends the shares of a stake that was paid out."""
        a = self.clearing.stored(self.account)
        value = self.vault.collateral_value(self.account)[0] + self.clearing.interest_pending
        assets = (a.capital + max(a.pnl, 0) + value) // self.vault.settlement_scale
        if not is_spent(assets, self.total):
            raise Refused("InsuranceNotSpent", assets=assets, shares=self.total)
        self.share_epoch += 1
        self.total = self.requested = 0
        self.balances, self.requests = {}, {}

    # Cover

    def draw(self, market: int, wanted: int, capital: int) -> int:
        """Cover taken by the clearing house; the money is moved by it."""
        c = self.cover_of(market)
        used = self.used_of(market)
        amount = min(wanted, self._allotment(market, capital))
        if amount:
            self.covers[market] = Cover(c.ppm, self.clock.now, used + amount)
        return amount

    def cover_of(self, market: int) -> Cover:
        return self.covers.get(market, Cover())

    def allotment_of(self, market: int) -> int:
        return self._allotment(market, self._capital())

    def cover_at(self, market: int, capital: int) -> int:
        """As `allotment_of`, at this capital of the fund."""
        return self._allotment(market, capital)

    def used_of(self, market: int) -> int:
        """Linear to 0 in USED_DECAY from the last draw, rounded up."""
        c = self.cover_of(market)
        age = self.clock.now - c.drawn_at
        return 0 if age >= USED_DECAY else div_up(c.used * (USED_DECAY - age), USED_DECAY)

    def uncooled(self, capital: int | None = None) -> int:
        """The stake not in cooldown, rounded down."""
        capital = self._capital() if capital is None else capital
        everything = self.total + VIRTUAL
        return full_mul_div(capital, everything - self.requested, everything)

    def _allotment(self, market: int, capital: int) -> int:
        whole = self.uncooled(capital) * self.cover_of(market).ppm // PPM
        return max(0, whole - self.used_of(market))

    def _capital(self) -> int:
        return self.clearing.stored(self.account).capital

    # Parameters

    def set_times(self, cooldown: int, window: int) -> None:
        for name, value in (("cooldown", cooldown), ("window", window)):
            if not MIN_TIME <= value <= MAX_TIME:
                bound = MIN_TIME if value < MIN_TIME else MAX_TIME
                raise Refused("InsuranceOutOfBounds", field=name, value=value, bound=bound)
        self.cooldown, self.window = cooldown, window

    def set_allotment(self, market: int, ppm: int) -> None:
        c = self.cover_of(market)
        total = self.allotted - c.ppm + ppm
        if total > PPM:
            raise Refused("InsuranceOverAllotted", total=total, maximum=PPM)
        self.covers[market] = replace(c, ppm=ppm)

    @property
    def allotted(self) -> int:
        """Sum over all markets, ppm."""
        return sum(c.ppm for c in self.covers.values())


def is_spent(assets: int, supply: int) -> bool:
    """Shares are worth nothing, or so little that new ones would be too many."""
    return supply != 0 and (assets == 0 or (assets + 1) * SPENT < supply + VIRTUAL)
