"""The plan as a table, for a terminal or a log."""

from rich.console import Console
from rich.table import Table

from novation import units
from novation.chain import Chain
from novation.chain.sender import base_fee
from novation.deploy.run import Deployment

ROLLUPS = {42161: "Arbitrum", 421614: "Arbitrum Sepolia"}
"""Chains that charge for data on top of the gas that a rehearsal shows."""


def show_plan(deployment: Deployment, gas: list[int], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "step", "address", "state", "gas"):
        table.add_column(heading, justify="right" if heading in ("", "gas") else "left")
    costs = dict(zip((step.name for step in deployment.left), gas, strict=True))
    for number, step in enumerate(deployment.plan.steps, start=1):
        address = step.creation.address if step.creation else step.to or ""
        state = "done" if step.name in deployment.done else "to send"
        cost = f"{costs[step.name]:,}" if step.name in costs else ""
        table.add_row(str(number), step.name, address, state, cost)
    console.print(table)
    console.print(summary(deployment, sum(gas)), highlight=False)


def summary(deployment: Deployment, gas: int) -> str:
    chain, left = deployment.chain, len(deployment.left)
    where = f"{deployment.spec.network} (chain {chain.chain_id}), deployer {deployment.deployer}"
    if not left:
        return f"{where}: nothing to send"
    fee = base_fee(chain)
    if fee is None:
        fee = int(chain.request("eth_gasPrice"), 16)
    line = (
        f"{where}: {left} transactions, {gas:,} gas, {units.show_wad(gas * fee)} ETH at the base "
        f"fee of {units.show_tokens(fee, 9)} gwei; it has {ether(chain, deployment.deployer)} ETH"
    )
    if chain.chain_id in ROLLUPS:
        line += f"; {ROLLUPS[chain.chain_id]} charges for data beyond this"
    return line


def ether(chain: Chain, address: str) -> str:
    return units.show_wad(chain.balance(address))
