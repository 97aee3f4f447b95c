"""A frame of Higgs Audio 3 beside mlx-audio's batch session: its network in both, with small random weights."""

from __future__ import annotations

from functools import partial
from typing import Any

import frames
import mlx.core as mx
import numpy as np
from report import Row
from support.frame_steps import step

from speechmlx.engines.mlx_audio import package
from speechmlx.engines.mlx_audio.higgs.frames import HiggsDrawing, HiggsLoop, HiggsRow, HiggsShape

PROMPT = 24
"""Positions before the first frame."""
DRAWING = HiggsDrawing(0.9, 50, 0.95)
SIZES = {"num_hidden_layers": 36, "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16,
         "hidden_size": 32, "intermediate_size": 64, "vocab_size": 300, "max_position_embeddings": 512}  # fmt: skip
"""As many layers as the published model has; counts do not depend on widths."""


def model() -> Any:
    module = package.family("tts", "higgs_audio_v3")
    mx.random.seed(0)
    made = module.Model(module.ModelConfig.from_dict({"text_config": SIZES}))
    mx.eval(made.parameters())
    return made


def prompt(number: int) -> mx.array:
    return mx.random.normal((PROMPT, SIZES["hidden_size"]), key=mx.random.key(number))


def ours(requests: int) -> frames.Stepper:
    network = model()
    loop = HiggsLoop(network, HiggsShape.of(network.config), pipelined=True)
    rows = [HiggsRow(DRAWING, random=np.random.default_rng(number)) for number in range(requests)]
    for number, row in enumerate(rows):
        loop.join(row)
        loop.read(row, prompt(number), last=True)
    return lambda: step(loop, rows)


def peer(requests: int) -> frames.Stepper:
    from mlx_audio.tts.continuous import TTSBatchItem, TTSBatchOptions

    network = model()
    network._build_prompt_embeddings = lambda text, references: (prompt(int(text))[None], PROMPT)
    options = TTSBatchOptions(max_batch_size=requests, max_tokens=10_000, temperature=DRAWING.temperature,
                              top_k=DRAWING.top_k, top_p=DRAWING.top_p)  # fmt: skip
    session = network.create_tts_batch_session(options)
    session.add([TTSBatchItem(sequence_id=number, text=str(number)) for number in range(requests)])
    session.step()
    step: frames.Stepper = session.step
    return step


def rows() -> list[Row]:
    found = list[Row]()
    for requests in (1, 4):
        both = {"ours": partial(ours, requests), "mlx-audio": partial(peer, requests)}
        found += frames.counted(f"Higgs Audio 3, {requests} request{'s' * (requests > 1)}", both)
    return found
