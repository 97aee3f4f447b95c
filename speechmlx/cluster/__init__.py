"""Several Macs as one server: the app as a deployment of Ray Serve. Needs Ray Serve; see docs/scale.md.

A config file of Ray Serve names `speechmlx.cluster:app` as its import path, and the settings as its args.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def app(settings: Mapping[str, Any]) -> Any:
    """The application for Ray Serve. `settings` are fields of Config. Raises BadRequest."""
    from speechmlx.cluster.deployment import application

    return application(settings)
