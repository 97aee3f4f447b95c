"""Reference numbers for tests/engines/test_silero.py: Silero VAD's ONNX export, frame by frame.

python scripts/parity/silero.py SILERO_ONNX JFK_WAV > tests/engines/data/silero.json (needs onnxruntime, soundfile)
"""

import json
import sys

import numpy as np
import onnxruntime
import soundfile

FRAME, CONTEXT = 512, 64

if __name__ == "__main__":
    session = onnxruntime.InferenceSession(sys.argv[1])
    samples, rate = soundfile.read(sys.argv[2], dtype="float32")
    assert rate == 16000
    padded = np.concatenate([np.zeros(CONTEXT, np.float32), samples, np.zeros(-len(samples) % FRAME, np.float32)])
    state, values = np.zeros((2, 1, 128), np.float32), []
    for start in range(0, len(padded) - CONTEXT, FRAME):
        window = padded[None, start : start + CONTEXT + FRAME]
        value, state = session.run(None, {"input": window, "state": state, "sr": np.array(rate, np.int64)})
        values.append(round(float(value[0, 0]), 6))
    json.dump(values, sys.stdout)
