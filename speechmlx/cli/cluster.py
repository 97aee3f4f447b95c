"""`audio-server cluster`: several Macs as one server, with Ray Serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from speechmlx.errors import BadRequest

cluster = typer.Typer(
    help="Several Macs as one server, with Ray Serve. Needs Ray Serve; see docs/scale.md.",
    no_args_is_help=True,
)
Places = Annotated[int, typer.Option(min=0, help="Replicas that this machine has room for; each has its own models.")]


@cluster.command()
def up(
    file: Annotated[Path, typer.Argument(help="Config file of Ray Serve, like docs/cluster.yaml.")],
    address: Annotated[
        str, typer.Option(help="IP:PORT of this machine where other Macs join; 127.0.0.1 is this machine alone.")
    ] = "127.0.0.1:6379",
    places: Places = 1,
) -> None:
    """Run the first machine of a cluster, or give a cluster that runs a changed config file."""
    _prepare(address)
    from speechmlx.cluster.launch import up as run

    run(file, address, places, typer.echo)


@cluster.command()
def join(
    address: Annotated[str, typer.Argument(help="IP:PORT of the first machine.")],
    own: Annotated[
        str | None, typer.Option(help="IP address of this machine for the others. [default: the one that reaches them]")
    ] = None,
    places: Places = 1,
) -> None:
    """Offer this machine to a cluster. It needs the token of the first machine, ~/.ray/auth_token."""
    _prepare(address)
    from speechmlx.cluster.launch import join as run

    run(address, own, places, typer.echo)


def _prepare(address: str) -> None:
    """Set the variables of Ray's processes. Raises BadRequest for a wrong address, and without Ray Serve."""
    from speechmlx.cluster.address import environment, parse_address

    os.environ.update(environment(os.environ, parse_address(address)[0]))
    try:
        import ray.serve  # noqa: F401
    except ImportError as error:
        raise BadRequest(f"a cluster needs Ray Serve: see docs/scale.md ({error})") from error
