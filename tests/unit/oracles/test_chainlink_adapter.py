"""Every check of the adapter: its status, and its error with the numbers that disagreed."""

from collections.abc import Callable
from typing import Any

import pytest

from novation import artifacts
from novation.chain.errors import ContractError
from novation.model.oracle import PriceStatus
from tests.local_chain import LocalChain

WAD = 10**18
ID = 1 << 64 | 1
DAY = 86_400
ZERO = "0x" + "00" * 20
NORMAL, REVERTING, SHORT, DIRTY, BURNING = range(5)
Make = Callable[..., Any]


def refused(call: Callable[[], Any]) -> tuple[str, dict[str, Any]]:
    with pytest.raises(ContractError) as caught:
        call()
    return caught.value.name, caught.value.arguments


def expect(bench: Any, status: PriceStatus, error: str, *numbers: Any) -> None:
    """peek gives the status, read does not revert, required reverts with these numbers."""
    assert bench.status() is status
    assert bench.peek().value == 0
    assert bench.adapter.read("read").status == status
    name, values = refused(lambda: bench.adapter.read("required"))
    assert name == error
    assert list(values.values()) == list(numbers)


class TestChecks:
    def test_peek_fresh_round_gives_value_and_dates(self, bench: Make) -> None:
        b = bench()
        at = b.set(1_987_65432100, age=60)
        price = b.peek()
        assert (price.value, price.updatedAt) == (1_987_654321 * 10**12, at - 60)
        assert (price.validUntil, price.status) == (at - 60 + 3_600, PriceStatus.OK)
        assert b.adapter.read("required") == price

    @pytest.mark.parametrize("mode", [REVERTING, SHORT, DIRTY, BURNING])
    def test_peek_misbehaving_feed_gives_no_answer(self, bench: Make, mode: int) -> None:
        b = bench()
        b.chain.send(b.feed, "setMode", mode)
        expect(b, PriceStatus.NO_ANSWER, "OracleNoAnswer", b.feed.address, 0)

    def test_peek_feed_without_code_gives_no_answer(self, bench: Make) -> None:
        b = bench()
        b.chain.request("anvil_setCode", b.feed.address, "0x")
        expect(b, PriceStatus.NO_ANSWER, "OracleNoAnswer", b.feed.address, 0)

    @pytest.mark.parametrize("answer", [0, -1, -(2**255)])
    def test_peek_answer_not_positive_is_refused(self, bench: Make, answer: int) -> None:
        b = bench()
        b.set(answer)
        expect(b, PriceStatus.NOT_POSITIVE, "OracleNotPositive", b.feed.address, answer)

    @pytest.mark.parametrize(
        "words", [{"updated_at": 0}, {"started_at": 0}, {"answered_in": ID - 1}]
    )
    def test_peek_incomplete_round_is_refused(self, bench: Make, words: dict[str, int]) -> None:
        b = bench()
        at = b.set(2_000 * 10**8, **words)
        shown = {"answered_in": ID, "started_at": at, "updated_at": at} | words
        expect(b, PriceStatus.INCOMPLETE, "OracleIncomplete", b.feed.address, ID, *shown.values())

    @pytest.mark.parametrize("ahead", [1, 2**64, 2**255])
    def test_peek_round_from_the_future_is_refused(self, bench: Make, ahead: int) -> None:
        b = bench()
        at = b.set(2_000 * 10**8, updated_at=b.chain.now + 1 + ahead)
        expect(b, PriceStatus.FROM_FUTURE, "OracleFromFuture", b.feed.address, at + ahead, at)

    def test_peek_at_the_heartbeat_is_fresh_and_a_second_later_stale(self, bench: Make) -> None:
        b = bench()
        at = b.set(2_000 * 10**8)
        b.chain.mine_at(at + 3_600)
        assert b.status() is PriceStatus.OK
        b.chain.mine_at(at + 3_601)
        expect(b, PriceStatus.STALE, "OracleStale", b.feed.address, at + 3_601, at + 3_600)
        assert b.peek().updatedAt == at

    @pytest.mark.parametrize("answer", [10 * 10**8 - 1, 100_000 * 10**8 + 1, 2**255 - 1])
    def test_peek_answer_outside_the_bounds_is_refused(self, bench: Make, answer: int) -> None:
        b = bench()
        b.set(answer)
        bounds = (10 * 10**8, 100_000 * 10**8)
        expect(b, PriceStatus.OUT_OF_BOUNDS, "OracleOutOfBounds", b.feed.address, answer, *bounds)

    @pytest.mark.parametrize("answer", [10 * 10**8, 100_000 * 10**8])
    def test_peek_answer_on_a_bound_is_given(self, bench: Make, answer: int) -> None:
        b = bench()
        b.set(answer)
        assert b.peek().value == answer * 10**10

    def test_checks_are_made_in_order(self, bench: Make) -> None:
        b = bench(sequencer=True)
        b.chain.advance(2 * DAY)
        b.set(-1, answered_in=ID - 1, updated_at=1)
        b.set(1, started_at=0, feed=b.sequencer)
        assert b.status() is PriceStatus.SEQUENCER_DOWN
        b.set(0, age=3_600, feed=b.sequencer)
        assert b.status() is PriceStatus.NOT_POSITIVE
        b.set(1, answered_in=ID - 1, updated_at=1)
        assert b.status() is PriceStatus.INCOMPLETE
        b.set(1, updated_at=1)
        assert b.status() is PriceStatus.STALE
        b.set(1)
        assert b.status() is PriceStatus.OUT_OF_BOUNDS


