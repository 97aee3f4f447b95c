"""CosyVoice 1's language model: encoded text, a speaker, and speech tokens of a recording → those that follow."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import mlx.core as mx
import numpy as np

from speechmlx.engines.cosyvoice.generation import Generation
from speechmlx.engines.cosyvoice.speech_model import SpeechPrompt
from speechmlx.engines.parts.chunked_attention import joined
from speechmlx.engines.parts.relative_encoder import EPSILON, by_key, distances, embedded, encoded, queries_and_keys
from speechmlx.engines.parts.tensors import Tensors


class EncodedTextModel:
    """Tokens of the table [b, t] → logits of the next speech token [b, t, generation.logits].

    The table has speech and the two marks. Text comes through an encoder: `given` is what a prompt is read as.
    """

    def __init__(self, tensors: Tensors, generation: Generation) -> None:
        self._tensors, self._generation = tensors, generation
        self._dtype = tensors["table.weight"].dtype
        self._heads = tensors["llm.encoders.0.self_attn.pos_bias_u"].shape[0]
        self._places: list[mx.array] = []
        """Of each layer: what stands for the distances between a token and another one [heads, n, d]."""
        self._longest = 0

    @property
    def layers(self) -> range:
        """For the cache of keys and values."""
        return range(self._tensors.count("llm.encoders"))

    def prepare(self, longest: int, together: int) -> Generator[None, None, None]:
        """Compute what depends on distances alone, for sequences of `longest` tokens, `together` of them in a call."""
        self._longest, self._places = longest, []
        for number in self.layers:
            attention = self._tensors.under(f"llm.encoders.{number}.self_attn")
            self._places.append(distances(attention, longest - 1, longest + together - 1, self._heads))
            mx.eval(self._places[-1])
            yield

    def given(self, prompt: SpeechPrompt) -> mx.array:
        """What `prompt` is read as [1, n, c], for its `tokens`. It is not computed yet."""
        tensors, table = self._tensors, self._tensors["table.weight"]
        text = tensors["text_embedding.weight"][mx.array([[*prompt.before, *prompt.text]])]
        encoder = tensors.under("text_encoder")
        heads = encoder["encoders.0.self_attn.pos_bias_u"].shape[0]
        x = encoded(encoder, "encoders", embedded(encoder, "embed", text), heads, chunk=1)
        parts = [tensors.linear("text_encoder_affine_layer", encoder.norm("after_norm", x))[0]]
        if prompt.speaker is not None:
            direction = prompt.speaker / max(float(np.linalg.norm(prompt.speaker)), 1e-12)
            speaker = mx.array(direction.astype(np.float32)).astype(self._dtype)
            parts.insert(0, tensors.linear("spk_embed_affine_layer", speaker)[None])
        begin, *after = self._generation.begin, self._generation.task, *prompt.speech
        return mx.concatenate([table[mx.array([begin])], *parts, table[mx.array(after)]])[None]

    def __call__(self, tokens: mx.array, cache: list[Any], given: mx.array | None = None) -> mx.array:
        """`given` [b, t, c]: what stands for the tokens instead of the table."""
        llm = self._tensors.under("llm")
        x = self._tensors["table.weight"][tokens] if given is None else given
        x = mx.maximum(embedded(llm, "embed", x), 0)
        mask = cache[0].make_mask(x.shape[1], return_array=True, window_size=None)
        for number, layer_cache in enumerate(cache):
            layer = llm.under(f"encoders.{number}")
            x = x + self._attention(
                layer.under("self_attn"), number, layer.norm("norm1", x, EPSILON), layer_cache, mask
            )
            inner = mx.maximum(layer.linear("feed_forward.w_1", layer.norm("norm2", x, EPSILON)), 0)
            x = x + layer.linear("feed_forward.w_2", inner)
        return self._tensors.linear("llm_decoder", llm.norm("after_norm", x))

    def _attention(self, tensors: Tensors, number: int, x: mx.array, cache: Any, mask: mx.array | None) -> mx.array:
        """Over all tokens so far. Rows of a batch are padded before they begin, which leaves their distances alone."""
        content, place, keys, values = queries_and_keys(tensors, x, self._heads)
        keys, values = cache.update_and_fetch(keys, values)
        count, seen, scale = x.shape[1], keys.shape[2], keys.shape[3] ** -0.5
        positions = self._places[number][:, self._longest - seen : self._longest + count - 1]
        bias = by_key((place @ positions.swapaxes(1, 2)) * scale, seen)
        if mask is not None:
            bias = mx.where(mask, bias, -mx.inf)
        heard = mx.fast.scaled_dot_product_attention(content, keys, values, scale=scale, mask=bias)
        return tensors.linear("linear_out", joined(heard))
