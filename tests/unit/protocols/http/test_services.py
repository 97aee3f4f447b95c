"""The services of a server: one of each, and the ports of protocols."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from speechmlx.config import Config
from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.conditional_route import at_port_of
from speechmlx.protocols.http.services import build_services
from speechmlx.runtime.front.runtime import Runtime


def test_services_are_frozen_and_share_the_runtime() -> None:
    config = Config()
    runtime = Runtime(config, CATALOG)
    services = build_services(config, runtime)
    assert services.config is config and services.runtime is services.names.runtime is runtime
    assert not services.ports
    with pytest.raises(FrozenInstanceError):
        services.config = Config()  # type: ignore[misc]


@pytest.mark.parametrize(
    ("server", "expected"), [(("127.0.0.1", 5050), True), (("127.0.0.1", 80), False), (None, False)]
)
def test_a_port_belongs_to_the_protocol_that_it_was_opened_for(server: tuple[str, int] | None, expected: bool) -> None:
    services = build_services(Config(), Runtime(Config(), CATALOG), {5050: "hybrid", 5051: "other"})
    assert at_port_of(services.ports, "hybrid")({"server": server}) is expected
    assert not at_port_of(services.ports, "hybrid")({"server": ("127.0.0.1", 5051)})


@pytest.mark.parametrize(
    ("config", "corrects"),
    [
        (Config(), False),
        (Config(postprocess=True, profile="starter"), True),
        (Config(postprocess=True, llm_url="http://127.0.0.1:1/v1"), True),
    ],
)
def test_texts_are_corrected_where_that_is_set_and_a_model_is_there(config: Config, corrects: bool) -> None:
    assert build_services(config, Runtime(config, CATALOG)).postprocesses is corrects
