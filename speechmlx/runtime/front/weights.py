"""Bringing a model's weights to this machine in a process of their own, shared by the jobs that wait for them."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from speechmlx.errors import ModelUnavailable, from_code
from speechmlx.models.spec import Model
from speechmlx.types import Progress

log = logging.getLogger(__name__)


async def fetch(model: Model, cache: Path, on_progress: Callable[[Progress], None]) -> str:
    """Download and convert `model`; the folder with its weights.

    Raises ModelUnavailable with the reason and the way out. Cancelling ends the process; what it has is resumed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # not from the folder the server was started in
        "-m",
        "speechmlx.models.fetch",
        model.name,
        "--cache",
        str(cache),
        stdin=asyncio.subprocess.PIPE,  # its end closing tells the process to stop
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            said = json.loads(line)
            if "folder" in said:
                return str(said["folder"])
            if "error" in said:
                raise from_code(said["error"], said["message"])
            on_progress(Progress(said["stage"], said["done"], said["total"], said.get("detail", "")))
        status = await process.wait()
        raise ModelUnavailable(f"fetching {model.name!r} ended with status {status}; the server's log has more")
    finally:
        if process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 2.0)
            except TimeoutError:
                process.kill()
                await process.wait()
