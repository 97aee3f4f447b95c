"""The talker: text and codes of the last frame in, the state and the first code of the next frame out."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from numpy.typing import NDArray

from speechmlx.engines.parts.kv_rows import KeyValueRows
from speechmlx.engines.parts.layer_stack import read_rows, step_rows
from speechmlx.engines.qwen3_tts.layers import TalkerLayer
from speechmlx.engines.qwen3_tts.predictor import CodePredictor
from speechmlx.engines.qwen3_tts.prompt import Prompt
from speechmlx.engines.qwen3_tts.shape import TalkerShape


class TalkerStack(nn.Module):
    """The layers and the embeddings of text and of the codec's first group."""

    def __init__(self, shape: TalkerShape) -> None:
        super().__init__()
        self.layers = [TalkerLayer(shape.talker) for _ in range(shape.talker.layers)]
        self.norm = nn.RMSNorm(shape.talker.hidden, eps=shape.talker.epsilon)
        self.codec_embedding = nn.Embedding(shape.vocabulary, shape.talker.hidden)
        self.text_embedding = nn.Embedding(shape.text_vocabulary, shape.text_hidden)


class TextProjection(nn.Module):
    """Text embeddings → the talker's width."""

    def __init__(self, shape: TalkerShape) -> None:
        super().__init__()
        self.linear_fc1 = nn.Linear(shape.text_hidden, shape.text_hidden, bias=True)
        self.linear_fc2 = nn.Linear(shape.text_hidden, shape.talker.hidden, bias=True)

    def __call__(self, x: mx.array) -> mx.array:
        y: mx.array = self.linear_fc2(nn.silu(self.linear_fc1(x)))
        return y


class Talker(nn.Module):
    """The whole language-model side of a Qwen3-TTS, with the checkpoint's names of weights."""

    def __init__(self, shape: TalkerShape) -> None:
        super().__init__()
        self._shape = shape.talker
        self.model = TalkerStack(shape)
        self.text_projection = TextProjection(shape)
        self.codec_head = nn.Linear(shape.talker.hidden, shape.vocabulary, bias=False)
        self.code_predictor = CodePredictor(shape)

    def text(self, ids: mx.array) -> mx.array:
        """Ids of text tokens [n] → [n, hidden]."""
        rows: mx.array = self.text_projection(self.model.text_embedding(ids))
        return rows

    def frames(self, codes: NDArray[np.int32]) -> mx.array:
        """Codes of frames [groups, n] → the sum of their embeddings [n, hidden]."""
        first, *others = map(mx.array, codes)
        total: mx.array = self.model.codec_embedding(first)
        for embedding, group in zip(self.code_predictor.model.codec_embedding, others, strict=True):
            total = total + embedding(group)
        return total

    def embed(self, prompt: Prompt) -> mx.array:
        """The input rows of a prompt [n, hidden]."""
        rows = self.text(mx.array(prompt.text, mx.int32))
        codes = mx.array(prompt.codes, mx.int32)
        rows = rows + mx.where((codes >= 0)[:, None], self.model.codec_embedding(mx.maximum(codes, 0)), 0)
        if prompt.speaker is not None:
            place, vector = prompt.speaker
            rows[place] = rows[place] + vector.astype(rows.dtype)
        if prompt.frames is not None:
            place, frames = prompt.frames
            rows[place : place + frames.shape[1]] = rows[place : place + frames.shape[1]] + self.frames(frames)
        return rows

    def read(self, rows: mx.array, memory: KeyValueRows, row: int, at: int) -> mx.array:
        """Read a piece of a prompt [n, hidden], which begins at position `at` → the state of its end [1, hidden]."""
        state: mx.array = self.model.norm(read_rows(self._shape, self.model.layers, rows, memory, row, at))
        return state

    def join(self) -> None:
        """Put products that read the same input into one. Before the first call, after the weights have come."""
        for layer in (*self.model.layers, *self.code_predictor.model.layers):
            layer.join()

    def step(self, x: mx.array, memory: KeyValueRows, lengths: NDArray[np.int32]) -> mx.array:
        """One position of each row: inputs [rows, hidden] behind `lengths` [rows] → the states [rows, hidden]."""
        state: mx.array = self.model.norm(step_rows(self._shape, self.model.layers, x, memory, lengths))
        return state
