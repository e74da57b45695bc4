"""Steps that jump the price and act on those who are below their margin."""

from hypothesis import strategies as st

from novation.model.backstop import Takeover
from novation.model.legs import Leg
from novation.units import WAD
from tests.differential.steps import Step, markets, owner_of, owners, subs
from tests.twin import Twin
from tests.world import NO_LIMIT, account_id, liquidation_terms

TERMS = (
    {},
    {"rewardMax": 25_000, "penalty": 7_500},
    {"minLot": 60, "wholeBelow": 60, "minReward": 800},
)
EVERYTHING = 2**79


def stressed(twin: Twin) -> None:
    """Terms in every market, and an insurance account with some money."""
    for market, changes in enumerate(TERMS):
        twin.set_terms(market, liquidation_terms(**changes))
    twin.insure(twin.world.lp, 2_000 * 10**6, [400_000, 300_000, 300_000])
    terms = (100_000, 200, 20_000)
    twin.both(lambda: twin.vault.set_loss_terms(*terms), "vault", "setLossTerms", *terms)


@st.composite
def bets(draw: st.DrawFn) -> Step:
    """Two sub-accounts with little money take eight times as much against each other."""
    market, times = draw(markets), draw(st.integers(60, 95))
    sides = draw(
        st.lists(st.tuples(owners, st.integers(1, 2)), min_size=2, max_size=2, unique=True)
    )

    def step(twin: Twin) -> None:
        accounts = []
        for owner, sub in sides:
            address = owner_of(twin.world, owner)
            accounts.append(account_id(address, sub))
            twin.world.known[accounts[-1]] = None
            if twin.model.health(accounts[-1])[1].free < 500 * WAD:
                twin.deposit(address, sub, 1_500 * 10**6)
        free = min(twin.model.health(account)[1].free for account in accounts)
        price = twin.model.markets[market].words.index
        size = free * times // 10 * WAD // price
        cash = size * price // WAD
        legs = [Leg(accounts[0], size, -cash, 0), Leg(accounts[1], -size, cash, 0)]
        twin.clear(market, legs, 0)

    return step


