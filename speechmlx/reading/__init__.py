"""Reads text aloud on paper: text → words, as a person says them, with their pauses and their places in the text.

The way that text takes: structure (Markdown, HTML, SSML: blocks without their marks) → folding (Unicode) →
classification (tokens of one class each: money, date, measure, ...) → words (one verbaliser for each class and
language) → pronunciation (phonemes). Pure functions, linear in the length of the text.
"""

from __future__ import annotations

from speechmlx.reading.reading import read, spoken
from speechmlx.reading.tokens import Pause, SpokenWord, Token

__all__ = ["Pause", "SpokenWord", "Token", "read", "spoken"]
