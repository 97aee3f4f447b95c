"""Rows of models that cannot run here, so that clients who name them are told why, and what does instead."""

from __future__ import annotations

from speechmlx.models.rows.common import MB
from speechmlx.models.spec import HubFiles, Model
from speechmlx.types import Kind

ABSENT = (
    Model(
        name="megatts3",
        kind=Kind.TTS,
        engine="speechmlx.engines.megatts3:load",
        sources=(HubFiles("ByteDance/MegaTTS3", "409a7002b006d80f0730fca6f80441b08c10e738", ("*/config.yaml",)),),
        size=4270 * MB,
        memory=8540 * MB,
        rate=24000,
        licence="Apache-2.0",
        languages=("zh", "en"),
        aliases=("bytedance/megatts3",),
        refusal=(
            "its authors never published the encoder that makes a latent of a recording, and the settings of its "
            "duration model are not known here. These imitate the voice of a recording, which needs no latent: "
            "cosyvoice2-0.5b, cosyvoice3-0.5b, f5-tts and qwen3-tts-0.6b-base, as in "
            "model.speech(text, prompt_speech=..., prompt_text='what is said in it')"
        ),
        requires=("prompt_speech", "prompt_latent"),
    ),
)
