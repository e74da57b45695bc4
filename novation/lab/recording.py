"""What a run leaves behind, block by block, and its summary. Money is in WAD quote, exact."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from novation.units import WAD, show_wad

SCHEMA = 1


@dataclass(frozen=True)
class Scenario:
    """What was run. `notes` are sentences that a reader of the numbers must know."""

    label: str
    source: str
    synthetic: bool
    seed: int
    notes: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BlockRow:
    """One block. Prices are WAD quote per lot, sizes WAD lots, rates WAD, money WAD quote.

    `spot` is the outside market's price, `index` the oracle's last round, `funding` a rate per day
    that longs pay. `lp_value` is what the pool's shares are worth and were paid out, `lp_held` what
    the same deposits would be had they stayed where they were.
    """

    number: int
    time: int
    spot: int
    index: int
    mid: int
    premium: int
    funding: int
    open_interest: int
    amm_size: int
    lp_value: int
    lp_held: int
    vault: int
    capital_total: int
    profit_total: int
    fees_pending: int
    account_capital: int
    account_pnl: int
    untouched_pnl: int
    surplus: int
    release_ratio: int
    unhealthy: int
    bankrupt: int
    transactions: int


@dataclass(frozen=True)
class Fill:
    """A trade on the vAMM. `size` is positive when the trader bought; `price` without fee."""

    time: int
    trader: str
    size: int
    price: int
    fee: int


@dataclass
class Losses:
    """What became of losses beyond an account's own money, WAD quote; lots that left a market."""

    insured: int = 0
    charged: int = 0
    orphaned: int = 0
    deleveraged: int = 0
    notional: int = 0
    """Of what was deleveraged, WAD quote at the index of its block."""


@dataclass
class Outcome:
    """The final settlement. Money is WAD quote.

    `claims` is all that accounts and the house are owed when everybody was touched, `withdrawn`
    what was paid out in tokens; `dust` is below a token unit in an account, `nobodys` in a pool or
    fund without shares, `written_off` what profit became less at h below 1 (`ratio`).
    """

    began: int = 0
    blocks: int = 0
    ended: int = 0
    """Bankrupt accounts when it began, those made so by a charge among them."""
    claims: int = 0
    ratio: int = WAD
    withdrawn: int = 0
    dust: int = 0
    nobodys: int = 0
    written_off: int = 0
    unpaid: int = 0
    accounts: int = 0
    """Who withdrew, but stakers."""
    cut: int = 0
    """Of them, who got less than one for one."""
    short: int = 0
    """Of them, whose wallet did not get what the ledger said."""
    hours: int = 0
    """Waited for the throttle."""
    refusals: Counter[str] = field(default_factory=Counter)
    vault: int = 0
    surplus: int = 0
    least_over: int | None = None
    """Least V - capitalTotal of its blocks."""


@dataclass(frozen=True)
class StakeEnd:
    """What a staker who asks for his stake at some moment got of it, WAD quote."""

    asks: str
    staked: int
    returned: int


@dataclass
class Stressed:
    """What those got who tried to be first, and how it ended. Money is WAD quote."""

    scenario: str
    says: str
    settlement: Outcome
    asleep: int = 0
    """Blocks of the chain in which no keeper acted."""
    leverage: int = 0
    """Highest of an account above its initial margin, WAD."""
    profit_released: int = 0
    released_as: int = 0
    stakes: list[StakeEnd] = field(default_factory=list)
    unstaked: int = 0
    """Of all stakes, before the end."""


@dataclass
class Recording:
    scenario: Scenario
    rows: list[BlockRow] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    gas: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    reverts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind of call and name of the error."""
    losses: Losses = field(default_factory=Losses)
    stressed: Stressed | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    """How long each part of the run took."""

    def column(self, name: str) -> list[int]:
        return [getattr(row, name) for row in self.rows]


COLUMNS = tuple(f.name for f in fields(BlockRow))


def percentile(values: Sequence[int], percent: int) -> int:
    """The smallest of the values that at least `percent` in a hundred do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def gas_table(recording: Recording) -> dict[str, dict[str, int]]:
    return {
        kind: {
            "count": len(used),
            "p50": percentile(used, 50),
            "p90": percentile(used, 90),
            "max": max(used),
        }
        for kind, used in sorted(recording.gas.items())
    }


