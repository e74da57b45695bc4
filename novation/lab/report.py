"""report.html: one file that needs nothing else, with plots one can zoom into."""

import json
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

from novation.lab.recording import Recording, gas_table, summary
from novation.units import WAD

TEMPLATE = Path(__file__).with_name("report.html")
MOST_POINTS = 6_000
"""Rows and fills drawn; beyond it they are thinned evenly, and the page says so."""
DRAWN = (
    *("spot", "index", "mid", "premium", "funding", "open_interest", "amm_size"),
    *("lp_value", "lp_held", "vault", "capital_total", "profit_total", "untouched_pnl", "surplus"),
    "release_ratio",
)


def write_report(recording: Recording, folder: Path) -> tuple[Path, Path]:
    """Writes report.html and summary.json into `folder`; either both are whole or none is."""
    folder.mkdir(parents=True, exist_ok=True)
    made = summary(recording)
    texts = {
        "report.html": render(recording, made),
        "summary.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
    }
    for name, text in texts.items():
        (folder / f".{name}").write_text(text, encoding="utf-8")
    for name in texts:
        (folder / f".{name}").replace(folder / name)
    return folder / "report.html", folder / "summary.json"


def render(recording: Recording, made: dict[str, Any]) -> str:
    scenario = recording.scenario
    parts = {
        "TITLE": escape(f"Novation lab: {scenario.label}"),
        "LABEL": escape(scenario.label),
        "BADGE": badge(scenario.synthetic),
        "SPAN": escape(
            f"{show_time(made['scenario']['start'])} to {show_time(recording.rows[-1].time)}"
        ),
        "SOURCE": escape(scenario.source),
        "NOTES": "".join(f"<li>{escape(note)}</li>" for note in notes(recording)),
        "TILES": "".join(tile(*t) for t in tiles(made)),
        "STRESS": stress_section(made),
        "PARAMETERS": table(scenario.parameters),
        "REVERTS": table(made["totals"]["reverts"]) or "<p>None.</p>",
        "GAS": gas_rows(recording),
        "PLOTLY": plotly_source(),
        "DATA": in_script(json.dumps(plot_data(recording), separators=(",", ":"))),
    }
    page = TEMPLATE.read_text(encoding="utf-8")
    head, *rest = page.split("%%")
    for at, piece in enumerate(rest):
        head += parts[piece] if at % 2 == 0 else piece
    return head


def badge(synthetic: bool) -> str:
    kind, text = ("synthetic", "synthetic prices") if synthetic else ("real", "real prices")
    return f'<span class="badge {kind}">{text}</span>'


def notes(recording: Recording) -> list[str]:
    found = list(recording.scenario.notes)
    if recording.scenario.synthetic:
        found.insert(0, "These prices are synthetic: nobody ever traded at them.")
    for name, drawn in (("block", recording.rows), ("fill", recording.fills)):
        if (every := thinning(len(drawn))) > 1:
            found.append(f"The plots draw one {name} in {every}; the tables count all.")
    return found


def tiles(made: dict[str, Any]) -> list[tuple[str, str, str]]:
    counts, kept, lp, index = (made[k] for k in ("totals", "conservation", "lp", "index"))
    first, last, low = (short(index[name]) for name in ("first", "last", "low"))
    value, held = short(lp["value"]), short(lp["held"])
    paid = []
    if "unpaid_claims" in made:
        paid.append(("Unpaid claims", short(made["unpaid_claims"]), "after everybody withdrew"))
    return [
        *paid,
        ("Blocks", f"{counts['blocks']:,}", f"{counts['transactions']:,} transactions"),
        ("Fills", f"{counts['fills']:,}", f"{short(counts['volume'])} volume"),
        ("Index", f"{first} → {last}", f"low {low}"),
        ("LP value / holding", lp["ratio"] or "none", f"{value} / {held}"),
        ("Identity", "intact", f"{kept['blocksChecked']:,} blocks checked"),
        ("Surplus", f"≥ {short(kept['surplusLow'])}", "never negative"),
        ("Reverted", f"{counts['reverted']:,}", "calls refused, by name below"),
    ]


