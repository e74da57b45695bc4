"""The plan as a table. Plain text: addresses must stay whole, however narrow the terminal."""

from novation import units
from novation.chain import Chain
from novation.chain.sender import base_fee
from novation.deploy.run import Deployment

ROLLUPS = {42161: "Arbitrum", 421614: "Arbitrum Sepolia"}
"""Chains that charge for data on top of the gas that a rehearsal shows."""


def plan_table(deployment: Deployment, gas: list[int]) -> str:
    costs = dict(zip((step.name for step in deployment.left), gas, strict=True))
    steps = deployment.plan.steps
    width = max(len(step.name) for step in steps)
    lines = []
    for number, step in enumerate(steps, start=1):
        address = step.creation.address if step.creation else step.to or ""
        state = f"{costs[step.name]:>12,} gas" if step.name in costs else "done"
        lines.append(f"{number:>3}  {step.name:<{width}}  {address}  {state}")
    return "\n".join([*lines, summary(deployment, sum(gas))])


def summary(deployment: Deployment, gas: int) -> str:
    chain, left = deployment.chain, len(deployment.left)
    where = f"{deployment.spec.network} (chain {chain.chain_id})"
    if not left:
        return f"{where}: nothing to send"
    fee = base_fee(chain)
    if fee is None:
        fee = int(chain.request("eth_gasPrice"), 16)
    line = (
        f"{where}: {left} transactions, {gas:,} gas, {units.show_wad(gas * fee)} ETH at the base "
        f"fee of {units.show_tokens(fee, 9)} gwei\n"
        f"deployer {deployment.deployer} has {ether(chain, deployment.deployer)} ETH"
    )
    if chain.chain_id in ROLLUPS:
        line += f"\n{ROLLUPS[chain.chain_id]} charges for data beyond this"
    return line


def ether(chain: Chain, address: str) -> str:
    return units.show_wad(chain.balance(address))
