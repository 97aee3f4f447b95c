"""Speech with known words for the recognition benchmark: recorded clips, and sentences spoken by Kokoro, kept."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).parents[1]))
from support import clips
from support.engine_runs import result

from speechmlx.models import catalog, store

RATE = 16_000
VOICES = ("af_heart", "am_michael", "bf_emma", "bm_george", "af_bella", "am_puck")
SENTENCES = (
    "The ferry to the island leaves at a quarter past seven, and the last one back is at ten.",
    "She opened the old wooden box and found a bundle of letters tied with a blue ribbon.",
    "Most of the people in the village earn their living from fishing or from small farms.",
    "If the weather holds, we will walk along the ridge and have lunch beside the lake.",
    "The committee decided to postpone the vote until every member had read the report.",
    "Please remember to water the tomatoes in the morning, before the sun becomes too strong.",
    "He had never seen so many stars, and for a while nobody said a word.",
    "The museum keeps a collection of maps that were drawn by hand three hundred years ago.",
    "Turn left at the bakery, follow the canal for half a mile, and you will see the bridge.",
    "Our neighbour plays the piano every evening, but only after his children are asleep.",
    "The engine made a strange noise, then it stopped, and the boat drifted toward the rocks.",
    "There is a small library near the station where travellers can leave books for each other.",
    "It takes about forty minutes to bake the bread, and another hour for it to cool.",
    "The teacher asked them to describe, in their own words, how rain is formed.",
    "A storm in the night had broken the fence, and the sheep were all over the road.",
    "They bought the house because of the garden, although the roof needed to be repaired.",
    "The train was late again, so we drank coffee on the platform and talked about the past.",
    "Nobody knows exactly when the tower was built, but it appears in a painting from that time.",
)
PAUSES = (0.4, 0.9, 0.6, 1.6)


@dataclass(frozen=True)
class Recording:
    """Mono float32 `samples` at 16 kHz, and the words said in it."""

    samples: np.ndarray
    words: str

    @property
    def seconds(self) -> float:
        return len(self.samples) / RATE


def clip(name: str) -> Recording:
    samples, rate = soundfile.read(clips.path(name), dtype="float32")
    assert rate == RATE, f"{name} is at {rate} Hz"
    return Recording(samples, (clips.CLIPS | clips.VOICES)[name].words)


def spoken() -> list[Recording]:
    """Each of SENTENCES in Kokoro's voices, in turn."""
    said = say([(VOICES[index % len(VOICES)], text) for index, text in enumerate(SENTENCES)])
    return [Recording(samples, text) for samples, text in zip(said, SENTENCES, strict=True)]


def say(wanted: list[tuple[str, str]]) -> list[np.ndarray]:
    """Each (voice, text) at 16 kHz, from the cache folder or spoken by Kokoro now, which takes some seconds each."""
    folder = store.cache_folder() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{hashlib.sha256(f'{v} {t}'.encode()).hexdigest()[:16]}.flac" for v, t in wanted]
    if any(not path.is_file() for path in paths):
        _speak([(path, voice, text) for path, (voice, text) in zip(paths, wanted, strict=True) if not path.is_file()])
    return [soundfile.read(path, dtype="float32")[0] for path in paths]


def _speak(wanted: list[tuple[Path, str, str]]) -> None:
    from speechmlx.engines import LoadOptions, cpu, kokoro
    from speechmlx.types import Chunk, NamedVoice, Speak

    cpu.install()
    folder = store.fetch(catalog.CATALOG.resolve("kokoro-82m"), store.cache_folder())
    engine = result(kokoro.load(folder, LoadOptions()))
    for path, voice, text in wanted:
        said = [event for event in engine.run(Speak(text=text, voice=NamedVoice(voice))) if isinstance(event, Chunk)]
        pcm = np.frombuffer(b"".join(chunk.pcm16 for chunk in said), "<i2").astype(np.float32) / 32768
        arriving = path.with_suffix(".part")
        soundfile.write(arriving, soxr.resample(pcm, said[0].rate, RATE), RATE, format="FLAC")
        arriving.replace(path)


def long_file(seconds: float) -> Recording:
    """Clips and sentences one after another, in an order that does not repeat, with pauses between them."""
    pool = [*map(clip, ("jfk", "beckett", "librispeech")), *spoken()]
    draw = np.random.default_rng(11)
    parts: list[np.ndarray] = []
    words: list[str] = []
    length = 0
    while length < seconds * RATE:
        for index in draw.permutation(len(pool)):
            if length >= seconds * RATE:
                break
            pause = np.zeros(round(PAUSES[len(words) % len(PAUSES)] * RATE), np.float32)
            parts += [pool[index].samples, pause]
            words.append(pool[index].words)
            length += len(pool[index].samples) + len(pause)
    return Recording(np.concatenate(parts), " ".join(words))


def requests(count: int, seconds: float) -> list[Recording]:
    """`count` recordings of about `seconds`, of whole sentences and all different."""
    pool = spoken()
    found = []
    for first in range(count):
        one, other = pool[2 * first % len(pool)], pool[(2 * first + 1) % len(pool)]
        samples = np.concatenate([one.samples, np.zeros(RATE // 2, np.float32), other.samples])
        rest = max(0, round(seconds * RATE) - len(samples))
        found.append(Recording(np.pad(samples, (0, rest)), f"{one.words} {other.words}"))
    return found
