"""The voices of a model: those that its row lists, names of other services that stand for them, and its folder's.

Beside them are recordings that the server keeps, for models that imitate, and names that the owner gives to voices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from speechmlx.errors import UnknownVoice
from speechmlx.names import BLEND, listed, spelt
from speechmlx.optional_packages import program
from speechmlx.types import NamedVoice, ReferenceVoice, Voice

LISTED = "GET /v1/audio/voices lists all"
OPENAI = "alloy|ash|ballad|cedar|coral|echo|fable|marin|nova|onyx|sage|shimmer|verse"
AURA = r"aura(_2)?_[a-z]+_[a-z]{2}"
PRESETS = re.compile(rf"{OPENAI}|(nat|var)[fm]_?\d|[a-z]{{2}}_(female|male)(_\w+)?|{AURA}")
"""Voices of other services that clients send to any model.

OpenAI's, PersonaPlex's, names like en_female_calm, and Deepgram's (aura-2-thalia-en).
"""
WEIGHT = re.compile(r"[*(]")
"""Begins the weight of a voice in a blend."""
SIGN = re.compile(r"[^\w\s-]")
"""In a name: it is meant for a blend."""
KEPT_IN = ("voices", "embeddings", "voice_embedding")
"""Folders of voices in that of a model."""


class KeptVoices(Protocol):
    """Recordings that are kept under names: `models.voice_store.VoiceStore`."""

    def names(self) -> tuple[str, ...]:
        """The name of each. Blocks."""

    def find(self, name: str) -> ReferenceVoice | None:
        """The recording with this name or id; None where there is none. Blocks for some milliseconds."""


@dataclass(frozen=True)
class VoiceList:
    """The voices of one row of the catalog. Names are in small letters, their words joined by underscores."""

    names: tuple[str, ...] = ()
    """The model's own voices; (): the row does not know them, and the engine decides."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Name of another service → voice of this model; clients see these names in lists of voices."""
    patterns: tuple[tuple[str, str], ...] = ()
    """(regular expression for the whole of a name, voice of this model), the first match counts; not in lists."""
    blends: bool = False
    """The model mixes voices: names joined by "+", each with its weight after "*" or in parentheses."""
    languages: tuple[tuple[str, str], ...] = ()
    """(regular expression for the whole of a name, BCP 47 tag of what the voice speaks), the first match counts."""
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """BCP 47 tag → packages, one of which must be installed for the language; a language without an entry needs none.

    A name with a "/" before it is a program.
    """
    imitates: bool = True
    """Whether the model may imitate recordings; one that cannot after all refuses them itself."""
    any_name: bool = False
    """Every name is a voice of its own, also a preset of another service."""
    kept: KeptVoices | None = field(default=None, compare=False)
    """The recordings of this server; None: there are none."""
    meant: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Name → voice that the owner of the server means by it (the setting `voices`)."""

    def language(self, name: str) -> str | None:
        """BCP 47 tag of what the voice `name` speaks; None: whatever the model speaks."""
        return next((tag for pattern, tag in self.languages if re.fullmatch(pattern, name)), None)

    def can_speak(self, tag: str) -> bool:
        """Whether what the language needs is installed."""
        needs = self.needs.get(tag, ())
        return not needs or any(program(need[1:]) if need[0] == "/" else find_spec(need) for need in needs)

    def resolve(self, name: str | None) -> Voice | None:
        """The voice that a client calls `name`; None is the model's default voice.

        A blank name means the default, and so does a preset of another service in a row that lists no voices, unless
        any name is a voice there. The owner's names count first, then the model's own, then recordings. Reads the disk
        for a name that is none of the model's. Raises UnknownVoice for a name that is not in the list, or that is a
        recording which the model cannot imitate.
        """
        meant = self.meant.get(spelt(name or ""))
        if meant is None:
            return self._resolve(name)
        try:
            return self._resolve(meant)
        except UnknownVoice as error:
            raise UnknownVoice(f"{name!r:.100} is {meant!r:.100} by the setting voices: {error}") from error

    def _resolve(self, name: str | None) -> Voice | None:
        name = (name or "").strip()
        key = spelt(name)
        if not key:
            return None
        if own := self._own(key):
            return NamedVoice(own)
        if self.kept is not None and (recording := self.kept.find(name)) is not None:
            return self.imitation(recording, f"the voice {name!r:.100}")
        if not self.names:
            return None if PRESETS.fullmatch(key) and not self.any_name else NamedVoice(name)
        return self._blend(name, key)

    def imitation(self, recording: ReferenceVoice, what: str) -> ReferenceVoice:
        """`recording`, which a client calls `what`. Raises UnknownVoice where the model imitates none."""
        if self.imitates:
            return recording
        own = f", or one of its voices: {listed('', self.names, LISTED)}" if self.names else ""
        own = ", or name any voice" if self.any_name else own
        raise UnknownVoice(f"{what} is a recording, and this model imitates none: choose another model{own}")

    @property
    def stored(self) -> tuple[str, ...]:
        """The names of the recordings that the model may imitate. Blocks."""
        return self.kept.names() if self.kept is not None and self.imitates else ()

    @property
    def known(self) -> tuple[str, ...]:
        """The names that a client may choose from: the model's own, and recordings where it imitates. Blocks."""
        return (*self.names, *self.stored)

    def _blend(self, name: str, key: str) -> NamedVoice:
        parts = [spelt(WEIGHT.split(part, maxsplit=1)[0]) for part in name.split("+")] if self.blends else [key]
        for part in parts:
            if part and part not in self.names:
                hint = f"; {BLEND}" if self.blends and SIGN.search(name) else ""
                raise UnknownVoice(f"no voice {part!r:.100}; the voices are {listed(part, self.known, LISTED)}{hint}")
        return NamedVoice(name)

    def owns(self, key: str) -> bool:
        """Whether a name, as `spelt` writes it, means a voice of the model, or one by the setting `voices`."""
        return key in self.meant or self._own(key) is not None

    def has(self, name: str) -> bool:
        """Whether a client that reads the list of voices finds this name there: a voice, or a recording. Blocks."""
        is_stored = self.imitates and self.kept is not None and self.kept.find(name) is not None
        return spelt(name) in self.names or is_stored

    def _own(self, key: str) -> str | None:
        if key in self.names:
            return key
        if key in self.aliases:
            return self.aliases[key]
        return next((voice for pattern, voice in self.patterns if re.fullmatch(pattern, key)), None)


UNLISTED = VoiceList()
"""Of a row that does not know its model's voices."""


def voices_in(folder: Path) -> tuple[str, ...]:
    """Names of the voices in a model's weights folder: a file of weights each; () for a model without such files."""
    return tuple(sorted({path.stem for kept in KEPT_IN for path in folder.glob(f"{kept}/*.safetensors")}))
