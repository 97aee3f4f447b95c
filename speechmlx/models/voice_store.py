"""The voices and consents that the server keeps: recordings that models imitate, under names that clients choose.

The id of a voice comes from its name, so that servers which share the folder agree: a name is free, or taken.
Everything here blocks.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import time
import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path

from speechmlx.config import Config
from speechmlx.errors import BadRequest, UnknownModel, UnknownRecording
from speechmlx.models.kept_recordings import ID, RATE, KeptRecordings, pcm_of
from speechmlx.models.spec import Catalog, Model
from speechmlx.models.voices import PRESETS
from speechmlx.names import listed, spelt
from speechmlx.types import Audio, Kind, ReferenceVoice

LEAST, MOST = 1.0, 60.0
"""Seconds of a recording."""
SILENT = 1e-3
"""Peak up to which a recording holds nothing: -60 dB."""
MOST_KEPT = 100
"""Voices; and as many consents."""
MOST_TEXT = 2000
"""Characters of the text of a recording, and of a consent that is a sentence."""
NAME = re.compile(r"(?!voice_)[^\W_][\w .'’-]{0,63}", re.IGNORECASE)
NAMED = "a name has 1 to 64 letters, digits, blanks and . ' - _, begins with a letter or a digit, and not with 'voice_'"
LABEL = 200
"""Characters of the name of a consent."""
VOICE, CONSENT = "voice", "cons"
"""Beginnings of ids."""
VOICES, CONSENTS = "GET /v1/audio/voices lists all", "GET /v1/audio/voice_consents lists all"


@dataclass(frozen=True)
class StoredVoice:
    """A voice that is kept."""

    id: str
    name: str
    created_at: int
    """Unix seconds."""
    seconds: float
    """Of its recording."""
    text: str
    """What is said in it; "": not known."""
    consent: str
    """The id of a consent, or a sentence."""
    digest: str
    """SHA-256 of the samples."""


@dataclass(frozen=True)
class StoredConsent:
    """A recording in which a person agrees that their voice is imitated."""

    id: str
    name: str
    created_at: int
    """Unix seconds."""
    language: str
    """BCP 47 tag of what is said."""


class VoiceStore:
    """The voices and consents in `folder`, which need not exist. Raises NoRoom where the disk cannot be used."""

    def __init__(self, folder: Path) -> None:
        self._kept = KeptRecordings(folder)

    # --- voices ---

    def names(self) -> tuple[str, ...]:
        """The names of the voices, in order."""
        return tuple(voice.name for voice in self.voices())

    def voices(self) -> list[StoredVoice]:
        """The voices, by their names."""
        return sorted(self._kept.records(VOICE, StoredVoice), key=lambda voice: spelt(voice.name))

    def voice(self, name: str) -> StoredVoice:
        """The voice with this name or id. Raises UnknownRecording."""
        found = self._kept.record(voice_id(name), StoredVoice)
        if found is None:
            raise self._unknown(name)
        return found

    def find(self, name: str) -> ReferenceVoice | None:
        """The recording of the voice with this name or id; None: there is none. Raises BadRequest for a damaged one."""
        voice = self._kept.record(voice_id(name), StoredVoice)
        sound = self._kept.sound(voice.id) if voice is not None else None
        return ReferenceVoice(sound, voice.text, voice.digest) if voice is not None and sound is not None else None

    def check_name(self, name: str) -> None:
        """Raises BadRequest for a name that no voice can have, or that one has."""
        if not NAME.fullmatch(name):
            raise BadRequest(f"a voice cannot be called {name!r:.100}: {NAMED}")
        if self._kept.has(voice_id(name)):
            raise BadRequest(f"there is a voice {name!r:.100}: delete it first, or take another name")

    def add(self, name: str, audio: Audio, text: str, consent: str) -> StoredVoice:
        """Keep a recording at RATE. Raises BadRequest for what cannot be kept, and UnknownRecording for a consent."""
        self.check_name(name)
        if len(text) > MOST_TEXT or len(consent) > MOST_TEXT:
            raise BadRequest(f"the text of a voice and its consent have at most {MOST_TEXT} characters each")
        if consent.startswith(f"{CONSENT}_"):
            self.consent(consent)
        check_recording(audio)
        pcm = pcm_of(audio.samples)
        seconds, digest = round(audio.duration, 3), hashlib.sha256(pcm).hexdigest()
        voice = StoredVoice(voice_id(name), name, int(time.time()), seconds, text, consent, digest)
        self._kept.keep(voice, pcm, MOST_KEPT)
        return voice

    def remove(self, name: str) -> str:
        """Delete the voice with this name or id, also where its files are damaged. Returns its id.

        Raises UnknownRecording.
        """
        id = voice_id(name)
        if not self._kept.has(id) or not self._kept.remove(id):
            raise self._unknown(name)
        return id

    def _unknown(self, name: str) -> UnknownRecording:
        return UnknownRecording(f"no stored voice {name!r:.100}; stored are: {listed(name, self.names(), VOICES)}")

    # --- consents ---

    def consents(self) -> list[StoredConsent]:
        """The consents, the oldest first."""
        return sorted(self._kept.records(CONSENT, StoredConsent), key=lambda consent: (consent.created_at, consent.id))

    def consent(self, id: str) -> StoredConsent:
        """Raises UnknownRecording."""
        found = self._kept.record(id, StoredConsent) if id.startswith(f"{CONSENT}_") else None
        if found is None:
            known = listed(id, (consent.id for consent in self.consents()), CONSENTS)
            raise UnknownRecording(f"no consent {id!r:.100}; stored are: {known}")
        return found

    def add_consent(self, name: str, language: str, audio: Audio) -> StoredConsent:
        """Keep the recording of a consent at RATE. Raises BadRequest."""
        check_label(name)
        check_recording(audio)
        consent = StoredConsent(f"{CONSENT}_{secrets.token_hex(12)}", name, int(time.time()), language)
        self._kept.keep(consent, pcm_of(audio.samples), MOST_KEPT)
        return consent

    def rename_consent(self, id: str, name: str) -> StoredConsent:
        """Raises BadRequest and UnknownRecording."""
        check_label(name)
        consent = replace(self.consent(id), name=name)
        self._kept.change(consent)
        return consent

    def remove_consent(self, id: str) -> None:
        """Delete a consent. Raises UnknownRecording, and BadRequest while a voice stands on it."""
        self.consent(id)
        if needing := [voice.name for voice in self.voices() if voice.consent == id]:
            raise BadRequest(f"the consent {id} is that of the voice {needing[0]!r}: delete the voice first")
        self._kept.remove(id)


def default_folder(config: Config) -> Path:
    """The folder of voices: from the config, else $SPEECHMLX_VOICE_FOLDER, else in the user's data folder."""
    if config.voice_folder is not None:
        return config.voice_folder
    if chosen := os.environ.get("SPEECHMLX_VOICE_FOLDER"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("speechmlx", appauthor=False) / "voices"


def with_voices(catalog: Catalog, config: Config, store: VoiceStore) -> Catalog:
    """`catalog`, whose models that speak know the voices of `store` and the names that the config gives to voices."""
    meant = {spelt(name): voice for name, voice in config.voices.items()}

    def known(row: Model) -> Model:
        if row.kind not in (Kind.TTS, Kind.S2S):
            return row
        return replace(row, voices=replace(row.voices, kept=store, meant=meant))

    rows = tuple(map(known, catalog.rows))
    return replace(catalog, rows=rows, admitted=lambda: tuple(map(known, catalog.admitted())))


def voice_id(name: str) -> str:
    """The id of the voice with this name, or the name if it is an id. Case and what joins words do not count."""
    name = unicodedata.normalize("NFC", name.strip())
    if name.startswith(f"{VOICE}_") and ID.fullmatch(name):
        return name
    return f"{VOICE}_{hashlib.sha256(spelt(name).encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


def reference(audio: Audio, text: str) -> ReferenceVoice:
    """A voice to imitate for one request. The same samples have the same id."""
    found = hashlib.sha256(b"%d:" % audio.rate)
    found.update(audio.samples.tobytes())
    return ReferenceVoice(audio, text, found.hexdigest())


def check_recording(audio: Audio) -> None:
    """Raises BadRequest for a recording that is too short or too long, or that is silent."""
    assert audio.rate == RATE
    if not LEAST <= audio.duration <= MOST:
        is_long = audio.duration > MOST
        raise BadRequest(
            f"the recording is too {'long' if is_long else 'short'}: {LEAST:g} to {MOST:g} s of one person who speaks"
        )
    if abs(audio.samples).max() <= SILENT:
        raise BadRequest("the recording is silent: it must hold one person who speaks")


def check_label(name: str) -> None:
    """Raises BadRequest for a name that no consent can have."""
    if not name.strip() or len(name) > LABEL or not name.isprintable():
        raise BadRequest(f"a consent cannot be called {name!r:.100}: a name has 1 to {LABEL} printable characters")


def check_free(name: str, catalog: Catalog) -> None:
    """Raises BadRequest for a name that means a model's own voice, another service's, or a model."""
    key = spelt(name)
    owner = next((row.name for row in catalog.all_rows if row.voices.owns(key)), None)
    if owner is None and PRESETS.fullmatch(key):
        owner = "other services"
    if owner is not None:
        raise BadRequest(f"{name!r:.100} is a voice of {owner} already: take another name")
    try:
        model = catalog.resolve(name)
    except UnknownModel:
        return
    raise BadRequest(f"{name!r:.100} is the model {model.name}: take another name")
