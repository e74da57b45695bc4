"""`novation lab`: simulations of the venue on a throw-away chain."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from novation.deploy.errors import SpecError
from novation.lab.demo import Demo, DemoSettings
from novation.lab.errors import DownloadError, LabError, PriceFileError, SettingsError
from novation.lab.feed import FeedRule
from novation.lab.prices import load_prices
from novation.lab.recording import stress_summary
from novation.lab.report import write_report
from novation.lab.scenarios import STRESSES
from novation.lab.stress import StressRun
from novation.lab.venue import SPEC
from novation.units import UnitError, read_ppm

BAD_INPUT = (PriceFileError, DownloadError, SettingsError, SpecError, UnitError)
FINEST = 60  # seconds: what the oracle watches the path at

app = typer.Typer(no_args_is_help=True, help="Simulate the venue on a throw-away chain.")

Prices = Annotated[
    str | None,
    typer.Option(
        help="CSV of candles or Chainlink rounds, or ccxt:exchange:SYMBOL:FROM:TO. "
        "Without it: a synthetic path like 12 March 2020."
    ),
]
Out = Annotated[Path, typer.Option(help="Folder for report.html and summary.json.")]
Traders = Annotated[int, typer.Option(min=10, max=5_000, help="People in the market.")]
Accounts = Annotated[int, typer.Option(min=10, max=5_000, help="People in the market.")]
Names = Annotated[
    list[str] | None,
    typer.Option("--scenario", help=f"Any of {', '.join(STRESSES)}; default: all of them."),
]
Seed = Annotated[int, typer.Option(min=0, help="The same seed gives the same run.")]
BlockTime = Annotated[int, typer.Option(min=1, help="Seconds between the chain's blocks.")]
Step = Annotated[
    int | None,
    typer.Option(min=1, help="Seconds between simulated blocks; default: some 1,000 blocks."),
]
Latency = Annotated[int, typer.Option(min=0, help="Seconds from a price to its oracle round.")]
Deviation = Annotated[str, typer.Option(help="Price change that makes a round, such as 0.5%.")]
Heartbeat = Annotated[int, typer.Option(min=1, help="Seconds after which a round comes anyway.")]
SpecFile = Annotated[Path, typer.Option(help="Deployment spec of a local network.")]


@app.callback()
def lab() -> None:
    """Without this, an app of one command would not want its name."""


@app.command()
def demo(
    prices: Prices = None,
    out: Out = Path("out/demo"),
    traders: Traders = 300,
    seed: Seed = 1,
    block_time: BlockTime = 12,
    step: Step = None,
    latency: Latency = 24,
    deviation: Deviation = "0.5 %",
    heartbeat: Heartbeat = 3_600,
    spec: SpecFile = SPEC,
) -> None:
    """Trade the whole venue along a price path and write a report."""
    try:
        check_folder(out)
        rule = FeedRule(read_ppm(deviation), heartbeat, latency)
        path = load_prices(prices, min(step or FINEST, FINEST), seed)
        settings = DemoSettings(traders, seed, block_time, step, rule, spec)
        recording = Demo(path, settings).run()
        report, summary = write_report(recording, out)
    except BAD_INPUT as error:
        fail(str(error), 2)
    except LabError as error:
        fail(str(error), 1)
    typer.echo(f"{len(recording.rows)} blocks, identity intact in each")
    typer.echo(f"{report}\n{summary}")


@app.command()
def stress(
    scenario: Names = None,
    prices: Prices = None,
    out: Out = Path("out/stress"),
    accounts: Accounts = 1_000,
    seed: Seed = 1,
    block_time: BlockTime = 12,
    step: Step = None,
    latency: Latency = 24,
    deviation: Deviation = "0.5 %",
    heartbeat: Heartbeat = 3_600,
    spec: SpecFile = SPEC,
) -> None:
    """Run scenarios of losses to the last withdrawal; a report for each in its own folder."""
    unpaid = []
    try:
        check_folder(out)
        rule = FeedRule(read_ppm(deviation), heartbeat, latency)
        path = load_prices(prices, min(step or FINEST, FINEST), seed)
        settings = DemoSettings(accounts, seed, block_time, step, rule, spec)
        for name in [known(n) for n in scenario or STRESSES]:
            recording = StressRun(path, settings, STRESSES[name]).run()
            report, _ = write_report(recording, out / name)
            said = stress_summary(recording)
            typer.echo(f"{name}: unpaid claims {said['unpaid_claims']}, {report}")
            unpaid += [name] if said["unpaid_claims"] != "0" else []
    except BAD_INPUT as error:
        fail(str(error), 2)
    except LabError as error:
        fail(str(error), 1)
    if path.synthetic:
        typer.echo("prices are synthetic: nobody ever traded at them (--prices has real ones)")
    if unpaid:
        fail(f"claims are left unpaid in {', '.join(unpaid)}", 1)


def known(name: str) -> str:
    if name not in STRESSES:
        raise SettingsError(f"no scenario {name}; there are {', '.join(STRESSES)}")
    return name


def check_folder(out: Path) -> None:
    """Better now than after the run."""
    there = next(p for p in (out, *out.absolute().parents) if p.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise SettingsError(f"{out}: {there} is no folder that can be written to")


def fail(message: str, code: int) -> None:
    print(f"novation: {message}", file=sys.stderr)
    raise typer.Exit(code)
