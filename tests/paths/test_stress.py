"""Each stress with few accounts, to the last withdrawal: all are paid, and money adds up."""

import json
from functools import cache
from itertools import pairwise

import pytest
from typer.testing import CliRunner

from novation.cli import app
from novation.lab.demo import DemoSettings
from novation.lab.prices import load_prices
from novation.lab.recording import Recording, summary
from novation.lab.scenarios import STRESSES
from novation.lab.settlement import Settlement
from novation.lab.stress import StressRun
from novation.units import WAD

ACCOUNTS, STEP = 40, 240
UNIT = 10**12
"""WAD quote in a token unit."""
CANDLES = (
    "timestamp,open,high,low,close,volume",
    "2020-03-12 09:00:00+00:00,169.5,170.2,167.4,168,1",
    "2020-03-12 10:00:00+00:00,168,168.9,125,132.9,1",
    "2020-03-12 11:00:00+00:00,132.9,150,123,136.6,1",
)
FEW = ("--accounts", str(ACCOUNTS), "--step", str(STEP))


@cache
def ran(name: str) -> Recording:
    """On the synthetic path; cut to its worst day where a stress takes all of it."""
    path = load_prices(None, 60, 1)
    path = path.between(path.start + 8 * 3_600, path.start + 14 * 3_600)
    return StressRun(path, DemoSettings(ACCOUNTS, 1, step=STEP), STRESSES[name]).run()


@pytest.fixture
def prices(tmp_path):
    file = tmp_path / "ETH crash.csv"
    file.write_text("\n".join(CANDLES))
    return file


def run(*arguments):
    return CliRunner().invoke(app, ["lab", "stress", *map(str, arguments)])


@pytest.mark.parametrize("name", STRESSES)
def test_stress_ends_with_everybody_paid_and_the_counted_surplus_in_the_vault(name):
    recording = ran(name)
    end = recording.stressed.settlement
    assert end.unpaid == 0
    assert (end.cut, end.short, end.refusals) == (0, 0, {})
    assert end.ratio == WAD
    assert end.written_off == 0
    assert 0 < end.accounts <= ACCOUNTS + 3  # the two keepers and the treasury
    assert end.dust < UNIT * (ACCOUNTS + 8)  # less than a unit each
    assert end.nobodys < 10 * UNIT or name == "uninsured"
    assert end.claims == end.withdrawn + end.dust + end.nobodys
    assert end.vault == end.surplus + end.dust + end.nobodys
    assert end.vault % UNIT == 0


@pytest.mark.parametrize("name", STRESSES)
def test_vault_covers_capital_in_every_block_of_a_stress(name):
    recording = ran(name)
    assert all(row.vault >= row.capital_total for row in recording.rows)
    assert recording.stressed.settlement.least_over >= 0
    assert min(recording.column("surplus")) >= 0


def test_people_are_at_the_highest_leverage_on_both_sides():
    recording = ran("jump")
    assert recording.stressed.leverage > 9 * WAD
    sizes = [fill.size for fill in recording.fills if fill.trader == "gambler"]
    assert min(sizes) < 0 < max(sizes)


def test_keepers_asleep_leave_bankrupt_accounts_that_insurance_and_the_other_side_pay():
    recording = ran("asleep")
    assert recording.stressed.asleep == 300
    assert max(recording.column("bankrupt")) > 0
    assert recording.losses.insured > 0
    assert {"resolve", "collect"} <= recording.gas.keys()
    assert min(recording.column("release_ratio")) < WAD


