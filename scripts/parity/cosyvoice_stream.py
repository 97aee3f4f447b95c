"""Reference numbers for tests/engines/cosyvoice: what CosyVoice 2 and 3 say of a text that comes bit by bit.

python -P scripts/parity/cosyvoice_stream.py OUT_FILE COSYVOICE (a source tree of CosyVoice; needs torch and
transformers 4.51.3). Small language models with weights made from their names draw the likeliest speech token each
time, in the layout of text and speech that the reference makes for its training. While text comes, the reference's own
inference draws the same ones, which is checked here; after the end of the text it reads the last speech token a second
time, and leaves out speech of a recording that is not read by then, so the rest is compared with the layout alone.
"""

import json
import random
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support.small_checkpoints import made

SPEECH = 6561
MANY = 40
"""Tokens that are drawn after the text has ended."""
CASES = {
    "speaker": {"said": 0, "heard": 0, "parts": [3, 4, 4, 2]},
    "recording": {"said": 12, "heard": 50, "parts": [2, 5, 6, 5, 4]},
    "short": {"said": 6, "heard": 20, "parts": [1, 1, 1]},
}
"""Text and speech tokens of a recording, and the text tokens that come each time."""
TOLD = {"second": (), "third": (7, 8, 151_646)}
"""What stands before the text."""


def import_reference(folder: str) -> Any:
    from transformers import Qwen2ForCausalLM  # noqa: F401

    for name in ("torchaudio", "torchaudio.compliance", "torchaudio.compliance.kaldi", "onnxruntime"):
        sys.modules[name] = types.ModuleType(name)
    sys.modules["torchaudio.compliance"].kaldi = sys.modules["torchaudio.compliance.kaldi"]  # type: ignore[attr-defined]
    sys.path[:0] = [folder]
    from cosyvoice.llm import llm

    return llm


def whole(seed: int, most: int, count: int) -> list[int]:
    return [int(n) for n in np.random.RandomState(seed).randint(0, most, (1, count))[0]]


def model_of(llm: Any, generation: str) -> Any:
    """The reference's model, which draws the likeliest token that has a sound."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    base = llm.Qwen2LM if generation == "second" else llm.CosyVoice3LM

    class Encoder(llm.Qwen2Encoder):  # type: ignore[misc]
        def __init__(self, config: Qwen2Config) -> None:
            torch.nn.Module.__init__(self)
            self.model = Qwen2ForCausalLM(config)

    def sampling_ids(self: Any, scores: torch.Tensor, *_: Any, **__: Any) -> int:
        return int(scores[:SPEECH].argmax())

    kind = type(base.__name__, (base,), {"sampling_ids": sampling_ids})
    config = Qwen2Config(
        vocab_size=200 if generation == "second" else 151_700, hidden_size=32, intermediate_size=48,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=32768,
        rope_theta=1e6, rms_norm_eps=1e-6, tie_word_embeddings=True,
    )  # fmt: skip
    model = kind(32, 32, SPEECH, Encoder(config), None)
    state = model.state_dict()
    for name, tensor in state.items():
        state[name] = torch.from_numpy(made(name, tuple(tensor.shape)))
    model.load_state_dict(state)
    return model.eval()


def inferred(model: Any, told: tuple[int, ...], case: dict[str, Any]) -> list[int]:
    """The speech tokens that the reference gives before the text ends."""
    found: list[int] = []
    is_ended = False

    def text() -> Iterator[torch.Tensor]:
        nonlocal is_ended
        rest = whole(21, 200, sum(case["parts"]))
        for count in case["parts"]:
            yield torch.tensor([rest[:count]])
            rest = rest[count:]
        is_ended = True

    said, heard = ([*told, *whole(22, 200, case["said"])], whole(23, SPEECH, case["heard"]))
    given = [torch.tensor([one], dtype=torch.long) for one in (said, heard)]
    lengths = [torch.tensor([one.shape[1]]) for one in given]
    for token in model.inference_bistream(text(), given[0], lengths[0], given[1], lengths[1], torch.zeros(0, 192)):
        if is_ended:
            return found
        found.append(token)
    return found


def likeliest(model: Any, told: tuple[int, ...], case: dict[str, Any], count: int) -> list[int]:
    """The first `count` speech tokens where text and speech are laid out as for training."""
    text = [*whole(22, 200, case["said"]), *whole(21, 200, sum(case["parts"]))]
    heard, found = whole(23, SPEECH, case["heard"]), list[int]()
    marks = model.speech_embedding.weight if told else model.llm_embedding.weight
    embed = model.llm.model.model.embed_tokens
    before, words = (torch.tensor([one], dtype=torch.long) for one in (told, text))
    while len(found) < count:
        speech = [*heard, *found, *[0] * (3 * len(text) + 1)]  # what comes later changes nothing
        random.seed(1)  # its first number is below a half, which stands for text among speech
        sounds = torch.tensor([speech], dtype=torch.long)
        target, given, _ = model.prepare_lm_input_target(
            marks[model.sos][None, None], words, embed(words), torch.tensor([len(text)]),
            marks[model.task_id][None, None], sounds, model.speech_embedding(sounds), torch.tensor([len(speech)]),
            before, embed(before), torch.tensor([len(told)]),
        )  # fmt: skip
        places = [place for place, token in enumerate(target[0].tolist()) if 0 <= token < SPEECH]
        hidden = model.llm.model.model(inputs_embeds=given).last_hidden_state
        scores = model.llm_decoder(hidden)[0, places[len(heard) + len(found)], :SPEECH]
        found.append(int(scores.argmax()))
    return found


@torch.inference_mode()
def main(out: str, folder: str) -> None:
    llm = import_reference(folder)
    results: dict[str, dict[str, Any]] = {}
    for generation, told in TOLD.items():
        model = model_of(llm, generation)
        for name, case in CASES.items():
            # The third one's own inference draws speech before it has read any text, where no recording is given.
            known = inferred(model, told, case) if case["heard"] or not told else []
            found = likeliest(model, told, case, len(known) + MANY)
            assert found[: len(known)] == known, (generation, name)
            results[f"{generation} {name}"] = {"told": told, **case, "known": len(known), "tokens": found}
    Path(out).write_text(json.dumps(results) + "\n")
    print({name: (len(one["tokens"]), one["known"]) for name, one in results.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
