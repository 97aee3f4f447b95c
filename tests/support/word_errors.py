"""Word error rate of a transcript."""

from __future__ import annotations

import re

import jiwer


def normalise(text: str) -> str:
    """Lower case, without punctuation, single spaces."""
    return " ".join(re.sub(r"[^\w' ]+", " ", text.lower()).split())


def word_error_rate(reference: str, hypothesis: str) -> float:
    """Errors per word of `reference`; case and punctuation do not count."""
    return float(jiwer.wer(normalise(reference), normalise(hypothesis)))
