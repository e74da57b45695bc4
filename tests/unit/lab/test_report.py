"""The report: one file that loads nothing, says what it shows, and agrees with its summary."""

import json
import re
from html.parser import HTMLParser

import pytest

from novation.lab.recording import (
    BlockRow,
    Fill,
    Losses,
    Outcome,
    Recording,
    Scenario,
    Stressed,
    gas_table,
    percentile,
    summary,
)
from novation.lab.report import plotly_source, write_report
from novation.units import WAD

LOADS = {"src", "href", "action", "data", "poster", "srcset", "formaction"}


def row(number: int) -> BlockRow:
    money = {"lp_value": 990 * WAD, "lp_held": 1000 * WAD, "vault": 5000 * WAD + 7}
    money |= {"capital_total": 4000 * WAD, "profit_total": 500 * WAD, "fees_pending": 0}
    money |= {"account_capital": 4000 * WAD, "account_pnl": 500 * WAD, "untouched_pnl": 500 * WAD}
    prices = {"spot": 194 * WAD, "index": (195 - number) * WAD, "mid": 194 * WAD, "premium": 10**15}
    rest = {"funding": 10**15, "open_interest": 3 * WAD, "amm_size": -WAD, "surplus": 7}
    rest |= {"release_ratio": WAD, "unhealthy": 1, "bankrupt": 0}
    return BlockRow(number, 1583971200 + 60 * number, **prices, **rest, **money, transactions=3)


@pytest.fixture
def recording():
    scenario = Scenario(
        label="a path </script><b>bold</b>",
        source="drawn",
        synthetic=True,
        seed=5,
        notes=("One block stands for 60 s.",),
        parameters={"traders": "20"},
    )
    made = Recording(scenario, rows=[row(n) for n in range(5)])
    made.fills.append(Fill(1583971200, "noise", 2 * WAD, 194 * WAD, WAD // 10))
    made.fills.append(Fill(1583971260, "trend", -WAD // 2, 190 * WAD, WAD // 10))
    made.gas["open"] += [150_000, 140_000, 160_000]
    made.reverts["open", "ClearingInitialMargin"] += 2
    return made


class Loads(HTMLParser):
    """Everything in a page that would make a browser fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.styles = ""
        self._tag = ""

    def handle_starttag(self, tag, attrs):
        self._tag = tag
        self.found += [f"{tag} {name}={value}" for name, value in attrs if name in LOADS]
        self.styles += " ".join(value or "" for name, value in attrs if name == "style")
        if tag in ("link", "base", "iframe", "object", "embed"):
            self.found.append(tag)

    def handle_data(self, data):
        if self._tag == "style":
            self.styles += data


def test_report_loads_nothing_from_outside(recording, tmp_path):
    page = write_report(recording, tmp_path)[0].read_text(encoding="utf-8")
    parser = Loads()
    parser.feed(page)
    assert parser.found == []
    assert "url(" not in parser.styles
    assert "@import" not in parser.styles
    ours = page.replace(plotly_source(), "")
    assert "http://" not in ours
    assert "https://" not in ours
    assert page.count(plotly_source()) == 1


def test_report_says_that_prices_are_synthetic_and_what_a_block_is(recording, tmp_path):
    page = write_report(recording, tmp_path)[0].read_text(encoding="utf-8")
    assert "synthetic prices" in page
    assert "nobody ever traded" in page
    assert "One block stands for 60 s." in page
    assert "ClearingInitialMargin" in page


def test_text_of_the_scenario_cannot_break_the_page(recording, tmp_path):
    page = write_report(recording, tmp_path)[0].read_text(encoding="utf-8")
    assert "<b>bold</b>" not in page
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data[1])["blocks"]["index"] == [195, 194, 193, 192, 191]


def test_summary_is_exact_and_the_same_as_what_is_written(recording, tmp_path):
    made = summary(recording)
    assert json.loads(write_report(recording, tmp_path)[1].read_text(encoding="utf-8")) == made
    assert made["scenario"]["synthetic"] is True
    assert made["totals"]["volume"] == "483"
    assert made["totals"]["fillsByTrader"] == {"noise": 1, "trend": 1}
    assert made["totals"]["reverts"] == {"open: ClearingInitialMargin": 2}
    assert made["lp"]["ratio"] == "0.99"
    assert made["conservation"]["blocksChecked"] == 5
    assert made["conservation"]["surplusLow"] == "0.000000000000000007"
    assert made["gas"] == gas_table(recording)


def test_demo_has_no_section_and_no_numbers_of_a_stress(recording, tmp_path):
    page = write_report(recording, tmp_path)[0].read_text(encoding="utf-8")
    assert "Unpaid claims" not in page
    assert summary(recording).keys().isdisjoint({"unpaid_claims", "stress", "settlement"})


def test_stress_has_its_six_numbers_on_top_and_a_section_with_them(recording, tmp_path):
    end = Outcome(claims=70 * WAD, withdrawn=68 * WAD, unpaid=2 * WAD, surplus=7, least_over=5)
    recording.stressed = Stressed("jump", "It <jumps>.", end, leverage=95 * WAD // 10)
    recording.losses = Losses(3 * WAD, 4 * WAD, WAD, 8 * WAD, 9 * WAD)
    made = summary(recording)
    assert made["unpaid_claims"] == "2"
    assert made["bad_debt_socialised"] == "4"
    assert made["insurance_paid"] == "3"
    assert made["deleveraged_notional"] == "9"
    assert made["surplus"] == "0.000000000000000007"
    assert made["min_vault_minus_capital"] == "0.000000000000000005"
    assert made["stress"]["minVaultMinusCapitalOnPath"] == "1_000.000000000000000007"
    assert made["stress"]["orphanDeficit"] == "1"
    assert (made["settlement"]["claims"], made["settlement"]["withdrawn"]) == ("70", "68")
    page = write_report(recording, tmp_path)[0].read_text(encoding="utf-8")
    assert "Stress: jump" in page
    assert "It &lt;jumps&gt;." in page
    assert "<th>Unpaid claims</th><td>2</td>" in page


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 2), (75, 3), (76, 4), (100, 4)])
def test_percentile_is_one_of_the_values(percent, value):
    assert percentile([4, 1, 3, 2], percent) == value


def test_empty_recording_is_no_report(recording, tmp_path):
    recording.rows.clear()
    with pytest.raises(ValueError, match="nothing was recorded"):
        write_report(recording, tmp_path)
    assert not list(tmp_path.glob("*.html"))
