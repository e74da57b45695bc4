"""Whom to touch so that a profit can be withdrawn, and the withdrawal that does it.

A recorded profit becomes capital at h = min(1, R / profitTotal), R the settlement tokens beyond
capital and pending fees. A touch of an account that has lost since its last one takes the loss out
of its capital, or out of its recorded profit; both bring R nearer to profitTotal. A touch of one
that has won does the opposite, so nobody touches winners here. The change of an account is exact:
capital and profit as `ClearingHouse.health` says a touch would leave them, less those stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from novation.chain.client import Chain
from novation.chain.contract import Contract
from novation.chain.errors import ChainError, ContractError
from novation.chain.sender import Receipt, Sender
from novation.chain.words import MARKETS_MASK, AccountWord, unpack_account
from novation.units import FEE_UNIT, WAD, show_wad

ACCOUNT_GAS = 14_000
"""Gas of one more account in a touch, above its markets: its word, its event, its calldata."""
HELD_GAS = 20_000
"""Of each market that it holds: the position's word and event."""
ACCRUAL_GAS = 125_000
"""Of each market that takes in a new round: once in a transaction, with a second source."""
BUDGET = 10_000_000
"""Gas for touches in one withdrawal: well inside what one transaction may use (2^24)."""
SPARE = 50
"""One part in so many more than is missing is collected: the price may move before the block."""
ATTEMPTS = 3
RATIO_LOW = "ClearingReleaseRatio"


class NotBacked(ChainError):
    """All losses that can be collected do not cover the profits."""

    def __init__(self, missing: int, ratio: int) -> None:
        super().__init__(
            f"{show_wad(missing)} quote are missing: the losses that can be collected do not cover "
            "all recorded profit. Bankrupt accounts must be resolved first; "
            f"until then a release gives {show_wad(ratio)} for 1"
        )
        self.missing = missing
        self.ratio = ratio


class TooManyToTouch(ChainError):
    """What would have to be touched does not fit into one transaction."""

    def __init__(self, missing: int, accounts: int, gas: int, budget: int) -> None:
        super().__init__(
            f"{show_wad(missing)} quote are to be collected from {accounts} accounts, which takes "
            f"{gas} gas where {budget} are allowed: run `novation collect`, then withdraw"
        )
        self.missing = missing
        self.accounts = accounts
        self.gas = gas
        self.budget = budget


@dataclass(frozen=True)
class Core:
    """The contracts a collection speaks to, and the block they were there from."""

    clearing: Contract
    vault: Contract
    since: int = 0

    @property
    def chain(self) -> Chain:
        return self.clearing.chain


@dataclass(frozen=True)
class Change:
    """What a touch would do to an account, WAD quote. `bitmap` has its markets."""

    account: bytes
    capital: int
    profit: int
    bitmap: int

    @property
    def collected(self) -> int:
        """What it brings R nearer to profitTotal: positive for a loss."""
        return -self.capital - self.profit


@dataclass(frozen=True)
class Books:
    """R and profitTotal, WAD quote."""

    backing: int
    profits: int

    @property
    def missing(self) -> int:
        """What is to be collected until h is 1; negative when there is more than enough."""
        return self.profits - self.backing

    @property
    def ratio(self) -> int:
        """h, WAD, rounded down, as the clearing house says it."""
        return WAD if self.missing <= 0 else max(self.backing, 0) * WAD // self.profits

    def after(self, changes: Iterable[Change]) -> "Books":
        made = list(changes)
        return Books(
            self.backing - sum(c.capital for c in made), self.profits + sum(c.profit for c in made)
        )


def change_of(account: bytes, stored: AccountWord, capital: int, pnl: int) -> Change:
    """From the stored word and what `health` says of the touched account."""
    profit = max(pnl, 0) - max(stored.pnl, 0)
    return Change(account, capital - stored.capital, profit, stored.bitmap & MARKETS_MASK)


def touch_gas(changes: Iterable[Change]) -> int:
    """Gas of touching them in one transaction, at most."""
    made = list(changes)
    accrued = 0
    for change in made:
        accrued |= change.bitmap
    held = sum(change.bitmap.bit_count() for change in made)
    return ACCOUNT_GAS * len(made) + HELD_GAS * held + ACCRUAL_GAS * accrued.bit_count()


def losers(changes: Iterable[Change], least: int = 1) -> list[Change]:
    """Those with so much to collect; the largest first, and always in the same order."""
    found = [change for change in changes if change.collected >= least]
    return sorted(found, key=lambda change: (-change.collected, change.account))


