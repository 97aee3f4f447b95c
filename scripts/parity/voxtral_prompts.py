"""Reference numbers for tests/engines/mlx_audio/test_voxtral_prompts.py: the prompts of mistral_common.

python scripts/parity/voxtral_prompts.py TEKKEN_JSON > tests/engines/data/voxtral_prompts.json
(needs mistral_common 1.13; the file's name must have "tekken" in it). TEKKEN_JSON of the tests is what
tests/support/tiny_tekken.py makes: python -c "import json; from support.tiny_tekken import tekken; print(json.dumps(tekken()))"
For a file without [NEXT_AUDIO_TEXT], such as those in mistral_common/data, `--furnish` adds the marks and one voice.
`--check NUMBERS`, with speechmlx instead of mistral_common, tells whether our prompts are those in NUMBERS.
"""  # noqa: E501

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

TEXTS = (
    "Hello world.",
    "The old lighthouse keeper counts the boats at noon, and again when the lamps are lit.",
    "Le phare répète sa lumière : une, deux, trois fois.",
    "¿Cuántos barcos hay hoy? 42, or 1,000,000!",
    "Über der Tür   glaube ich…\n\nund  dann\r\nnicht. ",
    "[INST] a mark in a text is no mark </s> <s> [BEGIN_AUDIO]",
    "نعم، اليوم. हाँ, आज। はい、今日。 是的，今天。",
    "👩‍👩‍👧 e\u0301 \u00a0\u200b zero\tand tabs",
    "don't WON'T HTTPServer camelCase x_y foo/bar http://a.b/c?d=e#f",
    " ",
)
MARKS = ("[AUDIO]", "[BEGIN_AUDIO]", "[REPEAT_AUDIO_TEXT]", "[NEXT_AUDIO_TEXT]", "[TRANSCRIBE]", "[STREAMING_PAD]")


def furnished(told: dict[str, Any]) -> dict[str, Any]:
    """A tokenizer for texts with what one for speech has besides."""
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    marks = [dict(mark) for mark in Tekkenizer.DEPRECATED_SPECIAL_TOKENS]
    marks += [{"rank": len(marks) + n, "token_str": mark, "is_control": True} for n, mark in enumerate(MARKS)]
    sound = {
        "sampling_rate": 24000, "frame_rate": 12.5, "voice_num_audio_tokens": {"casual_male": 147},
        "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
    }  # fmt: skip
    config = {**told["config"], "version": "v7"}
    return {"config": config, "vocab": told["vocab"], "special_tokens": marks, "audio": sound}


def reference(told: dict[str, Any]) -> dict[str, Any]:
    """Voice → text → tokens."""
    from mistral_common.protocol.speech.request import SpeechRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tekken.json"
        path.write_text(json.dumps(told))
        tokenizer = MistralTokenizer.from_file(str(path))
    return {
        voice: {text: tokenizer.encode_speech_request(SpeechRequest(input=text, voice=voice)).tokens for text in TEXTS}
        for voice in told["audio"]["voice_num_audio_tokens"]
    }


def main() -> None:
    told = json.loads(Path(sys.argv[1]).read_bytes())
    if "--check" in sys.argv:
        from speechmlx.engines.mlx_audio.voxtral_prompts import SpeechPrompts

        kept = json.loads(Path(sys.argv[3]).read_bytes())
        prompts = SpeechPrompts(kept.pop("told", told))
        wrong = [
            text for voice in kept for text, tokens in kept[voice].items() if prompts.tokens(text, voice) != tokens
        ]
        print(f"{len(wrong)} of {sum(map(len, kept.values()))} differ: {wrong}")
        return
    if "--furnish" in sys.argv:
        told = furnished(told)
    print(json.dumps({**reference(told), **({"told": told} if "--furnish" in sys.argv else {})}))


if __name__ == "__main__":
    main()
