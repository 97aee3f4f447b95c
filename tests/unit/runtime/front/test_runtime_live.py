"""What the runtime adds to requests for live recognition."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fake_supervisor import Front

from speechmlx.config import Config
from speechmlx.types import Listen


@pytest.mark.parametrize(("setting", "asked", "delay"), [(0.0, None, None), (0.3, None, 0.3), (0.3, 1.0, 1.0)])
async def test_the_delay_of_the_settings_counts_where_a_request_has_none(
    setting: float, asked: float | None, delay: float | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    front = Front(Config(profile="test", cache=tmp_path, listen_delay=setting), monkeypatch)
    await front.runtime.start()
    job = front.runtime.submit(Listen(delay=asked))
    assert isinstance(job.request, Listen) and job.request.delay == delay
    await front.runtime.close()
