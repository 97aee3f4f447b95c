"""Readers of Japanese and Chinese, by the misaki package with its extras."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable

Reader = Callable[[str], str]


def japanese() -> Reader:
    """The reader of kana and kanji. Raises ImportError if the `ja` extra is not installed."""
    read = importlib.import_module("misaki.ja").JAG2P()
    return lambda text: str(read(text)[0])


def chinese() -> Reader:
    """The reader of Chinese; its phonemes include tones. Raises ImportError if the `zh` extra is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python warns about escapes in jieba's source
        module = importlib.import_module("misaki.zh")
    logging.getLogger("jieba").setLevel(logging.WARNING)
    read = module.ZHG2P()
    return lambda text: str(read(text)[0])
