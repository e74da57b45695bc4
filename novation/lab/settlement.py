"""The end of a stress, by real transactions: everybody withdraws his full equity.

Before, the market is settled, bankrupt accounts are ended, all are touched, LPs and stakers leave,
and fees are collected.

What nobody can withdraw although it is owed to him is an unpaid claim.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.address import to_checksum_address

from novation import artifacts
from novation.chain.contract import call_to
from novation.lab.asks import Asks
from novation.lab.blocks import Block, Transaction
from novation.lab.errors import LabError
from novation.lab.keepers import in_parts
from novation.lab.mirror import Books
from novation.lab.recording import Outcome
from novation.lab.rescue import owner_of
from novation.lab.stage import Stage
from novation.lab.stakers import Stakers
from novation.lab.venue import State, account_id, read_all
from novation.units import WAD, tokens_to_wad, wad_to_tokens_down

HOUR = 3_600
APART = 12  # seconds between blocks
ROUNDS = 100  # of resolving: a charge may make the next one bankrupt
TOUCHED = 25  # accounts in a call
A_BLOCK = 200  # transactions
PATIENCE = 24 * 60  # hours that somebody waits for the throttle
SHARE = 5  # who was throttled asks for at most one of so many parts of what the vault holds
THROTTLED = "VaultThrottled"
CUT = ("ClearingReleaseRatio", "ClearingCapitalTooLow")
"""How the ledger refuses a whole equity while h is below 1."""


@dataclass
class Settlement:
    """`count` books the gas and the errors of a block."""

    stage: Stage
    stakers: Stakers
    time: int
    count: Callable[[Block], None]
    outcome: Outcome = field(default_factory=Outcome)

    def __post_init__(self) -> None:
        self.venue, self.mirror = self.stage.venue, self.stage.mirror
        self.keeper = owner_of("keeper")
        self.asks = Asks(self.venue, self.keeper, account_id(self.keeper))
        self.market = self.venue.spec.markets[self.venue.market]
        self.fund = account_id(self.venue.address("InsuranceFund"))
        self._unit = tokens_to_wad(1, self.venue.decimals)

    def run(self) -> Outcome:
        self.outcome.began = self.time
        self._must([self._to_market("beginSettlement")])
        self._end_bankrupts()
        self.time += self.market.settlement_window
        self._touch_all()
        self._end_bankrupts()
        self._begin_claims()
        self._lps_leave()
        self._stakers_leave()
        self._collect_fees()
        self._pay_out()
        self._end_claims()
        return self.outcome

    # The market

    def _end_bankrupts(self) -> None:
        """Without a taker: in a settled market nobody has to wait for one."""
        for _ in range(ROUNDS):
            below = [a for a in self.mirror.accounts if self.mirror.health(a).equity < 0]
            if not below:
                return
            self.outcome.ended += len(below)
            self._mine([self.asks.resolve(account, taken=False) for account in below])
        raise LabError(f"after {ROUNDS} rounds of resolving {len(below)} accounts are below zero")

    def _touch_all(self) -> None:
        parts = in_parts(list(self.mirror.accounts), TOUCHED)
        self._must([self.asks.collect(part) for part in parts])
        if any(h.size for h in self.mirror.holdings.values()):
            raise LabError("a position is left in a settled market")

    # What each is owed

    def _begin_claims(self) -> None:
        books = self._books
        self.outcome.claims = books.capital + books.pnl + books.fees
        self.outcome.ratio = books.ratio

    def _end_claims(self) -> None:
        """What is left in accounts is dust worth less than a token unit, nobody's, or unpaid."""
        outcome, pool = self.outcome, self.venue.pool
        kept = {a: w.capital + w.pnl for a, w in self.mirror.accounts.items() if w.capital + w.pnl}
        nobodys = {self.fund: self._supply("InsuranceFund", "InsuranceFund", "totalSupply")}
        nobodys[pool] = self._supply(f"VAMM {self.venue.name}", "VAMM", "totalShares")
        for account, amount in kept.items():
            if nobodys.get(account, 1) == 0:
                outcome.nobodys += amount
            elif self._owed(account, outcome.ratio) == 0:
                outcome.dust += amount
            else:
                outcome.unpaid += amount
        left = sum(kept.values()) + self._books.fees
        lost = outcome.claims - outcome.withdrawn - left
        outcome.written_off = lost
        outcome.unpaid += self._books.fees + max(lost - self.mirror.losses.orphaned, 0)
        outcome.vault, outcome.surplus = self._state.vault, self._books.surplus
        held = self._balances([self.venue.address("MarginVault")])
        if tokens_to_wad(held[0], self.venue.decimals) != outcome.vault:
            raise LabError("the vault holds other tokens than it counts")

    def _supply(self, name: str, contract: str, function: str) -> int:
        call = call_to(self.venue.address(name), artifacts.load(contract), function)
        return int(read_all(self.stage.blocks.rpc, [call])[0])

    def _balances(self, owners: Sequence[str]) -> list[int]:
        token = artifacts.load("MockToken")
        calls = [call_to(self.venue.token, token, "balanceOf", owner) for owner in owners]
        return [int(each) for each in read_all(self.stage.blocks.rpc, calls)]

    # LPs, stakers, the house

    def _lps_leave(self) -> None:
        """Old requests lapse, new ones cool. No exit fee: the last one would leave it to nobody."""
        vamm, stakes = self.market.vamm, self.stage.pool.stakes
        self.time += vamm.cooldown + vamm.window + 1
        lapsed = []
        for account, stake in stakes.items():
            if stake.depositing is not None:
                lapsed.append(self._of_pool("LP lapse", "lapse", account, True))
            if stake.withdrawing is not None:
                lapsed.append(self._of_pool("LP lapse", "lapse", account, False))
        self._mine(lapsed)
        self._must([self._without_exit_fee()])
        held = {a: s.shares for a, s in stakes.items() if s.shares}
        if not held:
            return
        self._must([self._asked(account, shares) for account, shares in held.items()])
        self.time += vamm.cooldown
        self._mine([self._of_pool("LP withdraw", "executeWithdrawal", a) for a in held])

    def _asked(self, account: bytes, shares: int) -> Transaction:
        return self._of_pool("LP request withdrawal", "requestWithdrawal", account, shares, 0)

    def _without_exit_fee(self) -> Transaction:
        vamm = artifacts.load("VAMM")
        (params,) = read_all(self.stage.blocks.rpc, [call_to(self.venue.vamm, vamm, "params")])
        changed = params._replace(lpFee=0)
        deployer = self.venue.manifest.deployer
        return self.venue.on_vamm("settlement", deployer, "setParams", changed)

    def _of_pool(self, kind: str, function: str, account: bytes, *values: Any) -> Transaction:
        return self.venue.on_vamm(kind, owner_in(account), function, account, *values)

    def _stakers_leave(self) -> None:
        """All ask at once, and claim when they are cooled; who is throttled tries again."""
        left = [s for s in self.stakers.stakers if s.shares]
        if not left:
            return
        self._must([self.stakers.ask(staker, self.time + APART) for staker in left])
        self.time += self.venue.spec.insurance.cooldown
        if self._capital(self.fund) < self._unit:
            return  # the stake was paid out: its shares are worth nothing
        until = self.time + self.venue.spec.insurance.window
        while left and self.time < until:
            for block in self._mine([self.stakers.claim(staker) for staker in left]):
                self.outcome.withdrawn += tokens_to_wad(
                    self.stakers.take(block), self.venue.decimals
                )
            left = [s for s in self.stakers.stakers if s.shares]
            self.time += HOUR if left else 0

    def _collect_fees(self) -> None:
        if self.mirror.fees:
            deployer = self.venue.manifest.deployer
            self._must([self.venue.on_clearing("collect fees", deployer, "collectFees")])

    def _capital(self, account: bytes) -> int:
        return self.mirror.account(account).capital

    # Withdrawals

    def _pay_out(self) -> None:
        """Everybody asks for his full equity at h = 1; who is refused that takes what h leaves."""
        owed = {account: self._owed(account) for account in self._payees()}
        owed = {account: amount for account, amount in owed.items() if amount}
        owners = sorted({owner_in(account) for account in owed})
        before = self._balances(owners)
        cut = self._withdraw(owed, WAD)
        self.outcome.accounts = len(owed)
        self.outcome.cut = len(cut)
        expected = dict.fromkeys(owners, 0)
        for account, amount in owed.items():
            if account not in cut:
                expected[owner_in(account)] += amount
        if cut:
            ratio = self._books.ratio
            lower = {account: self._owed(account, ratio) for account in cut}
            self._withdraw({a: amount for a, amount in lower.items() if amount}, 0)
        got = [b - a for a, b in zip(before, self._balances(owners), strict=True)]
        short = [o for o, paid in zip(owners, got, strict=True) if paid < expected[o]]
        self.outcome.withdrawn += tokens_to_wad(sum(got), self.venue.decimals)
        self.outcome.short = len(short)

    def _payees(self) -> Iterator[bytes]:
        for account, word in self.mirror.accounts.items():
            if not word.is_venue and account != self.fund:
                yield account

    def _owed(self, account: bytes, ratio: int = WAD) -> int:
        """Token units: capital, and profit at the ratio."""
        word = self.mirror.account(account)
        worth = word.capital + max(word.pnl, 0) * ratio // WAD
        return wad_to_tokens_down(worth, self.venue.decimals)

    def _withdraw(self, owed: dict[bytes, int], ratio: int) -> set[bytes]:
        """Pays all of it, over hours where the vault throttles; whom the ratio refused."""
        left, cut, slow = dict(owed), set[bytes](), set[bytes]()
        waited = 0
        while left and waited < PATIENCE:
            most = wad_to_tokens_down(self._state.vault, self.venue.decimals) // SHARE
            asked = {a: min(x, max(most, 1)) if a in slow else x for a, x in left.items()}
            throttled = False
            for block in self._mine([self._paid(a, amount, ratio) for a, amount in asked.items()]):
                for done in block.done:
                    account = account_id(done.transaction.sender)
                    if done.succeeded:
                        left[account] -= asked[account]
                        continue
                    why = self.stage.blocks.why(done).name
                    if why == THROTTLED:
                        throttled = True
                        slow.add(account)
                    else:
                        self.outcome.refusals[why] += 1
                        cut |= {account} if why in CUT else set()
                        left[account] = 0
            left = {account: amount for account, amount in left.items() if amount}
            waited += throttled
            self.time += HOUR if throttled else 0
        self.outcome.hours += waited
        return cut

    def _paid(self, account: bytes, amount: int, ratio: int) -> Transaction:
        call = self.venue.withdraw(owner_in(account), account, amount, ratio)
        return replace(call, kind="final withdrawal")

    # Blocks

    def _to_market(self, function: str) -> Transaction:
        name = f"PerpMarket {self.venue.name}"
        deployer = self.venue.manifest.deployer
        return self.venue.call("settlement", deployer, name, "PerpMarket", function)

    def _must(self, transactions: Sequence[Transaction]) -> None:
        for block in self._mine(transactions):
            for done in block.done:
                if not done.succeeded:
                    why = self.stage.blocks.why(done)
                    raise LabError(f"settlement: {done.transaction.kind} was refused: {why}")

    def _mine(self, transactions: Sequence[Transaction]) -> list[Block]:
        """In blocks that are not too full; each ends with the identity of money."""
        made = []
        for start in range(0, len(transactions), A_BLOCK):
            self.time += APART
            block = self.stage.blocks.mine(transactions[start : start + A_BLOCK], self.time)
            for _ in self.stage.take(block, {}):
                pass
            self.count(block)
            self._look(block)
            made.append(block)
        return made

    def _look(self, block: Block) -> None:
        state = self.venue.read(self.stage.blocks.rpc)
        self.mirror.bring_to(state.market)
        books = self.mirror.check(block.number, state.vault, state.house)
        self._state: State = state
        self._books: Books = books
        self.outcome.blocks += 1
        over = state.vault - state.house.capital_total
        least = self.outcome.least_over
        self.outcome.least_over = over if least is None else min(least, over)


def owner_in(account: bytes) -> str:
    return to_checksum_address(account[:20])
