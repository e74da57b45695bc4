"""The `novation` command. Exit codes: 0 done, 1 the chain or the market said no, 2 bad input."""

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from novation.artifacts import ArtifactMissing
from novation.chain import ChainError
from novation.deploy.commands import (
    connect,
    exit_code,
    find_spec,
    open_account,
    run_collect,
    run_deploy,
    run_verify,
)
from novation.deploy.errors import DeployError
from novation.deploy.run import DEPLOYMENTS
from novation.units import UnitError, read_wad

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Novation: deploy, verify and simulate the venue; collect losses.",
)
Network = Annotated[str, typer.Option(help="Name of a spec in deployments/specs.")]
SpecFile = Annotated[
    Path | None, typer.Option("--spec", help="Another spec file.", exists=True, dir_okay=False)
]
Rpc = Annotated[str | None, typer.Option(envvar="NOVATION_RPC", help="URL of a node.")]
AccountName = Annotated[
    str | None,
    typer.Option(envvar="NOVATION_ACCOUNT", help="Keystore of `ape accounts` that signs."),
]
Folder = Annotated[
    Path, typer.Option(envvar="NOVATION_DEPLOYMENTS", help="Where manifests are kept.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the plan and its cost; send nothing.")
]
Least = Annotated[str, typer.Option(help="Leave out smaller losses, quote.")]
Yes = Annotated[bool, typer.Option("--yes", help="Send without asking.")]


@app.callback()
def novation() -> None:
    """Without this, an app of one command would not want its name."""


@app.command()
def deploy(
    network: Network,
    spec: SpecFile = None,
    rpc: Rpc = None,
    account: AccountName = None,
    folder: Folder = DEPLOYMENTS,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Deploy a venue, or finish a deployment that was interrupted."""
    wanted = find_spec(network, spec)
    chain = connect(wanted, rpc)
    signer = open_account(chain, account, dry_run)
    run_deploy(wanted, chain, signer, folder=folder, dry_run=dry_run, yes=yes)


@app.command()
def verify(
    network: Network, spec: SpecFile = None, rpc: Rpc = None, folder: Folder = DEPLOYMENTS
) -> None:
    """Compare a deployed venue with its spec, and name every difference."""
    wanted = find_spec(network, spec)
    run_verify(wanted, connect(wanted, rpc), folder=folder)


@app.command("collect")
def collect_losses(
    network: Network,
    spec: SpecFile = None,
    rpc: Rpc = None,
    account: AccountName = None,
    folder: Folder = DEPLOYMENTS,
    least: Least = "1",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say whom; send nothing.")] = False,
) -> None:
    """Touch the accounts that have lost, so that profits can be withdrawn in full. Costs gas only.

    Exit code 1 when an account could not be touched; the others were.
    """
    wanted = find_spec(network, spec)
    try:
        smallest = max(read_wad(least), 1)
    except UnitError as error:
        raise typer.BadParameter(str(error), param_hint="--least") from None
    chain = connect(wanted, rpc)
    signer = None if dry_run else open_account(chain, account)
    run_collect(wanted, chain, signer, least=smallest, folder=folder)


def mount(name: str, module: str) -> None:
    """Adds the commands of a room that may not be installed."""
    try:
        app.add_typer(importlib.import_module(module).app, name=name)
    except ModuleNotFoundError as error:
        if error.name is None or not module.startswith(error.name):
            raise


mount("lab", "novation.lab.cli")


def main() -> None:
    try:
        app()
    except (ChainError, DeployError, ArtifactMissing) as error:
        print(f"novation: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
