"""scripts/demo: what it tells of its time, and what to do next. All of it runs in the workflows."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

import pytest
from support.documents import ROOT


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = spec_from_file_location("demo", ROOT / "scripts/demo.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_first_useful_result_is_counted_from_the_start(demo: ModuleType) -> None:
    told = demo.summary(started=1000.0, first_result=1012.4, ended=1035.0)
    assert "spoken.wav, after 12 s and 2 commands: git clone, scripts/demo." in told
    assert "All of it worked after 35 s" in told


def test_it_says_what_to_open_next(demo: ModuleType) -> None:
    assert "http://127.0.0.1:9123/ in a browser" in demo.next_steps("http://127.0.0.1:9123")
    assert str(demo.SERVER) in demo.next_steps(None) and "http://127.0.0.1:8080/" in demo.next_steps(None)


def test_the_count_begins_before_anything_is_installed() -> None:
    script = (ROOT / "scripts/demo").read_text()
    assert script.index("DEMO_STARTED=") < script.index("\nscripts/install")
