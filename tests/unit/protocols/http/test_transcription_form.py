"""A transcription form: its defaults and its fields are those of `Transcribe`."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from speechmlx.models.catalog import CATALOG
from speechmlx.protocols.http.transcription_form import TranscriptionForm
from speechmlx.types import Audio, Kind, Transcribe

AUDIO = Audio(np.zeros(8, np.float32), 8000)
MODEL = next(row for row in CATALOG.rows if row.kind is Kind.ASR)
NOT_OF_A_FORM = {"model", "audio", "priority", "names", "checkpoints", "resume"}


def test_an_empty_form_is_a_request_with_its_defaults() -> None:
    assert TranscriptionForm().request(MODEL, AUDIO) == Transcribe(model=MODEL.name, audio=AUDIO)


def test_every_field_reaches_the_request() -> None:
    names = {field.name for field in fields(Transcribe)} - NOT_OF_A_FORM
    assert {field.name for field in fields(TranscriptionForm)} == names
    form = TranscriptionForm(
        language="de",
        languages=("de", "en"),
        task="translate",
        prompt="p",
        hotwords=("h",),
        prefix="So",
        temperatures=(0.4,),
        beam_size=5,
        words=True,
        logprobs=True,
        condition_on_previous_text=True,
        suppress_tokens=(7,),
        clips=((0.0, 1.0),),
        vad=False,
    )
    request = form.request(MODEL, AUDIO)
    assert {name: getattr(request, name) for name in names} == {name: getattr(form, name) for name in names}
    assert all(getattr(form, name) != getattr(TranscriptionForm(), name) for name in names)
