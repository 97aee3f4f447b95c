"""Conversation items: parse the JSON of a client to an Item, and format an Item as JSON in either dialect."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from speechmlx.audio.live_format import AudioFormat
from speechmlx.audio.pcm import to_pcm16
from speechmlx.conversation.items.item import Item, Part, new_id
from speechmlx.protocols.openai_realtime.schema import Dialect, Json, Refused, object_of, of, one_of, required

TEXTS = ("input_text", "output_text", "text")
AUDIOS = ("input_audio", "output_audio", "audio")
IMAGE = "input_image"
KINDS = {"user": (*AUDIOS, IMAGE), "assistant": AUDIOS}
"""Types of content part besides text that a message may have, by role."""
URL_SAFE = str.maketrans("-_", "+/")
ID = re.compile(r"[^\s\x00-\x1f]{1,128}")


def read_item(fields: Mapping[str, Any], format: AudioFormat, param: str = "item") -> Item:
    """Parse a client's item, whose audio is in `format`. An id in it is kept. Raises Refused."""
    kind = one_of("message", "function_call", "function_call_output")(
        required(fields, "type", str, f"{param}."), f"{param}.type"
    )
    id = fields.get("id")
    if id is None:
        id = new_id("item")
    elif not ID.fullmatch(of(str)(id, f"{param}.id")) or id == "root":
        raise Refused(f"Invalid '{param}.id': expected 1 to 128 characters without spaces.", param=f"{param}.id")
    if kind == "message":
        role = one_of("user", "assistant", "system")(required(fields, "role", str, f"{param}."), f"{param}.role")
        content = required(fields, "content", list, f"{param}.")
        parts = tuple(_read_part(part, role, format, f"{param}.content[{place}]") for place, part in enumerate(content))
        return Item(id=id, role=role, parts=parts)
    call_id = required(fields, "call_id", str, f"{param}.")
    if kind == "function_call_output":
        return Item(id=id, kind="output", call_id=call_id, output=required(fields, "output", str, f"{param}."))
    return Item(
        id=id,
        kind="call",
        role="assistant",
        call_id=call_id,
        name=required(fields, "name", str, f"{param}."),
        arguments=required(fields, "arguments", str, f"{param}."),
    )


def _read_part(value: Any, role: str, format: AudioFormat, param: str) -> Part:
    """Parse one content part. Its audio becomes mono PCM16. Raises Refused."""
    fields = of(dict)(value, param)
    kind = required(fields, "type", str, f"{param}.")
    one_of(*TEXTS, *KINDS.get(role, ()))(kind, f"{param}.type")
    if kind in TEXTS:
        return Part("text", required(fields, "text", str, f"{param}."))
    if kind == IMAGE:
        checks = {"image_url": of(str), "detail": one_of("auto", "low", "high")}
        return Part("image", image=object_of(checks, "image_url")(fields, param))
    transcript = fields.get("transcript")
    if transcript is not None:
        of(str)(transcript, f"{param}.transcript")
    audio = fields.get("audio")
    data = None if audio is None else decode_base64(of(str)(audio, f"{param}.audio"), f"{param}.audio")
    if data is None and transcript is None:
        raise Refused(f"Missing required parameter: '{param}.audio'.", "missing_required_parameter", f"{param}.audio")
    if data is None:
        return Part("audio", transcript)
    if len(data) % format.width:
        raise Refused(f"Invalid '{param}.audio': half of its last sample is missing.", param=f"{param}.audio")
    if format.encoding != "pcm16":
        data = to_pcm16(format.decode(data))
    return Part("audio", transcript, data, format.rate, len(data) / 2 / format.rate)


def decode_base64(text: str, param: str) -> bytes:
    """Decode base64. Line breaks, the URL-safe alphabet and missing padding are accepted. Raises Refused."""
    letters = "".join(text.split()).translate(URL_SAFE)
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refused(f"Invalid '{param}': expected base64-encoded audio.", param=param) from None


def item_json(item: Item, dialect: Dialect, with_audio: bool = False) -> Json:
    """An item as JSON in `dialect`. `with_audio`: include its audio as base64."""
    common: Json = {"id": item.id, "object": "realtime.item", "status": item.status}
    if item.kind == "call":
        call = {"call_id": item.call_id, "name": item.name, "arguments": item.arguments}
        return {**common, "type": "function_call", **call}
    if item.kind == "output":
        return {**common, "type": "function_call_output", "call_id": item.call_id, "output": item.output}
    content = [_part_json(item, part, dialect, with_audio) for part in item.parts]
    return {**common, "type": "message", "role": item.role, "content": content}


def _part_json(item: Item, part: Part, dialect: Dialect, with_audio: bool) -> Json:
    side = "input_" if item.role != "assistant" else "output_" if dialect == "ga" else ""
    if part.image is not None:
        return {"type": IMAGE, **part.image}
    if part.kind == "text":
        return {"type": f"{side}text", "text": part.text or ""}
    # Some clients' schemas require the key even if there is no transcript.
    content: Json = {"type": f"{side}audio", "transcript": part.text}
    if with_audio and part.pcm16 is not None:
        content["audio"] = base64.b64encode(part.pcm16).decode()
    return content