def choose(books: Books, changes: Iterable[Change], budget: int = BUDGET) -> list[Change]:
    """The fewest accounts whose touch makes h = 1, and some spare where there is.

    Raises when all losses together are too small, or the touches would take more gas than `budget`.
    """
    missing = books.missing
    if missing <= 0:
        return []
    found = losers(changes)
    if (everything := books.after(found)).missing > 0:
        raise NotBacked(everything.missing, everything.ratio)
    enough = first_of(found, missing)
    if (gas := touch_gas(enough)) > budget:
        raise TooManyToTouch(missing, len(enough), gas, budget)
    ample = first_of(found, missing + missing // SPARE)
    return ample if touch_gas(ample) <= budget else enough


def first_of(found: Sequence[Change], wanted: int) -> list[Change]:
    """From the front until so much is collected, or all."""
    taken, collected = 0, 0
    while collected < wanted and taken < len(found):
        collected += found[taken].collected
        taken += 1
    return list(found[:taken])


# Reading


def stored_accounts(core: Core, block: int) -> dict[bytes, AccountWord]:
    """Every account that ever changed, as stored at `block`: from the events, which carry words."""
    made: dict[bytes, AccountWord] = {}
    for event in core.clearing.events(["AccountSet", "LegBooked"], core.since, block):
        word = event.values["word" if event.name == "AccountSet" else "accountWord"]
        made[event.values["account"]] = unpack_account(word)
    return made


def read_changes(
    core: Core, stored: Mapping[bytes, AccountWord], block: int
) -> tuple[list[Change], dict[bytes, ChainError]]:
    """What a touch would do to each account with a position; and those that cannot be read."""
    held = [account for account, word in stored.items() if word.markets]
    answers = core.chain.try_batch((core.clearing.at("health", a) for a in held), block)
    changes: list[Change] = []
    unread: dict[bytes, ChainError] = {}
    for account, answer in zip(held, answers, strict=True):
        if isinstance(answer, ChainError):
            unread[account] = answer
        else:
            now = answer.touched
            changes.append(change_of(account, stored[account], now.capital, now.pnl))
    return changes, unread


def read_books(core: Core, block: int) -> Books:
    held, house = core.chain.batch(
        [core.vault.at("settlementWad"), core.clearing.at("house")], block
    )
    fees = house.feesPending * FEE_UNIT
    return Books(held - house.capitalTotal - fees, house.profitTotal)


def refusals(core: Core, accounts: Sequence[bytes], block: int) -> dict[bytes, ChainError]:
    """Accounts whose touch reverts, and why: each is tried by itself."""
    answers = core.chain.try_batch((core.clearing.at("touch", [a]) for a in accounts), block)
    pairs = zip(accounts, answers, strict=True)
    return {account: answer for account, answer in pairs if isinstance(answer, ChainError)}


# Withdrawing


def whom_to_touch(core: Core, account: bytes, amount: int, budget: int = BUDGET) -> list[bytes]:
    """For a withdrawal of `amount` (WAD) by `account`, as the chain stands now."""
    block = core.chain.block_number()
    own, health = core.clearing.read("health", account, block=block)
    if health.free >= amount or own.capital + own.pnl < amount:
        return []  # nothing to release, or not enough: the vault says so
    stored = stored_accounts(core, block)
    mine = change_of(account, stored.pop(account), own.capital, own.pnl)
    books = read_books(core, block).after([mine])
    changes, _ = read_changes(core, stored, block)
    while chosen := choose(books, changes, budget):
        bad = refusals(core, [change.account for change in chosen], block)
        if not bad:
            break
        changes = [change for change in changes if change.account not in bad]
    return [change.account for change in chosen]


def withdraw(
    core: Core,
    sender: Sender,
    account: bytes,
    amount: int,
    to: str | None = None,
    budget: int = BUDGET,
) -> Receipt:
    """Takes token units of the settlement token out of `account`, profit one for one, in one
    transaction. `to` is the account's owner unless he says otherwise.

    When the market moves between the reading and the sending, it chooses anew.
    """
    token, scale = core.chain.batch(
        [core.vault.at("settlementToken"), core.vault.at("settlementScale")]
    )
    to = to or "0x" + account[:20].hex()
    attempt = 1
    while True:
        touch = whom_to_touch(core, account, amount * scale, budget)
        data = core.vault.encode("withdraw", account, token, amount, to, touch, WAD)
        try:
            prepared = sender.prepare(core.vault.address, data, label="withdraw")
            break
        except ContractError as error:
            if error.name != RATIO_LOW or attempt == ATTEMPTS:
                raise
        attempt += 1
    return sender.wait(sender.broadcast(prepared), "withdraw")


# Collecting


@dataclass(frozen=True)
class Collection:
    """What `collect` did, or would do."""

    touched: list[Change]
    refused: dict[bytes, ChainError]
    before: Books
    after: Books
    sent: list[Receipt]


def in_batches(changes: Sequence[Change], budget: int) -> list[list[Change]]:
    """In this order, each batch within the gas; an account that alone takes more is by itself."""
    made: list[list[Change]] = []
    for change in changes:
        if made and touch_gas([*made[-1], change]) <= budget:
            made[-1].append(change)
        else:
            made.append([change])
    return made


def collect(
    core: Core,
    collector: Contract,
    sender: Sender | None,
    least: int = WAD,
    budget: int = BUDGET,
) -> Collection:
    """Touches every account that has lost at least `least` (WAD) since its last touch.

    Without a sender it only says what it would do. An account that cannot be touched is left out.
    """
    block = core.chain.block_number()
    before = read_books(core, block)
    changes, refused = read_changes(core, stored_accounts(core, block), block)
    found = losers(changes, least)
    refused |= refusals(core, [change.account for change in found], block)
    good = [change for change in found if change.account not in refused]
    if sender is None:
        return Collection(good, refused, before, before.after(good), [])
    sent: list[Receipt] = []
    gas_each = collector.read("MIN_GAS")
    for batch in in_batches(good, budget - gas_each):
        data = collector.encode("tryTouch", [change.account for change in batch], gas_each)
        sent.append(sender.send(collector.address, data, label="collect"))
    return Collection(good, refused, before, read_books(core, core.chain.block_number()), sent)
