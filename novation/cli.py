"""The `novation` command."""

import typer

app = typer.Typer(no_args_is_help=True, help="Novation: deploy, verify and simulate the venue.")


@app.callback()
def novation() -> None:
    """Commands arrive with the rooms they belong to."""


def main() -> None:
    app()
