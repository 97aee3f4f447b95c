"""Words compared: how much of what should be heard was."""

from __future__ import annotations

import re

import jiwer


def plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w' ]+", " ", text.lower()).split())


def errors(said: str, heard: str) -> float:
    """Word error rate of `heard`, without case and punctuation."""
    return float(jiwer.wer(plain(said), plain(heard)))
