"""Japanese and Chinese, read by the misaki package where its extras are installed."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable

Reader = Callable[[str], str]


def japanese() -> Reader:
    """Kana and kanji → phonemes; raises ImportError where the `ja` extra is missing."""
    read = importlib.import_module("misaki.ja").JAG2P()
    return lambda text: str(read(text)[0])


def chinese() -> Reader:
    """Chinese characters → phonemes with tones; raises ImportError where the `zh` extra is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # jieba's source has escapes Python warns about
        module = importlib.import_module("misaki.zh")
    logging.getLogger("jieba").setLevel(logging.WARNING)
    read = module.ZHG2P()
    return lambda text: str(read(text)[0])
