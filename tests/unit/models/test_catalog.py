from __future__ import annotations

import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from speechmlx.config import Config
from speechmlx.errors import UnknownModel
from speechmlx.models import catalog
from speechmlx.models.catalog import CATALOG, Catalog, HubFiles, IndexFiles, Model
from speechmlx.models.spec import Source
from speechmlx.types import Kind


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("whisper-base", Kind.ASR, "whisper-base"),
        (" Whisper-Tiny.EN ", Kind.ASR, "whisper-tiny.en"),
        ("kokoro", Kind.TTS, "kokoro-82m"),
        ("qwen3", Kind.LLM, "qwen3-4b-instruct"),
        ("qwen3", None, "qwen3-4b-instruct"),
        ("silero-vad", None, "silero-vad"),
        ("turbo", Kind.ASR, "whisper-large-v3-turbo"),
        ("large", Kind.ASR, "whisper-large-v3"),
        ("faster-whisper-small", Kind.ASR, "whisper-small"),
        ("mlx-community/whisper-turbo", Kind.ASR, "whisper-large-v3-turbo"),
        ("Kokoro-82M-MLX", Kind.TTS, "kokoro-82m"),
        ("distil-large-v3", Kind.ASR, "distil-whisper-large-v3"),
        ("openai/whisper-base", Kind.ASR, "whisper-base"),
        ("openai/whisper-base.en", Kind.ASR, "whisper-base.en"),
        ("openai/whisper-large", Kind.ASR, "whisper-large-v1"),
        ("openai/whisper-large-v3", Kind.ASR, "whisper-large-v3"),
        ("openai/whisper-large-v3-turbo", Kind.ASR, "whisper-large-v3-turbo"),
        ("Systran/faster-whisper-tiny.en", Kind.ASR, "whisper-tiny.en"),
        ("Systran/faster-whisper-large-v2", Kind.ASR, "whisper-large-v2"),
        ("Systran/faster-distil-whisper-small.en", Kind.ASR, "distil-whisper-small.en"),
        ("deepdml/faster-whisper-large-v3-turbo-ct2", Kind.ASR, "whisper-large-v3-turbo"),
        ("mobiuslabsgmbh/faster-whisper-large-v3-turbo", Kind.ASR, "whisper-large-v3-turbo"),
        ("distil-whisper/distil-large-v3", Kind.ASR, "distil-whisper-large-v3"),
        ("mlx-community/whisper-tiny", Kind.ASR, "whisper-tiny"),
        ("mlx-community/whisper-medium-mlx", Kind.ASR, "whisper-medium"),
        ("mlx-community/whisper-small.en-mlx-fp32", Kind.ASR, "whisper-small.en"),
        ("mlx-community/whisper-large-v3-mlx-8bit", Kind.ASR, "whisper-large-v3-8bit"),
        ("mlx-community/whisper-large-v3-turbo-q4", Kind.ASR, "whisper-large-v3-turbo-q4"),
        ("mlx-community/whisper-tiny-mlx-4bit", Kind.ASR, "whisper-tiny"),
        ("hexgrad/Kokoro-82M", Kind.TTS, "kokoro-82m"),
        ("mlx-community/Kokoro-82M-bf16", Kind.TTS, "kokoro-82m"),
        ("mlx-community/Kokoro-82M-4bit", Kind.TTS, "kokoro-82m"),
        ("onnx-community/Kokoro-82M-v1.0-ONNX", Kind.TTS, "kokoro-82m"),
        ("speaches-ai/Kokoro-82M-v1.0-ONNX-int8", Kind.TTS, "kokoro-82m"),
        ("CosyVoice-300M", Kind.TTS, "cosyvoice-300m"),
        ("FunAudioLLM/CosyVoice-300M-SFT", Kind.TTS, "cosyvoice-300m-sft"),
        ("iic/CosyVoice-300M-Instruct", Kind.TTS, "cosyvoice-300m-instruct"),
        ("FunAudioLLM/CosyVoice2-0.5B", Kind.TTS, "cosyvoice2-0.5b"),
        ("FunAudioLLM/Fun-CosyVoice3-0.5B-2512", Kind.TTS, "cosyvoice3-0.5b"),
        ("mlx-community/CosyVoice2-0.5B-8bit", Kind.TTS, "cosyvoice2-0.5b"),
        ("cosyvoice", Kind.TTS, "cosyvoice3-0.5b"),
        ("cosyvoice2", Kind.TTS, "cosyvoice2-0.5b"),
        ("cosyvoice-3-0.5b-mlx-8bit-full", Kind.TTS, "cosyvoice3-0.5b"),
        ("aufklarer/CosyVoice3-0.5B-MLX-4bit", Kind.TTS, "cosyvoice3-0.5b"),
        ("mlx-community/Fun-CosyVoice3-0.5B-2512-fp16", Kind.TTS, "cosyvoice3-0.5b"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", Kind.LLM, "smollm2-135m-instruct"),
        ("Qwen/Qwen3-4B-Instruct-2507", Kind.LLM, "qwen3-4b-instruct"),
        ("F5-TTS", Kind.TTS, "f5-tts"),
        ("F5-TTS-MLX", Kind.TTS, "f5-tts-mlx"),
        ("SWivid/F5-TTS", Kind.TTS, "f5-tts"),
        ("F5TTS_v1_Base", Kind.TTS, "f5-tts-v1"),
        ("lucasnewman/f5-tts-mlx", Kind.TTS, "f5-tts-mlx"),
        ("FishSpeech-1.5", Kind.TTS, "fishspeech-1.5"),
        ("fishaudio/fish-speech-1.5", Kind.TTS, "fishspeech-1.5"),
        ("MeloTTS-English", Kind.TTS, "melotts-english"),
        ("mlx-community/MeloTTS-English-v3-MLX", Kind.TTS, "melotts-english-v3"),
        ("myshell-ai/MeloTTS-Spanish", Kind.TTS, "melotts-spanish"),
        ("KittenML/kitten-tts-nano-0.8", Kind.TTS, "kitten-tts-nano-0.8"),
        ("mlx-community/kitten-tts-mini-0.8-6bit", Kind.TTS, "kitten-tts-mini-0.8"),
        ("mlx-community/pocket-tts", Kind.TTS, "pocket-tts"),
        ("kyutai/pocket-tts", None, "pocket-tts"),
        ("mlx-community/pocket-tts-8bit", Kind.TTS, "pocket-tts"),
        ("paraformer-zh", Kind.ASR, "paraformer-zh"),
        ("SenseVoiceSmall", Kind.ASR, "sensevoice-small"),
        ("iic/SenseVoiceSmall", Kind.ASR, "sensevoice-small"),
        ("funasr/fsmn-vad", Kind.VAD, "fsmn-vad"),
        ("sortformer", Kind.DIARIZE, "sortformer-4spk-v2.1"),
        ("nvidia/diar_streaming_sortformer_4spk-v2.1", Kind.DIARIZE, "sortformer-4spk-v2.1"),
        ("mlx-community/Nemotron-3-Diarization", None, "nemotron-3-diarization"),
        ("Belle-whisper-large-v2-zh", Kind.ASR, "belle-whisper-large-v2-zh"),
        ("BELLE-2/Belle-whisper-large-v3-zh", Kind.ASR, "belle-whisper-large-v3-zh"),
        ("Belle-distilwhisper-large-v2-zh", Kind.ASR, "belle-distilwhisper-large-v2-zh"),
        ("whisper-tiny.en-mlx", Kind.ASR, "whisper-tiny.en"),
        ("whisper-large-v3-turbo-mlx", Kind.ASR, "whisper-large-v3-turbo"),
        ("MegaTTS3", Kind.TTS, "megatts3"),
        ("ByteDance/MegaTTS3", None, "megatts3"),
    ],
)
def test_resolve(name: str, kind: Kind | None, found: str) -> None:
    assert CATALOG.resolve(name, kind).name == found


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("wisper-base", Kind.ASR, "no model 'wisper-base'; known asr models: whisper-base, whisper-base.en, "),
        ("kokoro-82m", Kind.ASR, "'kokoro-82m' is a tts model, not asr; asr models: whisper-tiny.en, whisper-base, "),
        ("kokoro", Kind.S2S, "'kokoro' is a tts model, not s2s; s2s models: personaplex-7b-8bit, "),
        ("kokorro", Kind.TTS, "no model 'kokorro'; known tts models: kokoro-82m, "),
        ("", None, "no model ''"),
        ("openai/whisper-base.de", Kind.ASR, "no model 'openai/whisper-base.de'; known asr models: whisper-base.en"),
        ("Systran/faster-whisper-large-v4", Kind.ASR, "no model"),
        ("somebody/whisper-base", Kind.ASR, "no model"),
        ("openai/whisper-baseXen", Kind.ASR, "no model"),
        ("distil-whisper/distil-large-v3.5", Kind.ASR, "no model"),
        ("hexgrad/Kokoro-82M-v1.1-zh", Kind.TTS, "no model"),
    ],
)
def test_resolve_refuses(name: str, kind: Kind | None, says: str) -> None:
    with pytest.raises(UnknownModel, match=says) as refused:
        CATALOG.resolve(name, kind)
    assert str(refused.value).count(",") <= 9


