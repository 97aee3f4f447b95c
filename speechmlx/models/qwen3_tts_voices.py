"""The voices of Qwen3-TTS's CustomVoice models and the names of other services that stand for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from speechmlx.models.kokoro_voices import AURA, OPENAI
from speechmlx.models.voices import VoiceList

NAMES = tuple("serena vivian uncle_fu ryan aiden ono_anna sohee eric dylan".split())

FEMALE, MALE = ("vivian", "serena"), ("ryan", "aiden")
BY_GENDER = {
    "ja": ("ono_anna", "ryan"),
    "ko": ("sohee", "ryan"),
    "zh": ("vivian", "uncle_fu"),
    "[a-z]{2}": ("vivian", "ryan"),
}
"""Female and male voice per language, for names like en_female_calm; the last row is for every other language."""


def _alike(voices: Mapping[str, str]) -> dict[str, str]:
    """Names of OpenAI's voices, each with a voice of the gender that it has elsewhere."""
    count = {FEMALE: 0, MALE: 0}
    found = {}
    for name, voice in voices.items():
        group = FEMALE if voice[1] == "f" else MALE
        found[name] = group[count[group] % len(group)]
        count[group] += 1
    return found


def _patterns() -> Iterator[tuple[str, str]]:
    for name in ("natf", "varf"):
        yield rf"{name}_?\d", FEMALE[0]
    for name in ("natm", "varm"):
        yield rf"{name}_?\d", MALE[0]
    for language, (female, male) in BY_GENDER.items():
        yield rf"{language}_female(_\w+)?", female
        yield rf"{language}_male(_\w+)?", male
    for voice, names in AURA.items():
        yield rf"aura(_2)?_({names.replace(' ', '|')})_[a-z]{{2}}", (FEMALE if voice[1] == "f" else MALE)[0]
    yield r"aura(_2)?_[a-z]+_[a-z]{2}", FEMALE[0]


QWEN3_TTS = VoiceList(NAMES, _alike(OPENAI), tuple(_patterns()), imitates=False)
