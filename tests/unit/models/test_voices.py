"""Voices as clients name them: a model's own, other services' names for them, blends, and names that nobody knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechmlx.errors import UnknownVoice
from speechmlx.models.catalog import CATALOG
from speechmlx.models.voices import UNLISTED, VoiceList, voices_in
from speechmlx.types import Audio, NamedVoice, ReferenceVoice

KOKORO = CATALOG.resolve("kokoro").voices
PLAIN = VoiceList(("anna", "bert"), {"alloy": "anna"})


@pytest.mark.parametrize(
    ("voice", "found"),
    [
        (None, None),
        ("", None),
        ("  ", None),
        ("af_bella", "af_bella"),
        (" AF-Bella ", "af_bella"),
        ("NATM0", "am_michael"),
        ("natf3", "af_sarah"),
        ("NATF 3", "af_sarah"),
        ("VARM4", "am_onyx"),
        ("VARF9", "af_nova"),
        ("en_female_calm", "af_heart"),
        ("EN_MALE", "am_michael"),
        ("zh_male_warm", "zm_yunxi"),
        ("xx_female_x", "af_heart"),
        ("alloy", "af_alloy"),
        (" Alloy ", "af_alloy"),
        ("EN-Female Calm", "af_heart"),
        ("aura-asteria-en", "af_heart"),
        ("aura-2-zeus-en", "am_adam"),
        ("Aura-2-Celeste-ES", "ef_dora"),
        ("aura-2-hector-fr", "ff_siwis"),
        ("aura-2-somebody-it", "if_sara"),
        ("aura-2-viktoria-de", "af_heart"),
        ("AF_HEART", "af_heart"),
        ("af_heart \n", "af_heart"),
        ("AF_BELLA (2)+af_sky(1) ", "AF_BELLA (2)+af_sky(1)"),
        ("af_heart*0.7 + AF-Sky(3)", "af_heart*0.7 + AF-Sky(3)"),
        ("af_heart+", "af_heart+"),  # the engine says how a blend is written
        ("af_heart(2", "af_heart(2"),
    ],
)
def test_kokoros_voices(voice: str | None, found: str | None) -> None:
    assert KOKORO.resolve(voice) == (None if found is None else NamedVoice(found))


@pytest.mark.parametrize(
    ("voices", "name", "says"),
    [
        (KOKORO, "af_haert", r"^no voice 'af_haert'; the voices are af_heart, .* 48 more \(GET /v1/audio/voices"),
        (KOKORO, "af_heart+nobody*2", "^no voice 'nobody'; the voices are "),
        (KOKORO, "af_bella[2]+af_sky", r"^no voice 'af_bella\[2\]'; .*; a blend is written like af_heart\*0.7\+af_sky"),
        (KOKORO, "af_bella:2", r"; a blend is written like .* or af_heart\(7\)\+af_sky\(3\)$"),
        (KOKORO, "natf", "no voice 'natf'"),
        (KOKORO, "en_other_calm", "no voice 'en_other_calm'"),
        (PLAIN, "carl", "^no voice 'carl'; the voices are anna, bert$"),
        (PLAIN, "anna+bert", r"^no voice 'anna\+bert'; the voices are anna, bert$"),
        (PLAIN, "echo", "^no voice 'echo'; the voices are anna, bert$"),
    ],
)
def test_a_voice_that_is_not_in_the_list(voices: VoiceList, name: str, says: str) -> None:
    with pytest.raises(UnknownVoice, match=says):
        voices.resolve(name)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (" Somebody ", "Somebody"),
        ("work=0.1 x=2", "work=0.1 x=2"),
        ("alloy", None),
        ("NATF2", None),
        ("de_male", None),
        ("aura-2-thalia-en", None),
    ],
)
def test_where_no_voices_are_listed_the_engine_decides_unless_it_is_a_preset(name: str, found: str | None) -> None:
    assert UNLISTED.resolve(name) == (None if found is None else NamedVoice(found))


def test_where_any_name_is_a_voice_presets_are_voices_too() -> None:
    voices = VoiceList(imitates=False, any_name=True)
    assert voices.resolve(" Echo ") == NamedVoice("Echo") and voices.resolve("小明") == NamedVoice("小明")
    assert voices.resolve(" ") is voices.resolve(None) is None
    long = "UEsDBA" * 1000
    assert voices.resolve(long) == NamedVoice(long)
    with pytest.raises(UnknownVoice, match=r"'prompt_speech' is a recording, .* or name any voice"):
        voices.imitation(ReferenceVoice(Audio(np.zeros(1, np.float32), 1), "", "x"), "'prompt_speech'")


def test_every_alias_and_pattern_stands_for_a_voice() -> None:
    for row in CATALOG.rows:
        stands_for = {*row.voices.aliases.values(), *(voice for _, voice in row.voices.patterns)}
        assert stands_for <= set(row.voices.names)
        assert not set(row.voices.aliases) & set(row.voices.names)


def test_voices_in_a_folder(tmp_path: Path) -> None:
    for name in ("voices/b", "voices/a", "embeddings/b", "voice_embedding/d", "model", "tokenizer/e"):
        (tmp_path / f"{name}.safetensors").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.safetensors").touch()
    (tmp_path / "voices/c.txt").touch()
    assert voices_in(tmp_path) == ("a", "b", "d")
    assert voices_in(tmp_path / "nowhere") == ()


def test_what_kokoros_voices_speak() -> None:
    tags = {name: KOKORO.language(name) for name in KOKORO.names}
    assert (tags["af_sky"], tags["bm_fable"], tags["pm_alex"], tags["zf_xiaoyi"]) == ("en-US", "en-GB", "pt-BR", "zh")
    assert None not in tags.values() and VoiceList(("af_sky",)).language("af_sky") is None


def test_a_language_is_spoken_where_one_of_its_packages_or_programs_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    found = VoiceList(needs={"xx": ("no_such_package", "json"), "yy": ("no_such_package", "/sh"), "zz": ("/no-such",)})
    assert [found.can_speak(tag) for tag in ("xx", "yy", "zz", "en")] == [True, True, False, True]
