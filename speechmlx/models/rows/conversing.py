"""Rows of models that hear and speak."""

from __future__ import annotations

from speechmlx.models.personaplex_voices import PERSONAPLEX_VOICES
from speechmlx.models.rows.common import CONVERT, MB
from speechmlx.models.spec import HubFiles, Model
from speechmlx.models.voices import VoiceList
from speechmlx.types import Kind

MOSHI_FILES = ("config.json", "model*.safetensors", "tokenizer-*.safetensors", "tokenizer_spm*.model")

CODEC_BYTES = 334 * MB
"""Of the codec with the codebooks in use, in float32."""


def _moshi(name: str, repo: str, size: int, bits: str) -> Model:
    """A row of Kyutai's: `size` bytes of the network's file, whose weights have so many `bits`."""
    return Model(
        name=f"{name}-{bits}",
        kind=Kind.S2S,
        engine="speechmlx.engines.moshi:load",
        sources=(HubFiles(repo, "main", MOSHI_FILES, f"{CONVERT}.moshi:moshi"),),
        size=size + 385 * MB,
        memory=30_751 * MB + CODEC_BYTES,
        narrow=size + CODEC_BYTES,
        rate=24000,
        licence="CC-BY-4.0",
        aliases=(repo.lower(), *((name,) if bits == "8bit" else ())),
        voices=VoiceList(imitates=False),
        duplex=True,
    )


def _personaplex(bits: str, convert: str, narrow: int) -> Model:
    """A row of PersonaPlex, whose one file of weights is quantised when it is loaded."""
    repo, revision = "nvidia/personaplex-7b-v1", "fdaf4090a61cb315c138a1faee287ffd6c716309"
    return Model(
        name=f"personaplex-7b-{bits}",
        kind=Kind.S2S,
        engine="speechmlx.engines.moshi:load",
        sources=(HubFiles(repo, revision, (*MOSHI_FILES, "voices.tgz"), f"{CONVERT}.moshi:{convert}"),),
        size=17_135 * MB,
        memory=33_486 * MB + CODEC_BYTES,
        narrow=narrow + CODEC_BYTES,
        rate=24000,
        licence="NVIDIA Open Model License, gated: see docs/models.md",
        aliases=("personaplex", "personaplex-7b", repo) if bits == "8bit" else (),
        voices=PERSONAPLEX_VOICES,
        duplex=True,
    )


SPEECH_TO_SPEECH = (
    _personaplex("8bit", "personaplex_8bit", 8_895 * MB),
    _personaplex("4bit", "personaplex_4bit", 5_233 * MB),
    _personaplex("bf16", "personaplex", 16_743 * MB),
    _moshi("moshiko", "kyutai/moshiko-mlx-q8", 8_170 * MB, "8bit"),
    _moshi("moshiko", "kyutai/moshiko-mlx-q4", 4_810 * MB, "4bit"),
    _moshi("moshiko", "kyutai/moshiko-mlx-bf16", 15_376 * MB, "bf16"),
    _moshi("moshika", "kyutai/moshika-mlx-q8", 8_170 * MB, "8bit"),
    _moshi("moshika", "kyutai/moshika-mlx-q4", 4_810 * MB, "4bit"),
    _moshi("moshika", "kyutai/moshika-mlx-bf16", 15_376 * MB, "bf16"),
)