STRESS_NAMES = {
    "unpaid_claims": "Unpaid claims",
    "bad_debt_socialised": "Bad debt charged to the other side",
    "insurance_paid": "Paid by insurance",
    "deleveraged_notional": "Deleveraged, at the index",
    "surplus": "Surplus left in the vault",
    "min_vault_minus_capital": "Least V - capitalTotal",
}
STRESS_PARTS = {
    "stress": {
        "blocksAsleep": "Blocks of the chain in which keepers slept",
        "leverageHigh": "Highest leverage above initial margin",
        "orphanDeficit": "Deficit that no side could be charged",
        "identityViolations": "Blocks in which the identity broke",
        "profitReleased": "Profit that winners made capital at any ratio",
        "releasedAs": "What it became",
        "staked": "Staked in the insurance fund",
        "unstakedBeforeTheEnd": "Of it taken out before the end",
        "stakeReturned": "Returned to stakers in all",
    },
    "settlement": {
        "bankruptEnded": "Bankrupt accounts ended after the path",
        "claims": "Owed when all were touched",
        "withdrawn": "Withdrawn in tokens",
        "accountsWithdrew": "Accounts that withdrew",
        "accountsCut": "Of them at less than one for one",
        "walletsShort": "Wallets that got less than the ledger said",
        "writtenOff": "Written off through h",
        "dust": "Dust below a token unit",
        "nobodys": "Left in a pool or fund without shares",
        "vault": "V at the end",
        "hoursThrottled": "Hours waited for the throttle",
    },
}


def stress_section(made: dict[str, Any]) -> str:
    """Nothing for a run without a settlement."""
    if "settlement" not in made:
        return ""
    stakers = made["stress"]["stakers"]
    numbers = {name: made[key] for key, name in STRESS_NAMES.items()}
    parts = [
        table({name: made[part][key] for key, name in names.items()})
        for part, names in STRESS_PARTS.items()
    ]
    parts[0] += table(
        {f"Staker who asks {s['asks']}": f"{s['returned']} of {s['staked']}" for s in stakers}
    )
    said = "Then the market was settled, and everybody withdrew: by real transactions."
    return (
        f"<section><h2>Stress: {escape(made['stress']['scenario'])}</h2>"
        f"<p>{escape(made['stress']['says'])} {said}</p>{table(numbers)}"
        f'<div class="columns"><div>{parts[0]}</div><div>{parts[1]}</div></div></section>'
    )


def tile(name: str, value: str, detail: str) -> str:
    return (
        f'<div class="tile"><div class="name">{escape(name)}</div>'
        f'<div class="value">{escape(value)}</div><div class="detail">{escape(detail)}</div></div>'
    )


def short(amount: str) -> str:
    """An amount for the eye: four significant digits or whole numbers with separators."""
    value = float(amount.replace("_", ""))
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"


def table(entries: dict[str, Any]) -> str:
    if not entries:
        return ""
    rows = (
        f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
        for name, value in entries.items()
    )
    return f"<table>{''.join(rows)}</table>"


def gas_rows(recording: Recording) -> str:
    rows = [
        f"<tr><th>{escape(kind)}</th>"
        + "".join(f"<td>{entry[name]:,}</td>" for name in ("count", "p50", "p90", "max"))
        + "</tr>"
        for kind, entry in gas_table(recording).items()
    ]
    head = "<tr><th>call</th><td>count</td><td>p50</td><td>p90</td><td>max</td></tr>"
    return f'<table class="numbers">{head}{"".join(rows)}</table>'


def thinning(count: int) -> int:
    return max(-(-count // MOST_POINTS), 1)


def plot_data(recording: Recording) -> dict[str, Any]:
    """Columns for the plots: here, and only here, amounts become floats."""
    rows = recording.rows[:: thinning(len(recording.rows))]
    fills = recording.fills[:: thinning(len(recording.fills))]
    columns: dict[str, Any] = {
        name: [to_float(getattr(row, name)) for row in rows] for name in DRAWN
    }
    columns["time"] = [show_time(row.time) for row in rows]
    columns["unhealthy"] = [row.unhealthy for row in rows]
    columns["bankrupt"] = [row.bankrupt for row in rows]
    # A difference of two large amounts is taken in integers, before anything is rounded.
    columns["cover"] = [to_float(r.vault - r.capital_total - r.fees_pending) for r in rows]
    return {
        "blocks": columns,
        "fills": {
            "time": [show_time(fill.time) for fill in fills],
            "price": [to_float(fill.price) for fill in fills],
            "size": [to_float(fill.size) for fill in fills],
            "trader": [fill.trader for fill in fills],
        },
        "gas": gas_table(recording),
    }


def to_float(amount: int) -> float:
    return float(f"{amount / WAD:.10g}")


def show_time(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%S")


def in_script(text: str) -> str:
    """JSON that cannot end the script element it stands in."""
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")


def plotly_source() -> str:
    """The library itself, so that the page loads nothing."""
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs())
