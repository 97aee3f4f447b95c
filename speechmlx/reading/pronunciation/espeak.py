"""Phonemes by espeak-ng, if installed: the library of the espeakng-loader package, or the program.

espeak-ng is GPL-3 and not a dependency of this project. It is imported or run only if it is already installed.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import re
import subprocess
from collections.abc import Callable
from functools import cache

from speechmlx.optional_packages import program

Ipa = Callable[[str, str], str]
"""(text, espeak voice) → IPA, with `TIE` between the letters of one phoneme."""

TIE = "^"
SYNCHRONOUS, DO_NOT_EXIT, UTF8 = 2, 0x8000, 1
IPA_WITH_TIE = ord(TIE) << 8 | 0x80 | 0x02

VOICES = {"es": "es", "fr": "fr", "hi": "hi", "it": "it", "pt": "pt-br"}
RUN = re.compile(r"\s+|[;:,.!?…—।]+|[“”\"()«»¡¿]|[^\s;:,.!?…—।“”\"()«»¡¿]+")
LONGEST_MARK = 8  # characters of a run of marks that are kept
SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z]+)*\)")  # espeak's mark of a word in another language

# Phonemes of two IPA letters that Kokoro's vocabulary writes as one letter.
LIGATURES = {"a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S"}
LIGATURES |= {"t^s": "ʦ", "t^ʃ": "ʧ", "ɔ^ɪ": "Y"}
ENGLISH = {"ʔˌn̩": "ʔn", "ʔn̩": "ʔn", "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k"}
ENGLISH |= {"ç": "k", "ɐ": "ə", "ɬ": "l", "̃": "", "n̩": "ᵊn", "l̩": "ᵊl", "̩": "", "e": "A"}
AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪ^ə": "iə", "ɪə": "iə", "ː": ""}
BRITISH = {"e^ə": "ɛː", "i^ə": "ɪə", "iə": "ɪə"}


def available() -> bool:
    return importlib.util.find_spec("espeakng_loader") is not None or program("espeak-ng") is not None


@cache
def _ipa() -> Ipa:
    if importlib.util.find_spec("espeakng_loader") is not None:
        return _library()
    return _program


def _library() -> Ipa:
    loader = importlib.import_module("espeakng_loader")
    lib = ctypes.CDLL(loader.get_library_path())
    lib.espeak_TextToPhonemes.restype = ctypes.c_char_p
    lib.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
    if lib.espeak_Initialize(SYNCHRONOUS, 0, loader.get_data_path().encode(), DO_NOT_EXIT) < 0:
        raise OSError("espeak-ng could not read its data")

    def ipa(text: str, voice: str) -> str:
        if lib.espeak_SetVoiceByName(voice.encode()):
            raise OSError(f"espeak-ng has no voice {voice}")
        rest, clauses = ctypes.c_char_p(text.encode()), []
        while rest.value:
            clauses.append(lib.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA_WITH_TIE).decode())
        return " ".join(clauses)

    return ipa


def _program(text: str, voice: str) -> str:
    command = [program("espeak-ng") or "espeak-ng", "-q", "--stdin", f"--tie={TIE}", "--ipa", "-v", voice]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=30).stdout


def read(text: str, language: str) -> str:
    """Convert a sentence in a language of VOICES to Kokoro's phonemes. Punctuation is kept."""
    return "".join(_mark(part) if is_mark else _phonemes(part, language) for part, is_mark in _clauses(text))


def _clauses(text: str) -> list[tuple[str, bool]]:
    """Part `text` into clauses and marks, each with whether it is a mark. Marks within words and numbers are none."""
    parts: list[tuple[str, bool]] = []
    clause: list[str] = []
    runs: list[str] = RUN.findall(text)
    for i, run in enumerate(runs):
        ends = i + 1 == len(runs) or runs[i + 1].isspace()
        if run[0] in '“”"()«»¡¿' or (run[0] in ";:,.!?…—।" and ends):
            if clause:
                parts.append(("".join(clause), False))
            parts.append((run[:LONGEST_MARK], True))
            clause = []
        elif run.isspace() and not clause and parts:
            parts.append((" ", True))
        else:
            clause.append(run)
    return [*parts, ("".join(clause), False)] if clause else parts


def _phonemes(text: str, language: str) -> str:
    if not text.strip():
        return text
    phonemes = SWITCH.sub("", _ipa()(text, VOICES[language])).strip()
    phonemes = re.sub(r"\s+", " ", _replaced(phonemes, LIGATURES).replace(TIE, "").replace("-", ""))
    return phonemes + " " * text[-1].isspace()


def _mark(mark: str) -> str:
    """Map punctuation to the marks of Kokoro's vocabulary. The Spanish opening marks are removed."""
    return _replaced(mark, {"«": "“", "»": "”", "।": ".", "¡": "", "¿": ""})


def english_word(word: str, british: bool) -> str:
    """Convert one English word to Kokoro's phonemes."""
    phonemes = _replaced(_ipa()(word, "en" if british else "en-us").strip(), LIGATURES)
    phonemes = _replaced(phonemes, BRITISH if british else AMERICAN)
    return _replaced(phonemes, ENGLISH).replace(TIE, "").replace("o", "ɔ").replace(" ", "")


def _replaced(text: str, table: dict[str, str]) -> str:
    for old in sorted(table, key=len, reverse=True):
        text = text.replace(old, table[old])
    return text