def test_what_cannot_run_is_not_offered() -> None:
    unwritten = replace(CATALOG.rows[0], name="unwritten", engine="speechmlx.engines.unwritten:load")
    known = replace(CATALOG, rows=(*CATALOG.rows, unwritten))
    assert known.names(unwritten.kind) == CATALOG.names(unwritten.kind)
    with pytest.raises(UnknownModel, match=r"^unwritten cannot run: this version has no engine for it; asr models: "):
        known.resolve("unwritten")
    offered = {row.name for row in CATALOG.offered()}
    assert {row.name for row in CATALOG.rows} - offered == {row.name for row in CATALOG.rows if not row.runnable}


@pytest.mark.parametrize(
    ("config", "kind", "found"),
    [
        (Config(profile="starter"), Kind.ASR, "whisper-base"),
        (Config(profile="standard"), Kind.ASR, "whisper-large-v3-turbo"),
        (Config(profile="standard"), Kind.TTS, "kokoro-82m"),
        (Config(profile="large"), Kind.TTS, "qwen3-tts-0.6b-customvoice"),
        (Config(profile="standard", models={"asr": "whisper-small"}), Kind.ASR, "whisper-small"),
        (Config(profile="starter", models={"llm": "qwen3"}), Kind.LLM, "qwen3-4b-instruct"),
    ],
)
def test_default(config: Config, kind: Kind, found: str) -> None:
    assert CATALOG.default(kind, config).name == found