@st.composite
def jumps(draw: st.DrawFn) -> Step:
    """A round some percent away: enough to pass maintenance margins, at times a whole margin."""
    market = draw(markets)
    change = draw(st.sampled_from([1, -1])) * draw(st.integers(200, 1_300))

    def step(twin: Twin) -> None:
        answer = max(twin.feeds[market].answer * (10_000 + change) // 10_000, 10**6)
        twin.push(market, answer)

    return step


@st.composite
def pledges(draw: st.DrawFn) -> Step:
    """A sub-account with ether and hardly any money bets against another; the price moves on."""
    market, owner, other = draw(markets), draw(owners), draw(owners)
    ether, times = draw(st.sampled_from([1, 2, 5])), draw(st.integers(20, 60))
    dust = draw(st.sampled_from([0, 0, 1]))
    change = draw(st.sampled_from([1, -1])) * draw(st.integers(50, 900))

    def step(twin: Twin) -> None:
        address, against = owner_of(twin.world, owner), owner_of(twin.world, other)
        accounts = account_id(address, 3), account_id(against, 4)
        twin.world.known |= dict.fromkeys(accounts)
        if twin.vault.collateral_of(accounts[0], twin.collateral) == 0:
            twin.deposit(address, 3, dust or ether * WAD, twin.collateral)
        if twin.model.health(accounts[1])[1].free < 5_000 * WAD:
            twin.deposit(against, 4, 10_000 * 10**6)
        free = twin.model.health(accounts[0])[1]
        price = twin.model.markets[market].words.index
        size = max(free.initial_equity - free.initial, 0) * times // 10 * WAD // price
        if change > 0:
            size = -size
        cash = size * price // WAD
        legs = [Leg(accounts[0], size, -cash, 0), Leg(accounts[1], -size, cash, 0)]
        twin.clear(market, legs, 0)
        answer = max(twin.feeds[market].answer * (10_000 + change) // 10_000, 10**6)
        twin.push(market, answer)

    return step


@st.composite
def conversions(draw: st.DrawFn) -> Step:
    """Of somebody's ether, most often of one who owes; or interest is collected."""
    taker, sub, at = draw(owners), draw(subs), draw(st.integers(0, 5))
    amount = draw(st.sampled_from([NO_LIMIT, NO_LIMIT, WAD // 7, 1]))
    low, collect = draw(st.sampled_from([False] * 7 + [True])), draw(st.integers(0, 5))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, taker)
        if collect == 0:
            twin.both(twin.model.collect_interest, "resolver", "collectInterest")
            return
        bearing = [i for i in twin.world.known if twin.model.health(i)[0].bears]
        if twin.vault.collateral_of(twin.model.insurance, twin.collateral):
            bearing.append(twin.model.insurance)
        if len(bearing) == 0 or at == 5:
            bearing = [account_id(owner_of(twin.world, o), 3) for o in range(4)]
        victim = bearing[at % len(bearing)]
        price = WAD if low else NO_LIMIT
        twin.convert(address, victim, account_id(address, sub), amount, price)

    return step


def holders(twin: Twin, market: int) -> list[bytes]:
    """Who holds the market, first who has least equity over maintenance; somebody when nobody."""
    ids = [i for i in twin.world.known if twin.model.position(i, market).units]

    def health(account: bytes) -> int:
        h = twin.model.health(account)[1]
        return h.equity * WAD // max(h.maintenance, 1)

    return sorted(ids, key=health) or [account_id(owner_of(twin.world, 0))]


def push_to(twin: Twin, market: int, account: bytes, percent: int) -> None:
    """A round that leaves the account about so much of its maintenance; at most 45 % away."""
    h, size = twin.model.health(account)[1], twin.model.size_of(account, market)
    price = twin.model.markets[market].words.index
    if size == 0:
        return
    change = (h.maintenance * percent // 100 - h.equity) * WAD // size
    limit = price * 45 // 100
    twin.push(market, (price + max(min(change, limit), -limit)) // 10**10)


@st.composite
def takeovers(draw: st.DrawFn) -> Step:
    """Of an account near its margin; into an account, or to the vAMM; all of it, or up to a cap."""
    market, taker, sub = draw(markets), draw(owners), draw(subs)
    at, percent = (
        draw(st.integers(0, 3)),
        draw(st.sampled_from([None, 101, 97, 85, 50, 20, 3, -30])),
    )
    cap = draw(st.sampled_from([EVERYTHING] * 4 + [WAD, WAD // 3, 5 * WAD]))
    top_up = draw(st.sampled_from([0, 10 * WAD, 2 * WAD]))
    venue, exact = draw(st.booleans()), draw(st.sampled_from([True, False, False]))
    gain, pause = draw(st.sampled_from([-(2**255)] * 4 + [0, 20 * WAD])), draw(st.integers(0, 900))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, taker)
        found = holders(twin, market)
        victim = found[at % len(found)]
        if percent is not None:
            push_to(twin, market, victim, percent)
            twin.warp(pause)
        held = twin.model.position(victim, market)
        ask = Takeover(
            market,
            victim,
            account_id(address, sub),
            cap,
            top_up,
            twin.vamms[market] if venue else None,
            held if exact and held.units else None,
            gain,
        )
        twin.liquidate(address, ask)

    return step


@st.composite
def batches(draw: st.DrawFn) -> Step:
    """Of several near their margin by one taker; some healthy, some twice, some to the vAMM."""
    market, taker, sub = draw(markets), draw(owners), draw(subs)
    who = draw(st.lists(st.integers(0, 4), min_size=2, max_size=4))
    percent, cap = (
        draw(st.sampled_from([97, 60, 10, -20])),
        draw(st.sampled_from([EVERYTHING, WAD])),
    )
    tops = [draw(st.sampled_from([0, 0, 10 * WAD])) for _ in who]
    sold = [draw(st.sampled_from([False] * 5 + [True])) for _ in who]
    gain = draw(st.sampled_from([-(2**255)] * 5 + [20 * WAD]))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, taker)
        found = holders(twin, market)
        push_to(twin, market, found[who[0] % len(found)], percent)
        asks = [
            Takeover(
                market,
                found[at % len(found)],
                account_id(address, sub),
                cap,
                top,
                twin.vamms[market] if to_venue else None,
                None,
                gain,
            )
            for at, top, to_venue in zip(who, tops, sold, strict=True)
        ]
        twin.liquidate_many(address, asks)

    return step


@st.composite
def resolutions(draw: st.DrawFn) -> Step:
    """Of an account that a jump makes bankrupt, or of anybody; by a taker, or marked and later."""
    market, taker, sub = draw(markets), draw(owners), draw(subs)
    at, percent = draw(st.integers(0, 3)), draw(st.sampled_from([None, -5, -40, -150, 30]))
    nobody, again = draw(st.booleans()), draw(st.sampled_from([0, 100, 3_700]))

    def step(twin: Twin) -> None:
        address = owner_of(twin.world, taker)
        found = holders(twin, market)
        victim = found[at % len(found)]
        if percent is not None:
            push_to(twin, market, victim, percent)
        to = bytes(32) if nobody else account_id(address, sub)
        twin.resolve(address, victim, to, market)
        if again:
            twin.warp(again)
            twin.push(market, twin.feeds[market].answer)
            twin.resolve(address, victim, to, market)

    return step