class TestSecondSource:
    def test_peek_second_at_the_limit_agrees_and_beyond_diverges(self, bench: Make) -> None:
        b = bench(second=True)
        limit = 2_000 * WAD // 50
        for second in (2_040 * 10**6, 1_960 * 10**6):
            b.set(second, feed=b.second)
            assert b.status() is PriceStatus.OK
        for second in (2_040 * 10**6 + 1, 1_960 * 10**6 - 1):
            b.set(second, feed=b.second)
            value = second * 10**12
            expect(b, PriceStatus.DIVERGED, "OracleDiverged", 2_000 * WAD, value, limit)

    def test_peek_absurd_second_diverges_and_does_not_overflow(self, bench: Make) -> None:
        b = bench(second=True)
        b.set(2**255 - 1, feed=b.second)
        cut = (2**128 - 1) * 10**12
        expect(b, PriceStatus.DIVERGED, "OracleDiverged", 2_000 * WAD, cut, 40 * WAD)

    @pytest.mark.parametrize("mode", [REVERTING, SHORT, DIRTY, BURNING])
    def test_peek_dead_second_has_no_say(self, bench: Make, mode: int) -> None:
        b = bench(second=True)
        b.set(1, feed=b.second)
        assert b.status() is PriceStatus.DIVERGED
        b.chain.send(b.second, "setMode", mode)
        assert b.status() is PriceStatus.OK

    def test_peek_stale_second_has_no_say(self, bench: Make) -> None:
        b = bench(second=True)
        at = b.set(1, feed=b.second)
        b.chain.mine_at(at + 7_199)
        b.set(2_000 * 10**8)
        assert b.status() is PriceStatus.DIVERGED
        b.set(2_000 * 10**8)
        assert b.status() is PriceStatus.OK

    def test_peek_second_with_changed_decimals_has_no_say(self, bench: Make) -> None:
        b = bench(second=True)
        b.set(1, feed=b.second, id=2 << 64 | 1)
        assert b.status() is PriceStatus.DIVERGED
        b.chain.send(b.second, "setDecimals", 8)
        assert b.status() is PriceStatus.OK


class TestSequencer:
    def test_peek_sequencer_down_or_dead_is_refused(self, bench: Make) -> None:
        b = bench(sequencer=True)
        b.set(1, age=7_200, feed=b.sequencer)
        b.set(2_000 * 10**8)
        expect(b, PriceStatus.SEQUENCER_DOWN, "OracleSequencerDown", b.sequencer.address, 1)
        b.chain.send(b.sequencer, "setMode", REVERTING)
        assert b.status() is PriceStatus.SEQUENCER_DOWN

    def test_peek_grace_ends_to_the_second(self, bench: Make) -> None:
        b = bench(sequencer=True)
        up = b.set(0, feed=b.sequencer)
        b.chain.mine_at(up + 3_598)
        b.set(2_000 * 10**8)
        numbers = (b.sequencer.address, up, up + 3_600)
        expect(b, PriceStatus.SEQUENCER_GRACE, "OracleSequencerGrace", *numbers)
        b.set(2_000 * 10**8)
        assert b.status() is PriceStatus.OK

    @pytest.mark.parametrize("started", [0, 2**255])
    def test_peek_never_started_sequencer_is_in_grace(self, bench: Make, started: int) -> None:
        b = bench(sequencer=True)
        b.set(0, started_at=started, feed=b.sequencer)
        numbers = (b.sequencer.address, started, started + 3_600)
        expect(b, PriceStatus.SEQUENCER_GRACE, "OracleSequencerGrace", *numbers)


