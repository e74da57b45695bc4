"""`ape run deploy --network ethereum:local:foundry`: what `novation deploy` does, on ape's node."""

import sys
from pathlib import Path
from typing import Any

import click
from ape.cli import ConnectedProviderCommand

from novation.artifacts import ArtifactMissing
from novation.chain import Chain, ChainError
from novation.deploy.commands import exit_code, find_spec, open_account, run_deploy
from novation.deploy.errors import DeployError
from novation.deploy.run import DEPLOYMENTS


@click.command(cls=ConnectedProviderCommand)
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--account", help="Keystore of `ape accounts` that signs.")
@click.option("--folder", type=click.Path(path_type=Path), default=DEPLOYMENTS)
@click.option("--dry-run", is_flag=True, help="Show the plan and its cost; send nothing.")
@click.option("--yes", is_flag=True, help="Send without asking.")
def cli(
    provider: Any,
    spec: Path | None,
    account: str | None,
    folder: Path,
    dry_run: bool,
    yes: bool,
) -> None:
    """Deploy a venue to the network that ape is connected to."""
    try:
        chain = Chain.connect(provider.http_uri)
        wanted = find_spec(None, spec, chain.chain_id)
        signer = open_account(chain, account, dry_run)
        run_deploy(wanted, chain, signer, folder=folder, dry_run=dry_run, yes=yes)
    except (ChainError, DeployError, ArtifactMissing) as error:
        print(f"deploy: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
