"""`ape run deploy --network ethereum:local:foundry`: what `novation deploy` does, on ape's node."""

import sys
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from novation.chain import Chain, ChainError
from novation.deploy.commands import find_spec, open_account, run_deploy
from novation.deploy.errors import DeployError


@click.command(cls=ConnectedProviderCommand)
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", help="Keystore of `ape accounts` that signs.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its cost; send nothing.")
@click.option("--yes", is_flag=True, help="Send without asking.")
def cli(provider: Any, spec: Path | None, account: str | None, dry_run: bool, yes: bool) -> None:
    """Deploy a venue to the network that ape is connected to."""
    try:
        chain = Chain.connect(provider.http_uri)
        wanted = find_spec(None, spec, chain.chain_id)
        run_deploy(wanted, chain, open_account(chain, account), dry_run=dry_run, yes=yes)
    except (ChainError, DeployError) as error:
        print(f"deploy: {error}", file=sys.stderr)
        sys.exit(1)
