"""Steps of random sequences that move contracts and model alike."""

from collections.abc import Callable

from hypothesis import strategies as st

from novation.model.legs import Leg
from novation.units import WAD
from tests.local_chain import LocalChain
from tests.twin import Twin
from tests.world import DAY, FUND, NO_LIMIT, World, account_id, listing, risk, vamm_params

Step = Callable[[Twin], None]
PRICES = ("2000", "30000", "5")
RISKS = ({}, {"imr": 80_000, "mmr": 50_000, "profitWeight": 250_000}, {})
LISTINGS = ({}, {}, {"isolated": True, "shortWindow": 600, "interruption": 30})
POOLS = ({}, {"follow": False, "returnSpeed": 20, "depth": 8}, {"follow": False, "returnSpeed": 0})


def listed_world(chain: LocalChain, **risks: int) -> World:
    """Three markets that have not moved yet; `risks` are of all."""
    made = World.deploy(chain)
    for price, own, listed, pool in zip(PRICES, RISKS, LISTINGS, POOLS, strict=True):
        made.list_market(price, risks=own | risks, listed=listed, pool=pool)
    return made


def twin_of(world: World, **risks: int) -> Twin:
    twin = Twin(world, world.chain.accounts[7])
    terms = zip(world.markets, RISKS, LISTINGS, POOLS, strict=True)
    for market, own, listed, pool in terms:
        twin.adopt(market, listing("", **listed), risk(**own | risks), vamm_params(**pool))
    ether = world.chain.deploy("MockToken", "Ether", "ETH", 18)
    twin.clock.now = world.chain.now
    for owner in OWNERS:
        address = owner_of(world, owner)
        world.known |= {account_id(address): None, account_id(address, 1): None}
        world.chain.send(ether, "mint", address, 10**30)
        world.chain.send(ether, "approve", world.vault.address, NO_LIMIT, sender=address)
    twin.clock.now = world.chain.now
    twin.list_collateral(ether, 0)
    twin.set_throttle(world.token.address, 250_000, 2_000 * 10**6)
    twin.set_throttle(ether.address, 100_000, WAD // 2)
    for owner in OWNERS:
        twin.deposit(owner_of(world, owner), 0, 20_000 * 10**6)
    return twin


OWNERS = range(4)


def owner_of(world: World, number: int) -> str:
    return (world.lp, world.trader, world.other, world.stranger)[number]


owners = st.integers(0, 3)
subs = st.sampled_from([0, 0, 0, 1])
markets = st.sampled_from([0, 0, 0, 1, 1, 2])
touched = st.lists(owners, max_size=4)
ratios = st.sampled_from([0, 0, WAD // 2, WAD])


@st.composite
def crossings(draw: st.DrawFn) -> Step:
    """Two or three accounts meet near the index; sometimes far from it, sometimes dust."""
    market = draw(markets)
    sides = draw(st.lists(st.tuples(owners, subs), min_size=2, max_size=3, unique=True))
    notional = draw(st.one_of(st.integers(-30_000, 30_000), st.sampled_from([-90_000, 40, 0])))
    wei = draw(st.integers(-9, 9))
    away = draw(st.sampled_from([0, 3, -8, 25, -40, 700, -2_000]))
    fees = [draw(st.integers(0, 60)) for _ in sides]

    def step(twin: Twin) -> None:
        price = twin.model.markets[market].words.index
        size = notional * WAD * WAD // price + wei
        parts = [size] if len(sides) == 2 else [size // 3, size - size // 3]
        accounts = [account_id(owner_of(twin.world, o), s) for o, s in sides]
        fill = price * (10_000 + away) // 10_000
        legs = []
        house = 0
        for account, part, fee in zip(accounts[1:], parts, fees[1:], strict=True):
            cash = part * fill // WAD
            charged = abs(cash) * fee // 10_000
            house += charged
            legs.append(Leg(account, -part, cash, -charged))
        size, cash = -sum(leg.size for leg in legs), -sum(leg.cash for leg in legs)
        rebate = house // 3
        legs.append(Leg(accounts[0], size, cash, rebate))
        twin.clear(market, legs, house - rebate)

    return step


@st.composite
def rounds(draw: st.DrawFn) -> Step:
    market = draw(markets)
    change = draw(st.one_of(*[st.integers(-150, 150)] * 5, st.integers(-3_000, 4_000)))

    def step(twin: Twin) -> None:
        answer = max(twin.feeds[market].answer * (10_000 + change) // 10_000, 10**6)
        twin.push(market, answer)

    return step


@st.composite
def waits(draw: st.DrawFn) -> Step:
    seconds = draw(
        st.one_of(
            st.integers(0, 90), st.integers(60, 1_500), st.integers(0, 900), st.integers(0, DAY)
        )
    )
    return lambda twin: twin.warp(seconds)


@st.composite
def touches(draw: st.DrawFn) -> Step:
    who = draw(st.lists(st.tuples(owners, subs), min_size=1, max_size=4))

    def step(twin: Twin) -> None:
        ids = [account_id(owner_of(twin.world, o), s) for o, s in who]
        twin.both(lambda: twin.model.touch(ids), "clearing", "touch", ids)

    return step


@st.composite
def releases(draw: st.DrawFn) -> Step:
    owner, part, first, ratio = draw(owners), draw(st.integers(1, 110)), draw(touched), draw(ratios)

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, owner)
        account = account_id(address)
        amount = max(twin.model.health(account)[0].pnl, WAD) * part // 100
        ids = [account_id(owner_of(twin.world, o)) for o in first]
        sender = bytes.fromhex(address[2:])
        twin.both_from(
            address,
            lambda: twin.model.release(account, amount, ids, ratio, sender),
            "clearing",
            "release",
            account,
            amount,
            ids,
            ratio,
        )

    return step


@st.composite
def moves(draw: st.DrawFn) -> Step:
    """Deposits, withdrawals and transfers."""
    kind = draw(st.sampled_from(["deposit", "withdraw", "withdraw", "transfer"]))
    owner, to, sub = draw(owners), draw(owners), draw(subs)
    amount = draw(st.integers(1, 25_000 * 10**6))
    first, ratio, other = draw(touched), draw(ratios), draw(st.sampled_from([False, False, True]))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, owner)
        account, target = account_id(address, sub), account_id(owner_of(twin.world, to))
        sender = bytes.fromhex(address[2:])
        if kind != "transfer" and other:
            ether = amount * 10**9  # up to 25 of 18 decimals
            if kind == "deposit":
                twin.deposit(address, sub, ether, twin.collateral)
            else:
                twin.withdraw(address, sub, ether, [], WAD, twin.collateral)
        elif kind == "deposit":
            twin.deposit(address, sub, amount)
        elif kind == "withdraw":
            ids = [account_id(owner_of(twin.world, o)) for o in first]
            twin.withdraw(address, sub, amount, ids, ratio)
        else:
            wad = amount * 10**12
            twin.both_from(
                address,
                lambda: twin.model.transfer(account, target, wad, sender),
                "clearing",
                "transfer",
                account,
                target,
                wad,
            )

    return step


@st.composite
def settings_(draw: st.DrawFn) -> Step:
    """Fees collected, a market made reduce-only and active again, or settled."""
    kind = draw(st.sampled_from(["collect"] * 4 + ["pause", "resume"] * 2 + ["settle"]))
    market = draw(markets)

    def step(twin: Twin) -> None:
        perp = twin.model.markets[market]
        if kind == "collect":
            twin.both(twin.model.collect_fees, "clearing", "collectFees")
            return
        function = {"pause": "reduceOnly", "resume": "activate", "settle": "beginSettlement"}[kind]
        on_model = {
            "pause": perp.reduce_only,
            "resume": perp.activate,
            "settle": perp.begin_settlement,
        }[kind]
        twin.perp(market, on_model, function)

    return step


# The vAMM


def pools(twin: Twin) -> None:
    """Liquidity of the first owner in every market."""
    address = owner_of(twin.world, 0)
    account, sender = account_id(address), bytes.fromhex(address[2:])
    twin.deposit(address, 0, 2_000_000 * 10**6)
    for market, vamm in enumerate(twin.vamms):
        contract = twin.world.markets[market].vamm.address
        twin.both_from(
            address,
            lambda vamm=vamm: twin.model.set_delegate(account, vamm.address, FUND, sender),
            "clearing",
            "setDelegate",
            account,
            contract,
            FUND,
        )
        request(twin, market, 0, 300_000 * WAD)
        twin.push(market, twin.feeds[market].answer)
        twin.venue_call(
            market, None, lambda vamm=vamm: vamm.execute_deposit(account), "executeDeposit", account
        )


def request(twin: Twin, market: int, owner: int, amount: int) -> None:
    address = owner_of(twin.world, owner)
    account, sender = account_id(address), bytes.fromhex(address[2:])
    vamm = twin.vamms[market]
    twin.venue_call(
        market,
        address,
        lambda: vamm.request_deposit(account, amount, sender),
        "requestDeposit",
        account,
        amount,
    )


@st.composite
def trades(draw: st.DrawFn) -> Step:
    """By exact base, by exact quote, or a close; sometimes too large, too dear or too late."""
    market, owner = draw(markets), draw(owners)
    kind = draw(st.sampled_from(["trade", "trade", "trade", "tradeQuote", "close"]))
    side = draw(st.sampled_from([1, -1]))
    notional = side * draw(st.sampled_from([60, 500, 900, 2_500, 4_000, 7_000, 12_000, 90_000, 10]))
    wei = draw(st.integers(-9, 9))
    loose = draw(st.sampled_from([True] * 7 + [False]))
    late = draw(st.sampled_from([False] * 15 + [True]))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, owner)
        account, sender = account_id(address), bytes.fromhex(address[2:])
        vamm, index = twin.vamms[market], twin.model.markets[market].words.index
        deadline = 1 if late else NO_LIMIT
        if kind == "close":
            limit = 0 if twin.model.size_of(account, market) > 0 else NO_LIMIT
            values = (account, limit, deadline)
            on_model = lambda: vamm.close(*values, sender)  # noqa: E731
        else:
            quote = notional * WAD + wei
            limit = (NO_LIMIT if quote > 0 else 0) if loose else index
            amount = quote * WAD // index if kind == "trade" else quote
            values = (account, amount, limit, deadline)
            call = vamm.trade if kind == "trade" else vamm.trade_quote
            on_model = lambda: call(*values, sender)  # noqa: E731
        twin.venue_call(market, address, on_model, kind, *values)

    return step


@st.composite
def liquidity(draw: st.DrawFn) -> Step:
    """Requests of LPs, and their execution, in cash or in kind, on time or not."""
    kinds = ["requestDeposit", "executeDeposit", "requestWithdrawal", "executeWithdrawal"]
    kind = draw(
        st.sampled_from([*kinds, "executeWithdrawal", "executeInKind", "lapse", "endShareEpoch"])
    )
    market, owner = draw(markets), draw(st.sampled_from([0, 0, 1]))
    part, fresh = draw(st.sampled_from([1, 10, 50, 100])), draw(st.booleans())
    deposit, ratio = draw(st.booleans()), draw(ratios)

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, owner)
        account, sender = account_id(address), bytes.fromhex(address[2:])
        vamm = twin.vamms[market]
        if fresh and kind.startswith("execute"):
            twin.push(market, twin.feeds[market].answer)
        if kind == "requestDeposit":
            request(twin, market, owner, part * 1_000 * WAD)
        elif kind == "requestWithdrawal":
            values = (account, vamm.shares_of(account) * part // 100, ratio)
            on_model = lambda: vamm.request_withdrawal(*values, sender)  # noqa: E731
            twin.venue_call(market, address, on_model, kind, *values)
        elif kind == "executeInKind":
            on_model = lambda: vamm.execute_in_kind(account, sender)  # noqa: E731
            twin.venue_call(market, address, on_model, kind, account)
        elif kind == "lapse":
            on_model = lambda: vamm.lapse(account, deposit)  # noqa: E731
            twin.venue_call(market, None, on_model, kind, account, deposit)
        elif kind == "endShareEpoch":
            twin.venue_call(market, None, vamm.end_share_epoch, kind)
        else:
            call = vamm.execute_deposit if kind == "executeDeposit" else vamm.execute_withdrawal
            twin.venue_call(market, None, lambda: call(account), kind, account)

    return step


@st.composite
def exits(draw: st.DrawFn) -> Step:
    """An LP asks, waits out the cooldown, and leaves at a fresh round, in cash or in kind."""
    market, part = draw(markets), draw(st.sampled_from([5, 30, 60, 100]))
    kind = draw(st.sampled_from(["executeWithdrawal", "executeInKind"]))
    ratio, change = draw(ratios), draw(st.integers(-200, 200))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, 0)
        account, sender = account_id(address), bytes.fromhex(address[2:])
        vamm = twin.vamms[market]
        values = (account, vamm.shares_of(account) * part // 100, ratio)
        ask = lambda: vamm.request_withdrawal(*values, sender)  # noqa: E731
        twin.venue_call(market, address, ask, "requestWithdrawal", *values)
        twin.warp(DAY + 60)
        twin.push(market, max(twin.feeds[market].answer * (10_000 + change) // 10_000, 10**6))
        if kind == "executeInKind":
            leave = lambda: vamm.execute_in_kind(account, sender)  # noqa: E731
            twin.venue_call(market, address, leave, kind, account)
        else:
            pay = lambda: vamm.execute_withdrawal(account)  # noqa: E731
            twin.venue_call(market, None, pay, kind, account)

    return step


@st.composite
def cooldowns(draw: st.DrawFn) -> Step:
    """A day or so, with a fresh round at its end."""
    hours = draw(st.integers(20, 32))

    def step(twin: Twin) -> None:
        twin.warp(hours * 3_600)
        for market in range(len(twin.vamms)):
            twin.push(market, twin.feeds[market].answer)

    return step


def mixed(weights: dict[Callable[[], st.SearchStrategy[Step]], int]) -> st.SearchStrategy[Step]:
    """One of the kinds, as often as its weight says."""
    return st.sampled_from([kind for kind, n in weights.items() for _ in range(n)]).flatmap(
        lambda kind: kind()
    )