def test_jump_through_several_margins_makes_bankrupts_at_once_and_stops_releases():
    recording = ran("jump")
    index = recording.column("index")
    assert min(b * 100 // a for a, b in pairwise(index)) < 75
    assert max(recording.column("bankrupt")) > 0
    assert recording.losses.insured + recording.losses.charged > 0
    assert recording.reverts["winner releases", "ClearingInterrupted"] > 0


def test_keepers_without_capital_sell_to_the_venue_and_take_nothing_in():
    recording = ran("poor")
    assert "liquidate" not in recording.gas
    assert "keeper's trade" not in recording.gas
    assert {"liquidate to venue", "liquidate many to venue"} & recording.gas.keys()


def test_pool_that_goes_under_is_resolved_like_any_account_and_pays_its_lps_nothing():
    recording = ran("pool")
    assert min(recording.column("amm_size")) < 0
    assert recording.rows[-1].amm_size == 0
    assert recording.losses.charged > 0
    assert recording.reverts["LP withdraw", "VammInsolvent"] > 0
    assert "LP withdraw" not in recording.gas


def test_fall_to_almost_nothing_is_paid_by_those_who_had_it():
    recording = ran("nothing")
    assert recording.rows[-1].index < 2 * WAD
    assert max(recording.column("bankrupt")) > 0


def test_without_insurance_the_other_side_pays_and_bankrupts_are_ended_at_the_settlement():
    recording = ran("uninsured")
    assert recording.losses.insured == 0
    assert recording.losses.charged > 0
    assert recording.stressed.settlement.ended > 0
    assert recording.losses.notional > 0


def test_only_the_staker_who_was_cooled_before_the_loss_leaves_whole():
    stressed = ran("jump").stressed
    first, *others = stressed.stakes
    assert first.asks == "at the first block"
    assert first.returned >= first.staked
    assert all(0 < stake.returned < stake.staked for stake in others)
    assert stressed.unstaked > first.returned  # the nervous one left too, too late


def test_stakers_whose_cooldown_is_longer_than_the_crash_all_bear_it():
    stressed = ran("asleep").stressed
    assert stressed.unstaked == 0
    assert len(ran("asleep").gas["stake request"]) > 4  # the first and the nervous asked in it
    assert all(0 < stake.returned < stake.staked for stake in stressed.stakes)


def test_winners_give_up_what_is_not_backed_when_they_take_any_ratio():
    stressed = ran("uninsured").stressed
    assert 0 < stressed.released_as < stressed.profit_released
    assert stressed.settlement.surplus >= stressed.profit_released - stressed.released_as


def test_stress_command_writes_the_six_numbers_and_a_section(prices, tmp_path):
    out = tmp_path / "out"
    done = run("--prices", prices, "--scenario", "asleep", "--out", out, *FEW)
    assert done.exit_code == 0, done.output
    assert "asleep: unpaid claims 0" in done.output
    assert "synthetic" not in done.output
    made = json.loads((out / "asleep" / "summary.json").read_text())
    assert made["unpaid_claims"] == "0"
    for name in ("bad_debt_socialised", "insurance_paid", "deleveraged_notional", "surplus"):
        assert float(made[name].replace("_", "")) >= 0
    assert float(made["min_vault_minus_capital"].replace("_", "")) >= 0
    assert made["settlement"]["walletsShort"] == 0
    page = (out / "asleep" / "report.html").read_text()
    assert "Stress: asleep" in page
    assert "Unpaid claims" in page


def test_stress_command_without_data_says_that_prices_are_synthetic(tmp_path):
    few = ("--accounts", "10", "--step", "600")
    done = run("--scenario", "poor", "--out", tmp_path / "out", *few)
    assert done.exit_code == 0, done.output
    assert "prices are synthetic" in done.output


def test_claim_that_nobody_withdraws_is_unpaid_and_fails_the_command(prices, tmp_path, monkeypatch):
    payees = Settlement._payees
    monkeypatch.setattr(Settlement, "_payees", lambda self: list(payees(self))[1:])
    out = tmp_path / "out"
    done = run("--prices", prices, "--scenario", "poor", "--out", out, *FEW)
    assert done.exit_code == 1
    assert "claims are left unpaid in poor" in done.output
    assert json.loads((out / "poor" / "summary.json").read_text())["unpaid_claims"] != "0"


def test_deficit_without_a_side_to_charge_is_written_off_and_reported_apart(monkeypatch):
    """Nobody ends the bankrupt before the market closes: then there is no other side any more."""
    end, calls = Settlement._end_bankrupts, []

    def late(self):
        calls.append(self)
        if len(calls) > 1:
            end(self)

    monkeypatch.setattr(Settlement, "_end_bankrupts", late)
    path = load_prices(None, 60, 1)
    settings = DemoSettings(ACCOUNTS, 1, step=STEP)
    recording = StressRun(path, settings, STRESSES["uninsured"]).run()
    settled, orphaned = recording.stressed.settlement, recording.losses.orphaned
    assert orphaned > 0
    assert settled.ratio < WAD
    assert settled.cut > 0
    assert 0 < settled.written_off <= orphaned
    assert settled.unpaid == settled.short == 0
    assert settled.claims == (
        settled.withdrawn + settled.written_off + settled.dust + settled.nobodys
    )
    assert summary(recording)["stress"]["orphanDeficit"] != "0"


def test_unknown_scenario_is_refused_before_the_run(tmp_path):
    done = run("--scenario", "sunshine", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "no scenario sunshine; there are asleep" in done.output


def test_same_seed_gives_the_same_stress():
    path = load_prices(None, 60, 1)

    def result() -> dict[str, object]:
        settings = DemoSettings(20, 3, step=600)
        made = summary(StressRun(path, settings, STRESSES["jump"]).run())
        del made["seconds"]
        return made

    assert result() == result()
