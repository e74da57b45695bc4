"""The adapter and its model give the same price, status and proof, word for word."""

from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from novation.chain.contract import Contract
from novation.chain.errors import ContractError
from novation.model import oracle as model
from novation.model.errors import Refused
from tests.local_chain import LocalChain

WAD = 10**18
ZERO = "0x" + "00" * 20
SETTINGS = settings(
    deadline=None,
    max_examples=100,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

ages = st.one_of(st.integers(-2, 5), st.integers(3_595, 3_605), st.integers(0, 10_000))
FAULTS = ["none", "answer", "age", "started", "updated", "carried", "dead", "decimals"]
words = st.sampled_from([0, 1, -1, -(2**255), 2**255 - 1])


@st.composite
def rounds(draw: st.DrawFn, decimals: int, price: int) -> dict[str, int]:
    """Rounds with up to two faults."""
    near = st.integers(price * 10**decimals * 9 // 10, price * 10**decimals * 11 // 10)
    faults = draw(st.lists(st.sampled_from(FAULTS), max_size=2))
    round_id = draw(st.sampled_from([1, 2])) << 64 | draw(st.integers(1, 3))
    return {
        "id": round_id,
        "answer": draw(words if "answer" in faults else near),
        "age": draw(ages if "age" in faults else st.integers(0, 3_599)),
        "started_zero": int("started" in faults),
        "updated_zero": int("updated" in faults),
        "answered_in": round_id - int("carried" in faults),
        "dead": draw(st.integers(1, 3)) if "dead" in faults else 0,
        "decimals": decimals + int("decimals" in faults),
    }


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    decimals = draw(st.sampled_from([0, 2, 6, 8, 18]))
    exponent = draw(st.integers(-9, 2))
    second_decimals = draw(st.sampled_from([6, 8, 18]))
    price = 2_000 * 10 ** (18 + exponent)
    return {
        "decimals": decimals,
        "exponent": exponent,
        "second_decimals": second_decimals,
        "minimum": draw(st.sampled_from([1, price * 19 // 20])),
        "maximum": draw(st.integers(price, min(price * 2, 2**80 - 1))),
        "divergence": draw(st.integers(10**15, 10**17)),
        "has_second": draw(st.booleans()),
        "has_sequencer": draw(st.sampled_from([False, False, True])),
        "feed": draw(rounds(decimals, 2_000)),
        "second": draw(rounds(second_decimals, 2_000)),
        "up": (
            draw(st.sampled_from([0, 0, 0, 1])),
            draw(st.sampled_from([-2, 3_599, 3_600, 9_999])),
        ),
    }


Sends = list[tuple[Contract, bytes]]


def write(feed: Contract, r: dict[str, int], now: int) -> tuple[Sends, model.Feed]:
    """What sets the mock feed, and the same for the model."""
    date = now - r["age"]
    started = 0 if r["started_zero"] else date
    updated = 0 if r["updated_zero"] else date
    made = model.Round(r["id"], r["answer"], started, updated, r["answered_in"])
    sends = [
        (feed, feed.encode("set", made.id, made.answer, started, updated, made.answered_in)),
        (feed, feed.encode("setMode", r["dead"])),
        (feed, feed.encode("setDecimals", r["decimals"])),
    ]
    return sends, model.Feed(r["decimals"], None if r["dead"] else made)


def send_all(chain: LocalChain, batch: Contract, sends: Sends) -> None:
    chain.send(batch, "run", [c.address for c, _ in sends], [data for _, data in sends])


@pytest.fixture(scope="module")
def feeds(session_chain: LocalChain) -> list[Contract]:
    """Feed, second source, sequencer, and what calls them all at once."""
    made = [session_chain.deploy("MockFeed", 8) for _ in range(3)]
    return [*made, session_chain.deploy("MockBatch")]


@SETTINGS
@given(case=cases())
def test_adapter_equals_model(
    session_chain: LocalChain, feeds: list[Contract], case: dict[str, Any]
) -> None:
    chain = session_chain
    feed, second, up, batch = feeds
    with chain.isolated():
        decimals = (case["decimals"], case["second_decimals"], 0)
        ready = [(f, f.encode("setDecimals", d)) for f, d in zip(feeds, decimals, strict=False)]
        send_all(chain, batch, ready + [(f, f.encode("push", 1)) for f in feeds[:3]])
        has_second, has_sequencer = case["has_second"], case["has_sequencer"]
        terms = {
            "feed": feed.address,
            "second": second.address if has_second else ZERO,
            "sequencer": up.address if has_sequencer else ZERO,
            "heartbeat": 3_600,
            "secondHeartbeat": 3_600 if has_second else 0,
            "sequencerGrace": 3_600 if has_sequencer else 0,
            "maxDivergence": case["divergence"] if has_second else 0,
            "minimum": case["minimum"],
            "maximum": case["maximum"],
            "lotExponent": case["exponent"],
        }
        adapter = chain.deploy("ChainlinkOracleAdapter", terms)
        twin = model.ChainlinkOracleAdapter(
            model.Config(
                3_600,
                case["minimum"],
                case["maximum"],
                case["exponent"],
                3_600,
                case["divergence"],
                3_600,
            ),
            model.Described(case["decimals"], 1),
            model.Described(case["second_decimals"], 1) if has_second else None,
            has_sequencer,
        )

        now = chain.now + 10_000
        feed_sends, feed_said = write(feed, case["feed"], now)
        second_sends, second_said = write(second, case["second"], now)
        status, age = case["up"]
        up_round = (1 << 64 | 2, status, now - age, now, 1 << 64 | 2)
        up_said = model.Feed(0, model.Round(*up_round))
        chain.next_at(now)
        send_all(chain, batch, [*feed_sends, *second_sends, (up, up.encode("set", *up_round))])

        price = adapter.read("peek")
        expected = twin.peek(now, feed_said, second_said, up_said)
        got = model.Price(*price[:3], model.PriceStatus(price.status))
        assert got == expected
        if expected.status is model.PriceStatus.OK:
            assert adapter.read("required") == price
        else:
            with pytest.raises(ContractError, match="Oracle"):
                adapter.read("required")
        assert adapter.read("silentFor") == twin.silent_for(now, feed_said, up_said)
        event(expected.status.name)

        for later in (now + 1_800, now + 5_000, now + 9_000):
            chain.next_at(later)
            chain.send(adapter, "witness")
            twin.witness(later, feed_said)
            assert adapter.read("silentFor") == twin.silent_for(later, feed_said, up_said)


@st.composite
def histories(draw: st.DrawFn) -> dict[int, list[int]]:
    """Phases that overlap, touch, sleep, or are missing; dates never go back within one."""
    made = {}
    for phase in range(1, draw(st.integers(1, 4)) + 1):
        dates = draw(st.lists(st.integers(0, 400), max_size=6))
        if dates:
            made[phase] = sorted(dates)
    return made


@settings(SETTINGS, max_examples=30)
@given(history=histories(), times=st.lists(st.integers(0, 420), min_size=2, max_size=4))
def test_round_proof_equals_model_and_is_unique(
    session_chain: LocalChain, history: dict[int, list[int]], times: list[int]
) -> None:
    chain = session_chain
    with chain.isolated():
        feed = chain.deploy("MockFeed", 8)
        chain.send(feed, "set", 9 << 64 | 1, 10**8, chain.now, chain.now, 9 << 64 | 1)
        terms = {
            "feed": feed.address,
            "second": ZERO,
            "sequencer": ZERO,
            "heartbeat": 100,
            "secondHeartbeat": 0,
            "sequencerGrace": 0,
            "maxDivergence": 0,
            "minimum": 1,
            "maximum": 2**80 - 1,
            "lotExponent": 0,
        }
        adapter = chain.deploy("ChainlinkOracleAdapter", terms)
        twin = model.ChainlinkOracleAdapter(model.Config(100, 1, 2**80 - 1), model.Described(8, 9))
        start = chain.now
        said: dict[int, model.Round] = {}
        for phase, dates in history.items():
            chain.send(feed, "setPhaseAggregator", phase, feed.address)
            for number, date in enumerate(dates, 1):
                round_id = phase << 64 | number
                answer = 10**8 + len(said)
                chain.send(feed, "setPast", round_id, answer, start + date)
                at = start + date
                said[round_id] = model.Round(round_id, answer, at, at, round_id)
        now = start + 500
        chain.mine_at(now)
        history_said = model.Feed(8, None, said, dict.fromkeys(history, 8))
        for time in times:
            right = []
            for round_id in said:
                expected: int | str
                got: int | str
                try:
                    expected = twin.price_at(now, history_said, start + time, round_id)
                    right.append(round_id)
                except Refused as error:
                    expected = error.name
                try:
                    got = adapter.read("priceAt", start + time, round_id)
                except ContractError as error:
                    got = error.name
                assert got == expected
            assert len(right) <= 1
