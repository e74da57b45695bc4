"""The demo from end to end on a short path: report and summary, the same again, and clean exits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from novation.cli import app
from novation.lab import mirror as mirrors
from novation.lab.demo import Demo, DemoSettings
from novation.lab.errors import SettingsError
from novation.lab.prices import load_prices
from novation.lab.recording import summary
from novation.units import WAD

CANDLES = (
    "timestamp,open,high,low,close,volume",
    "2020-03-12 09:00:00+00:00,169.5,170.2,167.4,168,1",
    "2020-03-12 10:00:00+00:00,168,168.9,125,132.9,1",
    "2020-03-12 11:00:00+00:00,132.9,150,123,136.6,1",
    "2020-03-12 12:00:00+00:00,136.5,142.5,134,137,1",
)
MAIN = "from novation.cli import main; main()"
FEW = ("--traders", "20", "--step", "240")


@pytest.fixture
def prices(tmp_path):
    file = tmp_path / "crash.csv"
    file.write_text("\n".join(CANDLES))
    return file


def run(*arguments: str | Path):
    return CliRunner().invoke(app, ["lab", "demo", *map(str, arguments)])


def test_demo_writes_report_and_summary_and_money_is_conserved(prices, tmp_path):
    out = tmp_path / "out"
    done = run("--prices", prices, "--out", out, *FEW)
    assert done.exit_code == 0, done.output
    made = json.loads((out / "summary.json").read_text())
    assert made["scenario"]["label"] == "crash.csv"
    assert made["scenario"]["synthetic"] is False
    assert made["totals"]["blocks"] == made["conservation"]["blocksChecked"] == 60
    assert made["conservation"]["violations"] == 0
    assert made["totals"]["fills"] > 0
    assert {"open", "close", "oracle round"} <= made["gas"].keys()
    assert made["gas"]["open"]["p50"] > 50_000
    assert made["losses"].keys() == {
        "insurancePaid", "badDebtSocialised", "orphanDeficit", "deleveragedLots"
    }  # fmt: skip
    page = (out / "report.html").read_text()
    assert "real prices" in page
    assert "4 real candles" in page


def test_same_seed_gives_the_same_run_and_another_another(prices):
    path = load_prices(str(prices), 60, 1)

    def result(seed: int) -> dict[str, object]:
        made = summary(Demo(path, DemoSettings(20, seed, step=600)).run())
        del made["seconds"]
        return made

    first = result(1)
    assert first == result(1)
    assert first["totals"] != result(2)["totals"]


def test_missing_money_ends_the_demo_and_nothing_is_written(prices, tmp_path, monkeypatch):
    check = mirrors.Mirror.check
    monkeypatch.setattr(
        mirrors.Mirror, "check", lambda self, at, vault, house: check(self, at, vault - WAD, house)
    )
    out = tmp_path / "out"
    done = run("--prices", prices, "--out", out, *FEW)
    assert done.exit_code == 1
    assert "V is" in done.output
    assert not out.exists()


def test_bad_prices_end_the_demo_before_it_begins(prices, tmp_path):
    prices.write_text("\n".join([*CANDLES[:2], "2020-03-12 10:00:00,1,0.5,1,1,1"]))
    out = tmp_path / "out"
    done = run("--prices", prices, "--out", out)
    assert done.exit_code == 2
    assert "row 3: high 0.5 is below low 1" in done.output
    assert not out.exists()


def test_prices_that_the_oracle_would_refuse_end_the_demo_before_it_begins(prices, tmp_path):
    prices.write_text("\n".join([CANDLES[0], "1583971200,2,2,1,1,1", "1583974800,1,1,0.5,1,1"]))
    done = run("--prices", prices, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "not all between" in done.output


def test_folder_that_cannot_be_is_refused_before_the_run(prices):
    done = run("--prices", prices, "--out", prices / "out")
    assert done.exit_code == 2
    assert "no folder" in done.output


@pytest.mark.parametrize(
    "settings", [{"traders": 5}, {"step": 5, "block_time": 12}, {"block_time": 0}]
)
def test_settings_that_make_no_market_are_refused(settings):
    with pytest.raises(SettingsError):
        DemoSettings(**settings)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_demo_leaves_no_process_and_no_file(tmp_path, number, code):
    out, temporary = tmp_path / "out", tmp_path / "tmp"
    temporary.mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-c", MAIN, "lab", "demo", "--out", out],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not chains(temporary) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert chains(temporary)
    time.sleep(1)
    demo.send_signal(number)
    assert demo.wait(30) == code
    assert not chains(temporary)
    assert not out.exists()


def chains(temporary: Path) -> list[str]:
    """Processes whose command line names this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes()
        except OSError:
            continue  # it has just ended
        if b"anvil" in command and str(temporary).encode() in command:
            found.append(entry.parent.name)
    return found
