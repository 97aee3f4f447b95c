"""Rows of MeloTTS: one checkpoint for each language, and the BERT that each reads words with."""

from __future__ import annotations

from typing import NamedTuple

from speechmlx.models.kokoro_voices import ESPEAK
from speechmlx.models.rows.common import CONVERT, MB
from speechmlx.models.spec import Companion, HubFiles, Model
from speechmlx.models.voices import PRESETS, VoiceList
from speechmlx.types import Kind

BERT_FILES = ("config.json", "vocab.txt", "tokenizer_config.json")

NETWORK, PUBLISHED = 168 * MB, 208 * MB
"""Bytes of the network in float32, and of the file with what training needs besides."""


class _Bert(NamedTuple):
    """A BERT, its bytes (fetched, and in float32 in memory) and its licence."""

    companions: tuple[Companion, ...]
    fetched: int
    memory: int
    licence: str


def _bert(repo: str, revision: str, weights: str, fetched: int, memory: int, licence: str = "Apache-2.0") -> _Bert:
    files = HubFiles(repo, revision, (*BERT_FILES, weights), f"{CONVERT}.melotts:bert")
    return _Bert((Companion("bert", (files,)),), fetched, memory, licence)


NO_BERT = _Bert((), 0, 0, "MIT")
ENGLISH_BERT = _bert(
    "google-bert/bert-base-uncased",
    "86b5e0934494bd15c9632b12f734a8a67f723594",
    "model.safetensors",
    441 * MB,
    379 * MB,
)
CHINESE_BERT = _bert("google-bert/bert-base-multilingual-uncased", "main", "model.safetensors", 672 * MB, 611 * MB)
SPANISH_BERT = _bert(
    "dccuchile/bert-base-spanish-wwm-uncased", "main", "pytorch_model.bin", 440 * MB, 381 * MB, "CC-BY-4.0"
)
JAPANESE_BERT = _bert("tohoku-nlp/bert-base-japanese-v3", "main", "pytorch_model.bin", 447 * MB, 386 * MB)
FRENCH_BERT = _bert("dbmdz/bert-base-french-europeana-cased", "main", "pytorch_model.bin", 445 * MB, 384 * MB, "MIT")


def _melotts(
    name: str,
    revision: str,
    convert: str | None,
    bert: _Bert,
    voices: VoiceList,
    *,
    aliases: tuple[str, ...] = (),
    refusal: str = "",
) -> Model:
    """A row of MeloTTS-`name`, in the language of its `voices`."""
    row, function = f"melotts-{name.lower()}", f"{CONVERT}.melotts:{convert}" if convert else None
    return Model(
        name=row,
        kind=Kind.TTS,
        engine="speechmlx.engines.melotts:load",
        sources=(HubFiles(f"myshell-ai/MeloTTS-{name}", revision, ("config.json", "checkpoint.pth"), function),),
        size=PUBLISHED + bert.fetched,
        memory=NETWORK + bert.memory,
        narrow=NETWORK + bert.memory // 2,
        rate=44100,
        licence="MIT" if bert.licence == "MIT" else f"MIT AND {bert.licence}",
        languages=(voices.languages[0][1],),
        aliases=aliases,
        elsewhere=f"(myshell-ai|mlx-community)/{row}(-mlx)?",
        voices=voices,
        companions=bert.companions,
        refusal=refusal,
    )


def _voices(language: str, *names: str, needs: tuple[str, ...] = ()) -> VoiceList:
    """Voices in a language that needs one of the packages `needs`, if any; the first stands for those of others."""
    return VoiceList(
        names,
        patterns=((PRESETS.pattern, names[0]),),
        languages=((".*", language),),
        needs={language: needs} if needs else {},
        imitates=False,
    )


ENGLISH = _voices("en", "en_us", "en_br", "en_india", "en_au", "en_default")

MELOTTS = (
    _melotts(
        "English",
        "bb4fb7346d566d277ba8c8c7dbfdf6786139b8ef",
        "english",
        ENGLISH_BERT,
        ENGLISH,
        aliases=("melotts",),
    ),
    _melotts("English-v2", "a53e3509c4ee4ff16d79272feb2474ff864e18f3", "english", ENGLISH_BERT, ENGLISH),
    _melotts(
        "English-v3",
        "f7c4a35392c0e9be24a755f1edb4c3f63040f759",
        "english",
        ENGLISH_BERT,
        _voices("en", "en_newest"),
    ),
    _melotts(
        "Chinese",
        "af5d207a364ea4208c6f589c89f57f88414bdd16",
        "chinese",
        CHINESE_BERT,
        _voices("zh", "zh", needs=("pypinyin",)),
    ),
    _melotts(
        "Spanish",
        "dbb5496df39d11a66c1d5f5a9ca357c3c9fb95fb",
        "spanish",
        SPANISH_BERT,
        _voices("es", "es", needs=ESPEAK),
    ),
    _melotts(
        "French", "1e9bf590262392d8bffb679b0a3b0c16b0f9fdaf", "french", FRENCH_BERT, _voices("fr", "fr", needs=ESPEAK)
    ),
    _melotts(
        "Japanese",
        "367f8795464b531b4e97c1515bddfc1243e60891",
        "japanese",
        JAPANESE_BERT,
        _voices("ja", "jp", needs=("fugashi",)),
    ),
    _melotts(
        "Korean",
        "0207e5adfc90129a51b6b03d89be6d84360ed323",
        None,
        NO_BERT,
        _voices("ko", "kr"),
        refusal="this version has no reader of Korean for it; cosyvoice2-0.5b and the models of Qwen3-TTS speak Korean",
    ),
)
