"""Where the gas of a transaction goes: its struct logs summed by contract and kind of work."""

from typing import Any

from novation.chain.client import Chain

KINDS = ("storage", "calls", "logs", "compute")
REST = "Chainlink's proxy and aggregator"
BASE = "transaction (21,000 and calldata)"
Rows = dict[str, dict[str, int]]
Step = dict[str, Any]


def kind_of(op: str) -> str:
    if op in ("SLOAD", "SSTORE", "TLOAD", "TSTORE"):
        return "storage"
    if op in ("CALL", "STATICCALL", "DELEGATECALL"):
        return "calls"
    return "logs" if op.startswith("LOG") else "compute"


def profile(chain: Chain, receipt: dict[str, Any], names: dict[str, str]) -> Rows:
    """Gas by contract and kind. A contract without a name belongs to the feed."""
    options = {"disableMemory": True, "disableStorage": True}
    trace = chain.request("debug_traceTransaction", receipt["transactionHash"], options)
    steps: list[Step] = trace["structLogs"]
    known = {address.lower(): name for address, name in names.items()}
    rows: Rows = {}
    frames: list[str] = []  # the contract of each open call
    callee = str(receipt["to"]).lower()
    for i, step in enumerate(steps):
        depth, gas = int(step["depth"]), int(step["gas"])
        if depth > len(frames):
            frames.append(known.get(callee, REST))
        name = frames[depth - 1]
        following = steps[i + 1] if i + 1 < len(steps) else None
        if following is None or following["depth"] < depth:  # the frame ends
            used = int(step["gasCost"])
            frames.pop()
        elif following["depth"] > depth:
            used = call_cost(steps, i)
            callee = "0x" + step["stack"][-2][2:].rjust(40, "0")[-40:]
        else:
            used = gas - int(following["gas"])
        row = rows.setdefault(name, dict.fromkeys(KINDS, 0))
        row[kind_of(step["op"])] += used
    total = sum(sum(row.values()) for row in rows.values())
    rows[BASE] = {**dict.fromkeys(KINDS, 0), "compute": int(receipt["gasUsed"], 16) - total}
    return rows


def call_cost(steps: list[Step], i: int) -> int:
    """What the call at `i` costs its own frame: all that left it, less what its callee used."""
    depth = steps[i]["depth"]
    back = next(j for j in range(i + 1, len(steps)) if steps[j]["depth"] == depth)
    last = steps[back - 1]
    inside = int(steps[i + 1]["gas"]) - int(last["gas"]) + int(last["gasCost"])
    return int(steps[i]["gas"]) - int(steps[back]["gas"]) - inside


def table(rows: Rows) -> list[str]:
    """Lines of Markdown, the dearest contract first."""
    lines = [f"| contract | {' | '.join(KINDS)} | all |", "|---|" + "---:|" * (len(KINDS) + 1)]
    for name, row in sorted(rows.items(), key=lambda entry: -sum(entry[1].values())):
        figures = " | ".join(f"{row[kind]:,}" for kind in KINDS)
        lines.append(f"| {name} | {figures} | {sum(row.values()):,} |")
    return lines
