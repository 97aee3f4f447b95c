"""The language that a request names to a recogniser that tells languages apart by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from speechmlx import languages
from speechmlx.engines.mlx_audio.arguments import check_unchosen
from speechmlx.types import LanguageDetected

if TYPE_CHECKING:
    from speechmlx.engines.mlx_audio.checkpoint import BridgedModel


class NamedLanguage:
    """It changes nothing of what is heard, and is told once, with the first sound."""

    def __init__(self, checkpoint: BridgedModel, language: str | None) -> None:
        """Raises Unsupported for a language that the model does not hear, or may not."""
        if language is not None:
            check_unchosen(checkpoint.family, checkpoint.model, language)
        self._language = language

    def tell(self) -> Iterator[LanguageDetected]:
        """The language, the first time; nothing where the request names none."""
        if self._language is not None:
            code = languages.code(self._language) or self._language
            self._language = None
            yield LanguageDetected(code, 1.0)