@pytest.mark.parametrize(
    ("profile", "models", "found"),
    [
        ("starter", {}, "whisper-base"),
        ("standard", {}, "whisper-small"),
        ("large", {}, "whisper-small"),
        ("standard", {"listen": "base"}, "whisper-base"),
        ("starter", {"listen": "turbo", "asr": "tiny.en"}, "whisper-large-v3-turbo"),
        ("standard", {"asr": "medium.en"}, "whisper-medium.en"),  # who names one model means it for both
    ],
)
def test_the_model_of_live_words(profile: str, models: dict[str, str], found: str) -> None:
    config = Config(profile=profile, models=models)
    CATALOG.check(config)
    assert CATALOG.listener(config).name == found
    names = [row.name for row in CATALOG.defaults(config)]
    assert names.count(found) == 1 and CATALOG.default(Kind.ASR, config).name in names


def test_a_model_of_live_words_must_recognise() -> None:
    with pytest.raises(UnknownModel, match="is a tts model, not asr"):
        CATALOG.check(Config(models={"listen": "kokoro"}))
    with pytest.raises(UnknownModel, match=r"no kind 'hear' of model; .*listen"):
        CATALOG.check(Config(models={"hear": "base"}))


def test_a_profile_is_pulled_with_its_model_of_live_words() -> None:
    assert set(CATALOG.models_of("standard")) == {*CATALOG.of_profile("standard").values(), "whisper-small"}
    assert CATALOG.models_of("starter") == tuple(CATALOG.of_profile("starter").values())


@pytest.mark.parametrize(
    ("config", "kind", "says"),
    [
        (Config(profile="starter"), Kind.S2S, "profile 'starter' has no s2s model"),
        (Config(profile="gigantic"), Kind.ASR, "no profile 'gigantic'; known profiles: starter, standard"),
        (Config(profile="starter", models={"asr": "kokoro"}), Kind.ASR, "is a tts model, not asr"),
    ],
)
def test_default_refuses(config: Config, kind: Kind, says: str) -> None:
    with pytest.raises(UnknownModel, match=says):
        CATALOG.default(kind, config)


