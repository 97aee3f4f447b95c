"""The answer to `describe`: the models that recognise and the voices that speak, each with its languages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from wyoming.info import AsrModel, AsrProgram, Attribution, Info, TtsProgram, TtsVoice

from speechmlx import __version__
from speechmlx.config import Config
from speechmlx.models import store
from speechmlx.models.licences import Licences
from speechmlx.models.spec import Catalog, HubFiles, IndexFiles, Model
from speechmlx.models.voices import voices_in
from speechmlx.types import Kind

PROGRAM = "speechmlx"

Folder = Callable[[Model], Path | None]
"""The folder of a model's weights; None where they are not on this machine."""


def folder_in(config: Config, licences: Licences | None = None) -> Folder:
    """The folders in the config's cache. With `licences` none of a model whose licence was not accepted."""
    cache = store.cache_folder(config)
    return lambda row: store.folder(row, cache) if licences is None or licences.accepted(row) else None


def ordered(catalog: Catalog, config: Config, kind: Kind) -> Sequence[Model]:
    """The models of `kind` that can run, the default one first."""
    rows = list(catalog.offered(kind))
    if kind in catalog.kinds(config):
        default = catalog.default(kind, config)
        rows.sort(key=lambda row: row.name != default.name)
    return rows


def installed(catalog: Catalog, config: Config, kind: Kind, folder: Folder) -> Sequence[Model]:
    """The models of `kind` that clients may choose: the default one, fetched at its first use, and those fetched."""
    rows = ordered(catalog, config, kind)
    return [row for index, row in enumerate(rows) if index == 0 or folder(row) is not None]


def build_info(catalog: Catalog, config: Config, folder: Folder) -> Info:
    """Everything that this server offers. Home Assistant shows only what is `installed`. Reads the disk."""
    here = {row.name for kind in (Kind.ASR, Kind.TTS) for row in installed(catalog, config, kind, folder)}
    models = [_asr_model(row, row.name in here) for row in ordered(catalog, config, Kind.ASR)]
    speakers = ordered(catalog, config, Kind.TTS)
    imitating = next((row.name for row in speakers if row.name in here and row.voices.stored), "")
    voices = [
        voice
        for row in speakers
        for voice in _voices(row, row.name in here, folder(row), row.voices.stored if row.name == imitating else ())
    ]
    asr = AsrProgram(
        PROGRAM, Attribution(PROGRAM, ""), True, "Speech recognition on MLX", __version__, models, True, True
    )
    tts = TtsProgram(PROGRAM, Attribution(PROGRAM, ""), True, "Speech synthesis on MLX", __version__, voices, True)
    return Info(asr=[asr] if models else [], tts=[tts] if voices else [])


def _asr_model(row: Model, is_here: bool) -> AsrModel:
    return AsrModel(row.name, attribution(row), is_here, f"{row.name} ({row.licence})", None, list(row.languages))


def _voices(row: Model, is_here: bool, folder: Path | None, stored: Sequence[str]) -> list[TtsVoice]:
    """The voices of a model, and `stored` ones; where it does not know its own, its default one has its name."""
    own = row.voices.names or (voices_in(folder) if folder is not None else ()) or (row.name,)
    voices = []
    for name in (*own, *stored):
        tag = row.voices.language(name)
        works = is_here and (tag is None or row.voices.can_speak(tag))
        languages = list(row.languages) if tag is None else [tag]
        voices.append(TtsVoice(name, attribution(row), works, name, None, languages))
    return voices


def attribution(row: Model) -> Attribution:
    """Who published the model's weights: a repository on the hub, or a package."""
    for source in row.sources:
        if isinstance(source, HubFiles):
            return Attribution(source.repo, "")
    packages = [file.package for source in row.sources if isinstance(source, IndexFiles) for file in source.files]
    return Attribution(packages[0] if packages else PROGRAM, "")
