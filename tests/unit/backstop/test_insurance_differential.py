"""InsuranceFund against the model: the same calls at the same times, every value equal."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from novation.model.insurance import Cover, InsuranceFund, StakeRequest
from tests.local_chain import LocalChain, local_chain
from tests.twin import Twin, address
from tests.unit.backstop.conftest import COOLDOWN, WINDOW, Insured, deploy_fund
from tests.world import DAY, HOUR, NO_LIMIT, World, account_id

MARKETS = range(3)
STEPS = 130
DECIMALS = (6, 18, 2, 6, 18, 0)


class Walk:
    """One random walk on both sides."""

    def __init__(self, chain: LocalChain, seed: int, decimals: int) -> None:
        self.rng = random.Random(seed)
        world = World.deploy(chain, decimals)
        world.known[account_id(world.stranger)] = None
        for owner in (world.lp, world.trader, world.other, world.stranger):
            world.fund(owner, 10**9)
        self.insured: Insured = deploy_fund(world)
        self.twin = Twin(world, chain.accounts[7])
        fund = address(self.insured.fund.address)
        t = self.twin
        self.mine = InsuranceFund(t.clock, t.model, t.vault, fund, COOLDOWN, WINDOW)
        self.owners = [world.lp, world.trader, world.other]
        self.first = chain.block_number()

    # Calls

    def call(self, on_model: Callable[[], Any], function: str, *values: Any, sender: str) -> None:
        self.twin.at_next_block()
        error = self.twin.attempt(self.insured.fund, function, values, sender)
        self.twin._agree(error, on_model, function)

    def amount(self, most: int) -> int:
        """Log-uniform from 1 to most, now and then all of it or nothing."""
        if most <= 1 or self.rng.random() < 0.1:
            return most
        if self.rng.random() < 0.03:
            return 0
        return min(most, int(10 ** self.rng.uniform(0, len(str(most)))) + self.rng.randint(0, 9))

    def step(self) -> None:
        kinds = {
            self.deposit: 18, self.mint: 5, self.request: 14, self.cancel: 3, self.lapse: 4,
            self.redeem: 14, self.withdraw: 8, self.transfer: 6, self.transfer_from: 5,
            self.lose: 5, self.earn: 5, self.wipe: 2, self.restart: 5, self.allot: 5,
            self.draw: 9, self.times: 2, self.wait: 8,
        }  # fmt: skip
        self.rng.choices(list(kinds), list(kinds.values()))[0]()

    def deposit(self) -> None:
        owner, to = self.rng.choice(self.owners), self.rng.choice(self.owners)
        units = self.amount(10**6 * self.insured.unit)
        self.call(lambda: self.mine.deposit(units, address(to)), "deposit", units, to, sender=owner)

    def mint(self) -> None:
        owner, to = self.rng.choice(self.owners), self.rng.choice(self.owners)
        shares = self.mine.to_shares(self.amount(10**5 * self.insured.unit))
        shares += self.rng.randint(0, 10**6)
        if self.mine.to_assets(shares) > 10**6 * self.insured.unit:
            return
        self.call(lambda: self.mine.mint(shares, address(to)), "mint", shares, to, sender=owner)

    def request(self) -> None:
        owner = self.rng.choice(self.owners)
        most = self.mine.balance_of(address(owner))
        shares = self.amount(most + (1 if self.rng.random() < 0.1 else 0))
        self.call(
            lambda: self.mine.request(shares, address(owner)), "request", shares, sender=owner
        )

    def cancel(self) -> None:
        owner = self.rng.choice(self.owners)
        self.call(lambda: self.mine.cancel(address(owner)), "cancel", sender=owner)

    def lapse(self) -> None:
        owner = self.rng.choice(self.owners)
        self.maybe_wait(owner, "until", 1)
        self.call(lambda: self.mine.lapse(address(owner)), "lapse", owner, sender=self.owners[0])

    def redeem(self) -> None:
        owner, to, caller = self.claimant()
        r = self.mine.request_of(address(owner))
        shares = r.shares + 1 if self.rng.random() < 0.1 else self.amount(r.shares)
        names = [address(x) for x in (to, owner, caller)]
        self.call(
            lambda: self.mine.redeem(shares, *names), "redeem", shares, to, owner, sender=caller
        )

    def withdraw(self) -> None:
        owner, to, caller = self.claimant()
        _, most = self.mine.claimable(address(owner))
        units = most + self.insured.unit if self.rng.random() < 0.25 else self.amount(most)
        names = [address(x) for x in (to, owner, caller)]
        self.call(
            lambda: self.mine.withdraw(units, *names), "withdraw", units, to, owner, sender=caller
        )

    def claimant(self) -> tuple[str, str, str]:
        """Whose claim, to whom, by whom; mostly in the window."""
        owner, to = self.rng.choice(self.owners), self.rng.choice(self.owners)
        self.maybe_wait(owner, "from_", 0)
        caller = owner
        if self.rng.random() < 0.3:
            caller = self.rng.choice(self.owners)
            self.approve(owner, caller)
        return owner, to, caller

    def maybe_wait(self, owner: str, field: str, extra: int) -> None:
        """To a time of the owner's request, mostly."""
        r, clock = self.mine.request_of(address(owner)), self.twin.clock
        if r.shares and self.rng.random() < 0.8:
            # the block comes a second later
            at = getattr(r, field) + extra - 1 + self.rng.choice((-1, -1, 0, 0, 0, HOUR))
            clock.now = max(clock.now, at)

    def approve(self, owner: str, spender: str) -> None:
        amount = self.rng.choice((0, self.mine.balance_of(address(owner)), NO_LIMIT))
        self.call(
            lambda: self.mine.approve(address(spender), amount, address(owner)),
            "approve",
            spender,
            amount,
            sender=owner,
        )

    def transfer(self) -> None:
        owner, to = self.rng.choice(self.owners), self.rng.choice(self.owners)
        shares = self.amount(self.mine.balance_of(address(owner)) + self.rng.choice((0, 0, 0, 1)))
        on_model = lambda: self.mine.transfer(address(to), shares, address(owner))  # noqa: E731
        self.call(on_model, "transfer", to, shares, sender=owner)

    def transfer_from(self) -> None:
        owner, to, caller = (self.rng.choice(self.owners) for _ in range(3))
        self.approve(owner, caller)
        shares = self.amount(self.mine.balance_of(address(owner)))
        names = [address(x) for x in (owner, to)]
        on_model = lambda: self.mine.transfer_from(*names, shares, address(caller))  # noqa: E731
        self.call(on_model, "transferFrom", owner, to, shares, sender=caller)

    def lose(self, amount: int | None = None) -> None:
        """A part of the stake, to the wei, leaves by the fund's own transfer."""
        i, t = self.insured, self.twin
        moved = amount or self.amount(t.model.stored(i.account).capital)
        fund = i.fund.address
        t.both_from(
            fund,
            lambda: t.model.transfer(i.account, i.sink, moved, address(fund)),
            "clearing",
            "transfer",
            i.account,
            i.sink,
            moved,
        )

    def wipe(self) -> None:
        """All of the stake, or all but what is at the edge of being spent."""
        capital = self.twin.model.stored(self.insured.account).capital
        edge = self.mine.total // 10**12 * self.insured.scale
        left = self.rng.choice((0, 1, edge + self.rng.randint(-2, 2) * self.insured.scale))
        if 0 <= left < capital:
            self.lose(capital - left)

    def earn(self) -> None:
        """Back from where losses went, or a gift through the vault."""
        i, t = self.insured, self.twin
        has = t.model.stored(i.sink).capital
        if has and self.rng.random() < 0.5:
            moved, admin = self.amount(has // 10 + 1), i.world.admin
            t.both_from(
                admin,
                lambda: t.model.transfer(i.sink, i.account, moved, address(admin)),
                "clearing",
                "transfer",
                i.sink,
                i.account,
                moved,
            )
            return
        t.deposit(i.world.stranger, 0, 1)
        units, token = self.amount(10**4 * i.unit), i.world.token.address
        on_model = lambda: t.vault.deposit(i.account, token, units)  # noqa: E731
        t.both_from(i.world.stranger, on_model, "vault", "deposit", i.account, token, units)

    def restart(self) -> None:
        self.call(self.mine.restart, "restart", sender=self.owners[2])

    def allot(self) -> None:
        market, ppm = self.rng.choice(MARKETS), self.rng.randint(0, 700_000)
        on_model = lambda: self.mine.set_allotment(market, ppm)  # noqa: E731
        self.call(on_model, "setAllotment", market, ppm, sender=self.insured.world.admin)

    def draw(self) -> None:
        """What the clearing house does: take cover, then move the money."""
        i = self.insured
        market, had = self.rng.choice(MARKETS), self.twin.model.stored(i.account).capital
        wanted = self.amount(max(had, 1))
        drawn = []
        on_model = lambda: drawn.append(self.mine.draw(market, wanted, had))  # noqa: E731
        self.call(on_model, "draw", market, wanted, had, sender=i.world.clearing.address)
        if drawn[0]:
            self.compare()
            self.lose(drawn[0])

    def times(self) -> None:
        cooldown, window = (self.rng.choice((HOUR - 1, HOUR, DAY, 7 * DAY)) for _ in range(2))
        on_model = lambda: self.mine.set_times(cooldown, window)  # noqa: E731
        self.call(on_model, "setTimes", cooldown, window, sender=self.insured.world.admin)

    def wait(self) -> None:
        self.twin.warp(self.rng.choice((1, HOUR, DAY, 3 * DAY, 7 * DAY)))
        self.twin.deposit(self.insured.world.stranger, 0, 1)

    # Equality

    def compare(self) -> None:
        mine, model, i = self.mine, self.twin.model, self.insured
        most = mine.max_deposit()
        x = self.rng.randint(1, 10**9)
        wanted: list[tuple[tuple[Any, ...], Any]] = [
            (("totalSupply",), mine.total),
            (("totalAssets",), mine.total_assets()),
            (("sharesRequested",), mine.requested),
            (("shareEpoch",), mine.share_epoch),
            (("allotted",), mine.allotted),
            (("uncooled",), mine.uncooled()),
            (("times",), (mine.cooldown, mine.window)),
            (("convertToShares", x), mine.to_shares(x)),
            (("convertToAssets", x * 10**6), mine.to_assets(x * 10**6)),
            (("maxDeposit", i.world.lp), most),
            (("maxMint", i.world.lp), mine.to_shares(most)),
        ]
        for owner in self.owners:
            name = address(owner)
            r = mine.request_of(name)
            shares, assets = mine.claimable(name)
            asked = (r.shares, r.from_, r.until, r.assets, r.supply)
            wanted += [
                (("balanceOf", owner), mine.balance_of(name)),
                (("requestOf", owner), asked),
                (("maxRedeem", owner), shares),
                (("maxWithdraw", owner), assets),
                (("previewClaim", owner, x * 10**6), mine.preview_claim(name, x * 10**6)),
            ]
            spender = self.rng.choice(self.owners)
            given = mine.allowances.get((name, address(spender)), 0)
            wanted.append((("allowance", owner, spender), given))
        for market in MARKETS:
            c = mine.cover_of(market)
            wanted += [
                (("coverOf", market), (c.ppm, c.drawn_at, c.used)),
                (("usedOf", market), mine.used_of(market)),
                (("allotmentOf", market), mine.allotment_of(market)),
                (("coverAt", market, x), mine.cover_at(market, x)),
            ]
        accounts, house, vault = (i.account, i.sink), i.world.clearing, i.world.vault
        calls = [house.at("account", a) for a in accounts] + [vault.at("settlementHeld")]
        *found, ours, sink, held = i.world.chain.batch(
            [*(i.fund.at(*call) for call, _ in wanted), *calls]
        )
        for (call, value), is_ in zip(wanted, found, strict=True):
            assert (tuple(is_) if isinstance(value, tuple) else is_) == value, call
        mine_ = [model.stored(a) for a in accounts]
        stored = [tuple(ours), tuple(sink)]
        assert stored == [(a.capital, a.pnl, a.bitmap) for a in mine_]
        assert held == self.twin.vault.settlement_held
        self.check_rules()

    def check_rules(self) -> None:
        mine = self.mine
        assert mine.total == sum(mine.balances.values())
        assert mine.requested == sum(r.shares for r in mine.requests.values()) <= mine.total
        for holder, r in mine.requests.items():
            assert r.shares <= mine.balance_of(holder)
        # RE-16e: allotments together are at most the stake not in cooldown
        assert sum(mine.allotment_of(m) for m in MARKETS) <= mine.uncooled()
        # What all could claim at once is there
        assert mine.to_assets(mine.total) <= mine.total_assets()

    def check_events(self) -> None:
        """Everything stored, rebuilt from events alone."""
        mine, chain = self.mine, self.insured.world.chain
        balances: Counter[bytes] = Counter()
        requests: dict[bytes, StakeRequest] = {}
        covers: dict[int, Cover] = {}
        epoch, total, times = 0, 0, (COOLDOWN, WINDOW)
        names = ["Transfer", "RequestSet", "AllotmentSet", "Drawn", "TimesSet", "ShareEpochEnded"]
        for event in self.insured.fund.events(names, self.first, chain.block_number()):
            v = event.values
            if event.name == "Transfer":
                balances[address(v["from"])] -= v["value"]
                balances[address(v["to"])] += v["value"]
            elif event.name == "RequestSet":
                shape = ("shares", "from", "until", "assets", "supply")
                requests[address(v["holder"])] = StakeRequest(*(v[k] for k in shape))
            elif event.name == "AllotmentSet":
                was, total = covers.get(v["market"], Cover()), v["total"]
                covers[v["market"]] = Cover(v["ppm"], was.drawn_at, was.used)
            elif event.name == "Drawn":
                at = int(chain.block(event.block)["timestamp"], 16)
                covers[v["market"]] = Cover(covers[v["market"]].ppm, at, v["used"])
            elif event.name == "TimesSet":
                times = v["cooldown"], v["window"]
            else:
                epoch = v["epoch"] + 1
                assert v["shares"] == sum(n for who, n in balances.items() if any(who))
                balances.clear()
                requests.clear()
        for owner in self.owners:
            name = address(owner)
            assert balances[name] == mine.balance_of(name)
            assert requests.get(name, StakeRequest()) == mine.request_of(name)
        assert {m: c for m, c in covers.items() if c != Cover()} == {
            m: c for m, c in mine.covers.items() if c != Cover()
        }
        assert (epoch, total, times) == (
            mine.share_epoch,
            mine.allotted,
            (mine.cooldown, mine.window),
        )


@pytest.fixture(scope="module")
def chain() -> Iterator[LocalChain]:
    with local_chain() as made:
        yield made


DONE = {
    "deposit", "mint", "request", "cancel", "lapse", "redeem", "withdraw", "transfer",
    "transferFrom", "restart", "setAllotment", "draw", "setTimes",
}  # fmt: skip
REFUSED = {
    "InsuranceDepositTooSmall", "InsuranceSpent", "InsuranceNotSpent", "InsuranceNoRequest",
    "InsuranceTooEarly", "InsuranceTooLate", "InsuranceSharesTooLow", "InsuranceNothingToPay",
    "InsuranceSharesRequested", "InsuranceOverAllotted", "InsuranceOutOfBounds",
    "ERC20InsufficientAllowance", "ERC20InsufficientBalance",
}  # fmt: skip


def test_fund_equals_the_model(chain: LocalChain) -> None:
    """INV-18, INV-23, RE-16e; walks of deposits, exits, losses, income, draws and restarts."""
    seen: Counter[tuple[str, str | None]] = Counter()
    for seed, decimals in enumerate(DECIMALS):
        walk = Walk(chain, seed, decimals)
        for _ in range(STEPS):
            walk.step()
            walk.compare()
        walk.check_events()
        walk.insured.world.check_identity()
        seen.update(walk.twin.outcomes)
    assert {function for function, error in seen if error is None} >= DONE
    assert {error for _, error in seen} >= REFUSED