def summary(recording: Recording) -> dict[str, Any]:
    """summary.json. Amounts are decimal text in quote or lots, times seconds since 1970."""
    scenario, rows = recording.scenario, recording.rows
    if not rows:
        raise ValueError("nothing was recorded")
    first, last = rows[0], rows[-1]
    return {
        "schema": SCHEMA,
        "scenario": {
            "label": scenario.label,
            "source": scenario.source,
            "synthetic": scenario.synthetic,
            "seed": scenario.seed,
            "notes": list(scenario.notes),
            "start": first.time,
            "end": last.time,
        },
        "parameters": scenario.parameters,
        "totals": totals(recording),
        "index": {
            "first": show_wad(first.index),
            "last": show_wad(last.index),
            "low": show_wad(min(recording.column("index"))),
            "high": show_wad(max(recording.column("index"))),
        },
        "lp": {
            "held": show_wad(last.lp_held),
            "value": show_wad(last.lp_value),
            "ratio": ratio(last.lp_value, last.lp_held),
        },
        "gas": gas_table(recording),
        "conservation": {
            "blocksChecked": len(rows),
            "violations": 0,
            "surplusLow": show_wad(min(recording.column("surplus"))),
            "surplusHigh": show_wad(max(recording.column("surplus"))),
            "releaseRatioLow": show_wad(min(recording.column("release_ratio"))),
            "belowMaintenanceHigh": max(recording.column("unhealthy")),
            "belowZeroHigh": max(recording.column("bankrupt")),
            "minVaultMinusCapital": show_wad(min(row.vault - row.capital_total for row in rows)),
            "vault": show_wad(last.vault),
            "capitalTotal": show_wad(last.capital_total),
            "profitTotal": show_wad(last.profit_total),
        },
        "losses": {
            "insurancePaid": show_wad(recording.losses.insured),
            "badDebtSocialised": show_wad(recording.losses.charged),
            "orphanDeficit": show_wad(recording.losses.orphaned),
            "deleveragedLots": show_wad(recording.losses.deleveraged),
        },
        **stress_summary(recording),
        "seconds": {name: round(value, 1) for name, value in recording.seconds.items()},
    }


def stress_summary(recording: Recording) -> dict[str, Any]:
    """What a stress adds: its six numbers by their names, and how they came about."""
    stressed, losses = recording.stressed, recording.losses
    if stressed is None:
        return {}
    end = stressed.settlement
    on_path = min(row.vault - row.capital_total for row in recording.rows)
    least = on_path if end.least_over is None else min(on_path, end.least_over)
    return {
        "unpaid_claims": show_wad(end.unpaid),
        "bad_debt_socialised": show_wad(losses.charged),
        "insurance_paid": show_wad(losses.insured),
        "deleveraged_notional": show_wad(losses.notional),
        "surplus": show_wad(end.surplus),
        "min_vault_minus_capital": show_wad(least),
        "stress": {
            "scenario": stressed.scenario,
            "says": stressed.says,
            "blocksAsleep": stressed.asleep,
            "leverageHigh": ratio(stressed.leverage, WAD),
            "orphanDeficit": show_wad(losses.orphaned),
            "identityViolations": 0,
            "minVaultMinusCapitalOnPath": show_wad(on_path),
            "profitReleased": show_wad(stressed.profit_released),
            "releasedAs": show_wad(stressed.released_as),
            "staked": show_wad(sum(stake.staked for stake in stressed.stakes)),
            "unstakedBeforeTheEnd": show_wad(stressed.unstaked),
            "stakeReturned": show_wad(sum(stake.returned for stake in stressed.stakes)),
            "stakers": [
                {"asks": s.asks, "staked": show_wad(s.staked), "returned": show_wad(s.returned)}
                for s in stressed.stakes
            ],
        },
        "settlement": {
            "blocks": end.blocks,
            "bankruptEnded": end.ended,
            "claims": show_wad(end.claims),
            "releaseRatio": show_wad(end.ratio),
            "withdrawn": show_wad(end.withdrawn),
            "accountsWithdrew": end.accounts,
            "accountsCut": end.cut,
            "walletsShort": end.short,
            "writtenOff": show_wad(end.written_off),
            "dust": show_wad(end.dust),
            "nobodys": show_wad(end.nobodys),
            "vault": show_wad(end.vault),
            "hoursThrottled": end.hours,
            "refusals": dict(sorted(end.refusals.items())),
        },
    }


def totals(recording: Recording) -> dict[str, Any]:
    fills = recording.fills
    volume = sum(abs(f.size) * f.price // WAD for f in fills)
    kinds = Counter(f.trader for f in fills)
    return {
        "blocks": len(recording.rows),
        "transactions": sum(len(used) for used in recording.gas.values()),
        "fills": len(fills),
        "fillsByTrader": dict(sorted(kinds.items())),
        "volume": show_wad(volume),
        "fees": show_wad(sum(f.fee for f in fills)),
        "openInterestHigh": show_wad(max(recording.column("open_interest"))),
        "reverted": sum(recording.reverts.values()),
        "reverts": {
            f"{kind}: {error}": count for (kind, error), count in recording.reverts.most_common()
        },
    }


def ratio(part: int, whole: int) -> str | None:
    """Four decimals, rounded down; None when there is no whole."""
    return show_wad(part * 10_000 // whole * (WAD // 10_000)) if whole > 0 else None
