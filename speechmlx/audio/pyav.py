"""Workarounds for faults of PyAV."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from av.audio.frame import AudioFrame

OLD = int(av.__version__.partition(".")[0]) < 19
"""The last PyAV for Python 3.11."""
PLANES = 8
"""From this number of channels on, PyAV counts the planes of a frame wrong and reads foreign memory."""


def opened(file: BinaryIO, demuxer: str, options: dict[str, str] | None = None) -> av.container.InputContainer:
    """Open a file to decode, with ffmpeg's `options`. Tags in an unknown encoding are no error."""
    lenient: Any = {"metadata_errors": "replace"} if OLD else {}
    container: av.container.InputContainer = av.open(file, mode="r", format=demuxer, options=options, **lenient)
    return container


class Packing:
    """Converts the frames of one track so that `to_ndarray` reads them. Convert all frames of the track."""

    def __init__(self) -> None:
        self._packer = lru_cache(maxsize=1)(av.AudioResampler)

    def __call__(self, frame: AudioFrame) -> list[AudioFrame]:
        """A frame with the same samples. Raises ValueError for a channel layout that cannot be read."""
        wide = frame.format.is_planar and frame.layout.nb_channels >= PLANES
        if OLD and "(" in frame.layout.name:
            # A custom order: its table would be freed with the layout, and again with the frame.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(frame.layout))
            if wide:
                raise ValueError(f"its {frame.layout.nb_channels} channels are in an order of their own")
        if not wide:
            return [frame]
        return self._packer(frame.format.packed.name, frame.layout.name, frame.sample_rate).resample(frame)
