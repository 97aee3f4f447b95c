"""espeak-ng where a person installed it: the library of the espeakng-loader package, or the program on the PATH.

espeak-ng is GPL-3 and no dependency of this project: nothing here is imported or run unless it is found.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache

Ipa = Callable[[str, str], str]
"""(text, espeak voice) → IPA with `TIE` between the letters of one sound."""

TIE = "^"
SYNCHRONOUS, DO_NOT_EXIT, UTF8 = 2, 0x8000, 1
IPA_WITH_TIE = ord(TIE) << 8 | 0x80 | 0x02

VOICES = {"es": "es", "fr": "fr", "hi": "hi", "it": "it", "pt": "pt-br"}
PAUSE = re.compile(r"([¡¿]|\s*[;:,.!?…—।]+(?=\s|$)\s*|\s*[“”\"()«»]\s*)")
SWITCH = re.compile(r"\([a-z]{2,3}(?:-[a-z]+)*\)")  # espeak marks a word it reads in another language

# Sounds of two letters that Kokoro's alphabet writes with one.
LIGATURES = {"a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S"}
LIGATURES |= {"t^s": "ʦ", "t^ʃ": "ʧ", "ɔ^ɪ": "Y"}
ENGLISH = {"ʔˌn̩": "ʔn", "ʔn̩": "ʔn", "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k"}
ENGLISH |= {"ç": "k", "ɐ": "ə", "ɬ": "l", "̃": "", "n̩": "ᵊn", "l̩": "ᵊl", "̩": "", "e": "A"}
AMERICAN = {"ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪ^ə": "iə", "ɪə": "iə", "ː": ""}
BRITISH = {"e^ə": "ɛː", "i^ə": "ɪə", "iə": "ɪə"}


def available() -> bool:
    return importlib.util.find_spec("espeakng_loader") is not None or shutil.which("espeak-ng") is not None


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
    command = ["espeak-ng", "-q", "--stdin", f"--tie={TIE}", "--ipa", "-v", voice]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, timeout=30).stdout


def read(text: str, language: str) -> str:
    """A sentence of a language of VOICES → Kokoro's phonemes, its punctuation kept."""
    return "".join(_mark(part) if i % 2 else _sounds(part, language) for i, part in enumerate(PAUSE.split(text)))


def _sounds(text: str, language: str) -> str:
    if not text.strip():
        return text
    said = SWITCH.sub("", _ipa()(text, VOICES[language])).strip()
    said = re.sub(r"\s+", " ", _replaced(said, LIGATURES).replace(TIE, "").replace("-", ""))
    return said + " " * text[-1].isspace()


def _mark(mark: str) -> str:
    """Marks Kokoro's alphabet has; Spain's opening ones are left out, the others get their space."""
    return _replaced(mark, {"«": "“", "»": "”", "।": ".", "¡": "", "¿": ""})


def english_word(word: str, british: bool) -> str:
    """One English word → Kokoro's phonemes."""
    said = _replaced(_ipa()(word, "en" if british else "en-us").strip(), LIGATURES)
    said = _replaced(said, BRITISH if british else AMERICAN)
    return _replaced(said, ENGLISH).replace(TIE, "").replace("o", "ɔ").replace(" ", "")


def _replaced(text: str, table: dict[str, str]) -> str:
    for old in sorted(table, key=len, reverse=True):
        text = text.replace(old, table[old])
    return text
