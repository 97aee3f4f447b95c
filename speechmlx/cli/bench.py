"""`audio-server bench`: how fast this machine is, in two minutes."""

from __future__ import annotations

from typing import Annotated

import typer

from speechmlx.cli.options import SettingsFile
from speechmlx.cli.terminal.options import Json, Server

OUTPUT_HELP = "Append the row of JSON to this file, too."


def bench(
    sessions: Annotated[int, typer.Option(help="Live sessions to try at most.", min=0)] = 16,
    output: Annotated[str | None, typer.Option("--output", "-o", help=OUTPUT_HELP)] = None,
    as_json: Json = False,
    server: Server = None,
    config: SettingsFile = None,
) -> None:
    """Measure this machine: answers, recognition, synthesis, noise, live sessions. Takes two minutes.

    The numbers are of the default models, over the server's sockets. Without a server one is started, and ended.
    """
    import os

    from speechmlx.cli.terminal.bench_server import bench_server
    from speechmlx.cli.terminal.benchmark import Benchmark
    from speechmlx.cli.terminal.running import exits, run
    from speechmlx.cli.terminal.servers import find_server
    from speechmlx.cli.terminal.start import fetch_missing
    from speechmlx.config_sources import load
    from speechmlx.types import Kind

    benchmark = Benchmark(sessions, output, as_json)
    with exits():
        settings = load({}, os.environ, config)
        found = find_server(server, settings, os.environ)
        if found is not None:
            run(benchmark.run(found))
        fetch_missing(settings, [(kind, None) for kind in (Kind.ASR, Kind.TTS, Kind.LLM, Kind.VAD, Kind.ENHANCE)])
        with bench_server(settings) as own:
            run(benchmark.run(own))
