"""Language models: chats, checkpoints of mlx-lm (quantised or not), and the engine that answers requests in a batch."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from speechmlx.engines import LoadOptions
from speechmlx.engines.finite import raise_first
from speechmlx.engines.llm.chat import Chat
from speechmlx.engines.llm.checkpoint import read_model
from speechmlx.engines.llm.engine import LanguageModelEngine
from speechmlx.engines.lm.head import sharpen_head
from speechmlx.engines.step_size import StepSize
from speechmlx.engines.weights import read_config, settle
from speechmlx.types import Generate, Message, Progress

CONTEXT = 4096
"""Tokens of prompt and answer together, for a checkpoint that does not name its limit."""
FIRST_CHUNK = {"cpu": 64, "gpu": 32}
LEAST_CHUNK = {"cpu": 64, "gpu": 16}
MOST_CHUNK = 512
"""Tokens of a prompt read in a step: the first time, at least and at most, all powers of two. In between they follow
the time that steps take. On Linux and MLX's CPU backend a token of SmolLM2's prompt takes 30 % longer in chunks of 32
than of 64, and 7 % less in chunks of 128, so a CPU keeps 64 even where a step is long. Metal is unmeasured."""
MAX_BATCH = 8


def load(folder: Path, options: LoadOptions) -> Generator[Progress, None, LanguageModelEngine]:
    """`folder` is an mlx-lm checkpoint with a tokenizer.json and a chat template. Raises ModelUnavailable.

    On a CPU all weights become float32, quantised ones too: other types are slow there. On a GPU they stay as they are,
    but for a last layer in bfloat16 (`sharpen_head`).
    """
    config = read_config(folder)
    chat = Chat(folder)
    yield Progress("load", 0, 1, "tokenizer")
    on_cpu = options.device == "cpu"
    model = read_model(folder, config, dequantise=on_cpu)
    if not on_cpu:
        sharpen_head(model)
    yield Progress("load", 0, 1, "network")
    weights = yield from settle(dict(tree_flatten(model.parameters())), mx.float32 if on_cpu else None)
    model.load_weights(list(weights.items()))
    context = min(_context(config), options.context)
    chunk = StepSize(FIRST_CHUNK[options.device], LEAST_CHUNK[options.device], MOST_CHUNK)
    engine = LanguageModelEngine(model, chat, context, chunk, MAX_BATCH, on_gpu=not on_cpu)
    if options.warm_up:
        yield from _warm_up(engine, on_cpu)
    return engine


def _context(config: Mapping[str, Any]) -> int:
    """Tokens that the model can attend to. Multimodal checkpoints name it in `text_config`."""
    inner = config.get("text_config", {})
    return int(config.get("max_position_embeddings") or inner.get("max_position_embeddings") or CONTEXT)


def _warm_up(engine: LanguageModelEngine, on_cpu: bool) -> Generator[Progress, None, None]:
    """Answer two chats, so that the network has run on a prompt and on a batch.

    A GPU also compiles how tokens are drawn. There the first chat is two tokens ahead when the other joins it.
    """
    settings: dict[str, Any] = {"max_tokens": 2} if on_cpu else {"max_tokens": 4, "temperature": 1.0, "top_p": 0.9}
    chats = [Generate(messages=(Message("user", text),), **settings) for text in ("Hi.", "Hello there.")]
    seats = [engine.begin(chat) for chat in chats]
    total = step = 0
    while any(not seat.finished for seat in seats):
        total += 1
        yield Progress("warm_up", step, max(total, 6))
        raise_first(engine.step([seat for seat in seats if not seat.finished]))
        step += 1
    for seat in seats:
        engine.end(seat)
    engine.forget_prefixes()