class TestDecimals:
    @pytest.mark.parametrize("decimals", [0, 2, 6, 8, 18])
    @pytest.mark.parametrize("exponent", [-6, 0, 2])
    def test_peek_is_the_same_price_for_all_decimals(
        self, bench: Make, decimals: int, exponent: int
    ) -> None:
        price = 2_000 * 10 ** (18 + exponent)
        b = bench(decimals=decimals, lotExponent=exponent, minimum=price // 6, maximum=price * 6)
        assert b.peek().value == price
        assert b.adapter.read("decimals") == decimals

    def test_peek_negative_exponent_rounds_down(self, bench: Make) -> None:
        b = bench(decimals=18, lotExponent=-6, minimum=1, maximum=WAD)
        b.set(2_000 * WAD + 999_999)
        assert b.peek().value == 2_000 * 10**12
        b.set(999_999)  # less than one unit of value: below any bound
        assert b.status() is PriceStatus.OUT_OF_BOUNDS
        b.set((WAD + 1) * 10**6 - 1)
        assert b.peek().value == WAD
        b.set((WAD + 1) * 10**6)
        assert b.status() is PriceStatus.OUT_OF_BOUNDS

    def test_deploy_decimals_above_18_are_refused(self, chain: LocalChain, bench: Make) -> None:
        b = bench()
        feed = chain.deploy("MockFeed", 19)
        chain.send(feed, "push", 1)
        name, values = refused(
            lambda: chain.deploy("ChainlinkOracleAdapter", b.terms | {"feed": feed.address})
        )
        assert name == "OracleConfig"
        assert list(values.values())[1:] == [19, 18]

    def test_peek_changed_decimals_are_refused_in_a_new_phase(self, bench: Make) -> None:
        b = bench()
        b.chain.send(b.feed, "setDecimals", 18)
        b.set(2_000 * 10**8)  # the same aggregator: its decimals cannot have changed
        assert b.status() is PriceStatus.OK
        b.set(2_000 * 10**8, id=2 << 64 | 1)
        expect(b, PriceStatus.NO_ANSWER, "OracleDecimalsChanged", b.feed.address, 18, 8)
        b.chain.send(b.feed, "setDecimals", 8)
        assert b.status() is PriceStatus.OK

    def test_peek_feed_without_phases_has_its_decimals_read_always(self, bench: Make) -> None:
        b = bench()
        b.set(2_000 * 10**8, id=7)
        adapter = b.chain.deploy("ChainlinkOracleAdapter", b.terms)
        assert adapter.read("peek").status == PriceStatus.OK
        b.chain.send(b.feed, "setDecimals", 6)
        assert adapter.read("peek").status == PriceStatus.NO_ANSWER


class TestOnePrice:
    def test_read_twice_in_a_transaction_repeats_the_first(self, bench: Make) -> None:
        b = bench()
        batch = b.chain.deploy("MockBatch")
        raised = b.feed.encode("push", 2_500 * 10**8)
        calls = [
            (b.adapter, b.adapter.encode("read")),
            (b.feed, raised),
            (b.adapter, b.adapter.encode("read")),
            (b.adapter, b.adapter.encode("peek")),
            (b.adapter, b.adapter.encode("required")),
        ]
        results = batch.read("run", [c.address for c, _ in calls], [d for _, d in calls])
        values = [int.from_bytes(results[i][:32], "big") for i in (0, 2, 3, 4)]
        assert values == [2_000 * WAD] * 4
        b.chain.send(batch, "run", [c.address for c, _ in calls], [d for _, d in calls])
        assert b.peek().value == 2_500 * WAD

    def test_read_failing_status_is_repeated_too(self, bench: Make) -> None:
        b = bench()
        b.set(-1)
        batch = b.chain.deploy("MockBatch")
        read = b.adapter.encode("read")
        data = [read, b.feed.encode("push", 2_500 * 10**8), read]
        results = batch.read("run", [b.adapter.address, b.feed.address, b.adapter.address], data)
        statuses = [int.from_bytes(results[i][96:128], "big") for i in (0, 2)]
        assert statuses == [PriceStatus.NOT_POSITIVE] * 2

    def test_peek_after_no_read_follows_the_feed(self, bench: Make) -> None:
        b = bench()
        batch = b.chain.deploy("MockBatch")
        peek = b.adapter.encode("peek")
        data = [peek, b.feed.encode("push", 2_500 * 10**8), peek]
        results = batch.read("run", [b.adapter.address, b.feed.address, b.adapter.address], data)
        values = [int.from_bytes(results[i][:32], "big") for i in (0, 2)]
        assert values == [2_000 * WAD, 2_500 * WAD]


class TestGas:
    def test_read_starved_of_gas_reverts_and_never_reports_a_dead_feed(self, bench: Make) -> None:
        b = bench()
        batch = b.chain.deploy("MockBatch")
        read = b.adapter.encode("read")
        seen = set()
        for limit in range(2_000, 40_000, 500):
            ok, out = batch.read("withGas", b.adapter.address, read, limit)
            if ok:
                assert int.from_bytes(out[96:128], "big") == PriceStatus.OK
            seen.add(ok)
        assert seen == {True, False}

    def test_read_feed_that_burns_gas_costs_a_bounded_amount(self, bench: Make) -> None:
        b = bench()
        b.chain.send(b.feed, "setMode", BURNING)
        batch = b.chain.deploy("MockBatch")
        ok, out = batch.read("withGas", b.adapter.address, b.adapter.encode("read"), 330_000)
        assert ok
        assert int.from_bytes(out[96:128], "big") == PriceStatus.NO_ANSWER
        ok, out = batch.read("withGas", b.adapter.address, b.adapter.encode("read"), 250_000)
        assert not ok


class TestSilence:
    def test_silent_for_stale_feed_counts_from_the_end_of_the_heartbeat(self, bench: Make) -> None:
        b = bench()
        at = b.set(2_000 * 10**8)
        b.chain.mine_at(at + 3_600)
        assert b.adapter.read("silentFor") == 0
        b.chain.mine_at(at + 3_600 + DAY)
        assert b.adapter.read("silentFor") == DAY

    def test_silent_for_diverged_second_is_zero(self, bench: Make) -> None:
        b = bench(second=True)
        b.set(1, feed=b.second)
        assert b.status() is PriceStatus.DIVERGED
        assert b.adapter.read("silentFor") == 0

    def test_silent_for_sequencer_outage_does_not_count(self, bench: Make) -> None:
        b = bench(sequencer=True)
        at = b.set(2_000 * 10**8)
        b.set(1, feed=b.sequencer)
        b.chain.mine_at(at + 2 * DAY)
        assert b.adapter.read("silentFor") == 0
        up = b.set(0, feed=b.sequencer)
        b.chain.mine_at(up + 3_600)
        assert b.adapter.read("silentFor") == 0
        b.chain.mine_at(up + 3_700)
        assert b.adapter.read("silentFor") == 100

    @pytest.mark.parametrize("how", ["reverting", "negative", "out of bounds"])
    def test_silent_for_undated_silence_counts_as_far_as_witnessed(
        self, bench: Make, how: str
    ) -> None:
        b = bench()

        def fail() -> None:
            if how == "reverting":
                b.chain.send(b.feed, "setMode", REVERTING)
            else:
                b.set(-1 if how == "negative" else 1, updated_at=b.chain.now + 1)

        fail()
        assert b.adapter.read("silentFor") == 0
        b.chain.send(b.adapter, "witness")
        first = b.chain.now
        for _ in range(5):
            b.chain.next_at(b.chain.now + 3_600)
            if how != "reverting":
                fail()
            b.chain.send(b.adapter, "witness")
        assert b.adapter.read("silentFor") == b.chain.now - first

    def test_witness_gap_over_an_hour_begins_anew(self, bench: Make) -> None:
        b = bench()
        b.chain.send(b.feed, "setMode", REVERTING)
        b.chain.send(b.adapter, "witness")
        b.chain.advance(3_602)
        assert b.adapter.read("silentFor") == 0
        b.chain.send(b.adapter, "witness")
        b.chain.advance(10)
        assert b.adapter.read("silentFor") == 10

    def test_witness_answering_feed_ends_the_silence(self, bench: Make) -> None:
        b = bench()
        b.chain.send(b.feed, "setMode", REVERTING)
        b.chain.send(b.adapter, "witness")
        since = b.chain.now
        b.chain.send(b.feed, "setMode", NORMAL)
        b.chain.send(b.adapter, "witness")
        b.chain.send(b.feed, "setMode", REVERTING)
        assert b.adapter.read("silentFor") == 0
        last = b.chain.block_number()
        events = list(b.adapter.events(["SilenceWitnessed"], last - 4, last))
        assert [e.values["since"] for e in events] == [since, 0]


class TestConstruction:
    @pytest.mark.parametrize(
        ("change", "field", "value", "bound"),
        [
            ({"heartbeat": 0}, "heartbeat", 0, 1),
            ({"heartbeat": 2 * DAY + 1}, "heartbeat", 2 * DAY + 1, 2 * DAY),
            ({"minimum": 0}, "minimum", 0, 1),
            ({"minimum": 100_000 * WAD}, "minimum", 100_000 * WAD, 100_000 * WAD - 1),
            ({"maximum": 2**80}, "maximum", 2**80, 2**80 - 1),
            ({"lotExponent": 19}, "lotExponent", 19, 18),
            ({"lotExponent": -19}, "lotExponent", 19, 18),
            ({"lotExponent": -128}, "lotExponent", 128, 18),
            ({"secondHeartbeat": 60}, "secondHeartbeat", 60, 0),
            ({"maxDivergence": 10**16}, "maxDivergence", 10**16, 0),
            ({"sequencerGrace": 60}, "sequencerGrace", 60, 0),
        ],
    )
    def test_deploy_value_outside_its_bound_is_refused(
        self, bench: Make, change: dict[str, int], field: str, value: int, bound: int
    ) -> None:
        self.expect_refusal(bench(), change, field, value, bound)

    @pytest.mark.parametrize(
        ("change", "field", "value", "bound"),
        [
            ({"secondHeartbeat": 0}, "secondHeartbeat", 0, 1),
            ({"maxDivergence": 10**15 - 1}, "maxDivergence", 10**15 - 1, 10**15),
            ({"maxDivergence": WAD // 2 + 1}, "maxDivergence", WAD // 2 + 1, WAD // 2),
            ({"sequencerGrace": 59}, "sequencerGrace", 59, 60),
            ({"sequencerGrace": DAY + 1}, "sequencerGrace", DAY + 1, DAY),
        ],
    )
    def test_deploy_second_or_sequencer_outside_its_bound_is_refused(
        self, bench: Make, change: dict[str, int], field: str, value: int, bound: int
    ) -> None:
        self.expect_refusal(bench(second=True, sequencer=True), change, field, value, bound)

    def expect_refusal(
        self, b: Any, change: dict[str, int], field: str, value: int, bound: int
    ) -> None:
        name, values = refused(lambda: b.chain.deploy("ChainlinkOracleAdapter", b.terms | change))
        assert name == "OracleConfig"
        assert values["field"].rstrip(b"\0").decode() == field
        assert (values["value"], values["bound"]) == (value, bound)

    @pytest.mark.parametrize("field", ["feed", "second", "sequencer"])
    def test_deploy_address_without_code_is_refused(self, bench: Make, field: str) -> None:
        b = bench(second=True, sequencer=True)
        empty = b.chain.accounts[9]
        name, values = refused(
            lambda: b.chain.deploy("ChainlinkOracleAdapter", b.terms | {field: empty})
        )
        assert name == "OracleNoCode"
        assert values["feed"].lower() == empty.lower()

    def test_deploy_second_equal_to_feed_is_refused(self, bench: Make) -> None:
        b = bench(second=True)
        terms = b.terms | {"second": b.feed.address}
        assert refused(lambda: b.chain.deploy("ChainlinkOracleAdapter", terms))[0] == "OracleConfig"

    def test_deploy_feed_without_answer_is_refused(self, bench: Make) -> None:
        b = bench()
        b.chain.send(b.feed, "setMode", REVERTING)
        name, _ = refused(lambda: b.chain.deploy("ChainlinkOracleAdapter", b.terms))
        assert name == "OracleNoAnswer"

    def test_config_is_what_was_given(self, bench: Make) -> None:
        b = bench(second=True, sequencer=True, lotExponent=-3)
        assert b.adapter.read("config")._asdict() == b.terms
        assert b.adapter.read("maximum") == b.terms["maximum"]

    def test_adapter_has_no_way_to_change_its_configuration(self) -> None:
        writers = {
            e["name"]
            for e in artifacts.load("ChainlinkOracleAdapter").abi
            if e["type"] == "function" and e["stateMutability"] not in ("view", "pure")
        }
        assert writers == {"read", "witness"}
