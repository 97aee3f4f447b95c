"""Variables of other servers stand in for settings."""

from __future__ import annotations

import pytest

from speechmlx.config_sources import load
from speechmlx.errors import BadRequest


def test_a_model_under_another_servers_name_and_ours_that_wins() -> None:
    assert load({}, {"FASTERWHISPER_MODEL": "small", "HOME": "/none"}).models == {"asr": "small"}
    assert load({}, {"FASTERWHISPER_MODEL": " ", "HOME": "/none"}).models == {}
    own = {"FASTERWHISPER_MODEL": "small", "SPEECHMLX_ASR": "whisper-base", "HOME": "/none"}
    assert load({}, own).models == {"asr": "whisper-base"}
    assert load({"asr": "whisper-tiny"}, own).models == {"asr": "whisper-tiny"}


@pytest.mark.parametrize("folder", ["/models/faster-whisper", "~/models/small", "./small"])
def test_a_folder_of_another_engines_weights_is_refused(folder: str) -> None:
    with pytest.raises(
        BadRequest, match="is a folder, whose weights this server cannot run; give it the name of a model"
    ):
        load({}, {"FASTERWHISPER_MODEL": folder, "HOME": "/none"})