def test_names_and_aliases_are_unambiguous() -> None:
    names = [row.name for row in CATALOG.rows]
    called = [(alias, row.kind) for row in CATALOG.rows for alias in row.aliases]
    assert len(set(names)) == len(names)
    assert len(set(called)) == len(called)
    assert not {alias for alias, _ in called} & set(names)
    assert all(name == name.lower() and "/" not in name for name in names)


def test_a_name_elsewhere_means_one_row() -> None:
    owners = ("openai/", "Systran/faster-", "mlx-community/", "guillaumekln/faster-", "Xenova/")
    whisper = [row.name for row in CATALOG.offered(Kind.ASR) if "whisper" in row.engine]
    whole = [name for name in whisper if not name.endswith(("-q4", "-8bit"))]
    for name in whole:
        for wanted in (f"{owner}{name}{end}" for owner in owners for end in ("", "-mlx", "-mlx-fp32")):
            assert CATALOG.resolve(wanted).name == name
            assert sum(bool(re.fullmatch(row.elsewhere, wanted.lower())) for row in CATALOG.rows) == 1


def origins(row: Model) -> Iterator[Source]:
    """The sources of a row and of its companions."""
    yield from row.sources
    for companion in row.companions:
        yield from companion.sources


def test_every_conversion_is_there() -> None:
    for source in {source for row in CATALOG.rows for source in origins(row) if source.convert}:
        module, _, function = (source.convert or "").partition(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_every_file_of_the_index_is_vouched_for() -> None:
    for row in CATALOG.rows:
        for source in origins(row):
            if isinstance(source, IndexFiles):
                joined = {name for name, _ in source.joined_sha256}
                assert all(file.sha256 or file.archive_sha256 or file.to in joined for file in source.files)
            elif isinstance(source, HubFiles):
                assert source.revision == "main" or len(source.revision) == 40


def test_pocket_tts_comes_from_known_commits() -> None:
    sources = {source for source in origins(CATALOG.resolve("pocket-tts")) if isinstance(source, HubFiles)}
    assert len(sources) == 2 and all(len(source.revision) == 40 for source in sources)


def test_starter_models_need_no_hub() -> None:
    for kind, name in CATALOG.of_profile("starter").items():
        assert isinstance(CATALOG.resolve(name, kind).sources[0], IndexFiles)


@pytest.mark.parametrize(
    ("name", "float32", "float16"),
    [
        ("whisper-large-v3", 6168, 3084),
        ("whisper-large-v3-turbo-q4", 3228, 464),
        ("kokoro-82m", 328, 192),
        ("smart-turn-v3", 32, 32),
        ("qwen3-4b-instruct", 16090, 2260),
    ],
)
def test_memory_depends_on_the_type_of_the_weights(name: str, float32: int, float16: int) -> None:
    row = CATALOG.resolve(name)
    assert row.bytes_as("float32") == float32 * 1_000_000
    assert row.bytes_as("float16") == float16 * 1_000_000


def add_nothing(known: Catalog) -> Catalog:
    return Catalog(known.rows[:1], known.profiles)


def test_a_function_can_change_the_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    assert catalog.load() is CATALOG
    monkeypatch.setenv("SPEECHMLX_CATALOG", "unit.models.test_catalog:add_nothing")
    assert len(catalog.load().rows) == 1


def test_importing_the_catalog_is_cheap() -> None:
    code = "import sys, speechmlx.models.catalog, speechmlx.models.store; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "onnx", "requests", "huggingface_hub", "pypi_simple", "filelock", "mlx"} & set(loaded)


def test_nobody_else_chooses_an_onnx_file_that_is_parsed() -> None:
    """The parser takes memory without a bound. Index files have digests; hub repositories bring no ONNX."""
    for row in CATALOG.rows:
        for source in origins(row):
            if isinstance(source, IndexFiles):
                joined = dict(source.joined_sha256)
                pinned = [file.sha256 or file.archive_sha256 or joined.get(file.to) for file in source.files]
                assert all(re.fullmatch("[0-9a-f]{64}", digest or "") for digest in pinned), row.name
            elif source.convert is not None:
                reader = importlib.import_module(source.convert.partition(":")[0])
                assert "onnx_graph" not in inspect.getsource(reader), row.name
