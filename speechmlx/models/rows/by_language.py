"""Which recognisers are defaults where the setting `languages` says what people speak. Data alone.

The order rests on what the rows say, not on measurements: whether a model streams, tells times of words, and its size.
"""

from __future__ import annotations

from speechmlx.models.spec import LanguageDefaults, RecogniserChoice

ANY = RecogniserChoice("whisper-large-v3-turbo", "it hears all languages; it tells times of words")

RECORDINGS = (
    RecogniserChoice("parakeet-tdt-0.6b-v3", "a transducer: a word takes it little work; it tells times of words"),
    RecogniserChoice(
        "qwen3-asr-1.7b-8bit",
        "it hears Chinese, Cantonese, Japanese and Korean; the aligner tells times of words of some languages",
        aligner="qwen3-forced-aligner-0.6b",
        aligned=("zh", "yue", "en", "fr", "de", "it", "pt", "ru", "es"),  # ja and ko need packages that are not here
    ),
    ANY,
)

LIVE = (
    RecogniserChoice(
        "nemotron-3.5-asr-streaming-0.6b", "it streams: it hears nothing twice, and a word comes after 0.56 s"
    ),
    RecogniserChoice(
        "parakeet-tdt-0.6b-v3", "it is in memory for recordings already; it hears the last 12 s twice a second"
    ),
    RecogniserChoice(
        "whisper-small", "the smallest that hears most languages; it hears the last seconds twice a second"
    ),
    ANY,
)

BY_LANGUAGE = {name: LanguageDefaults(RECORDINGS, LIVE) for name in ("standard", "large")}
"""A Mac with 16 GB has room for each choice beside the other models of `standard`, and one with 24 GB for `large`."""
