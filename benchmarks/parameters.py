"""How the default parameters fare: the demo on price paths, one parameter changed at a time.

    scripts/env python -m benchmarks.parameters path/to/*.csv --out out/parameters.md

Each line is a whole run of `novation lab demo` on its own chain. Without files: the synthetic path.
"""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from novation.lab.demo import Demo, DemoSettings
from novation.lab.feed import FeedRule
from novation.lab.prices import load_prices
from novation.lab.recording import Recording
from novation.lab.venue import SPEC

VARIANTS: dict[str, tuple[dict[str, str], int]] = {
    "default": ({}, 24),
    "rounds after 120 s": ({}, 120),
    "rounds after 300 s": ({}, 300),
    "no age fee": ({"age_fee": '"0"'}, 120),
    "half age fee": ({"age_fee": '"0.5"'}, 120),
    "band 5 %": ({"band": "5 %", "full_premium": "5 %"}, 120),
    "band 1 %": ({"band": "1 %", "full_premium": "1 %"}, 120),
    "depth 10": ({"depth": "10"}, 120),
    "fixed peg, 1 bp/s": ({"follow": "false"}, 120),
    "no funding velocity": ({"velocity": "0 %"}, 120),
}
"""Name -> (keys of the spec and their values in every market, latency of a round in seconds)."""
HEAD = (
    "path",
    "variant",
    "LP",
    "low",
    "fee bps",
    "AMM lev",
    "funding",
    "below 0",
    "refused",
    "shut",
)


def spec_with(changes: dict[str, str], folder: Path) -> Path:
    """The local spec with keys changed wherever they stand."""
    text = SPEC.read_text(encoding="utf-8")
    for key, value in changes.items():
        text, found = re.subn(rf"(?m)^(\s+){key}: .*$", rf"\g<1>{key}: {value}", text)
        if not found:
            raise SystemExit(f"the spec has no key {key}")
    path = folder / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def row_of(recording: Recording) -> list[str]:
    """The figures that the defaults are judged by."""
    rows = recording.rows
    worth = [r.lp_value / r.lp_held for r in rows]
    volume = sum(abs(f.size) * f.price / 1e36 for f in recording.fills)
    fees = sum(f.fee for f in recording.fills) / 1e18
    leverage = max(abs(r.amm_size) * r.index / 1e18 / max(r.lp_value, 1) for r in rows)
    funding = sum(abs(r.funding) for r in rows) / len(rows) / 1e18
    refused = sum(recording.reverts.values())
    shut = sum(n for (_, why), n in recording.reverts.items() if why == "ClearingInterrupted")
    return [
        f"{worth[-1]:.3f}",
        f"{min(worth):.3f}",
        f"{fees / volume * 1e4:.1f}",
        f"{leverage:.2f}",
        f"{funding:.2%}",
        str(max(r.bankrupt for r in rows)),
        f"{refused / max(refused + len(recording.fills), 1):.0%}",
        str(shut),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="*", default=[None], help="price files; none: synthetic")
    parser.add_argument("--out", type=Path, default=Path("out/parameters.md"))
    parser.add_argument("--traders", type=int, default=150)
    parser.add_argument("--blocks", type=int, default=600, help="simulated blocks a run")
    parser.add_argument("--only", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    args = parser.parse_args()
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for file in args.paths:
        path = load_prices(file, 60, 1)
        step = max(path.duration // args.blocks // 12, 1) * 12
        for name in args.only:
            changes, latency = VARIANTS[name]
            with tempfile.TemporaryDirectory() as folder:
                spec = spec_with(changes, Path(folder))
                rule = FeedRule(latency=latency)
                settings = DemoSettings(args.traders, 1, 12, step, rule, spec)
                figures = row_of(Demo(path, settings).run())
            lines.append("| " + " | ".join([path.label, name, *figures]) + " |")
            print(lines[-1], file=sys.stderr, flush=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
