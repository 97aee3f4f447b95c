"""Loads the folder of a bridged model in slices, with the package's own classes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten

from speechmlx.engines import LoadOptions
from speechmlx.engines.mlx_audio import package, tree, voxtral_prompts
from speechmlx.engines.mlx_audio.cooperative import Printed
from speechmlx.engines.weights import SLICE, read_config, read_weights, settle
from speechmlx.errors import ModelUnavailable, SpeechError, WeightsDamaged
from speechmlx.types import Progress

log = logging.getLogger(__name__)

BRIDGE = "bridge.json"
"""What the conversion wrote of the family: {"part", "family", "rate", "streams"}."""
CLASSES: Mapping[str, tuple[str, str]] = {"mel_roformer": ("MelRoFormer", "MelRoFormerConfig")}
"""By family: names of its model and its configuration, where they are not Model and ModelConfig."""
SETTINGS: Mapping[str, Mapping[str, str]] = {"pocket_tts": {"tokenizer_name": "tokenizer/tokenizer.model"}}
"""By family: settings that name a row's companion, which is in a folder of its own, whatever config.json says."""
INNER: Mapping[str, str] = {"mossformer2_se": "model"}
"""By family: the part of the model that the weights are of, where they are not of the whole."""
FINISHERS: Mapping[str, Callable[[Any, Path], Any]] = {"voxtral_tts": voxtral_prompts.furnish}
"""By family: what gives its model the rest after the weights, where that is not the package's own code."""
FORBIDDEN = (".py", ".pth", ".pt", ".bin", ".pkl", ".pickle", ".ckpt", ".so", ".dylib")
"""Files that may hold code."""


READERS = (("tokenizer",), ("text_tokenizer",), ("_tokenizer", "_token_list"), ("speech_tokenizer",))
"""Parts that some families leave out, with a warning, where their files are missing; one of each is needed."""


@dataclass(frozen=True)
class BridgedModel:
    """A model of the package in memory, and what it is."""

    part: str
    """"tts", "stt", "sts", "vad" or "lid"."""
    family: str
    rate: int
    """Hz of its input, or of its output for "tts"."""
    model: Any
    nbytes: int
    folder: Path
    streams: bool
    """Whether it gives sound while it works."""
    on_gpu: bool = False


def read(folder: Path, options: LoadOptions) -> Generator[Progress, None, BridgedModel]:
    """Load `folder`. Raises ModelUnavailable for what cannot be loaded safely, WeightsDamaged for damaged weights."""
    about = _about(folder)
    config = read_config(folder)
    refuse_code(folder)
    module = package.family(about["part"], about["family"])
    yield Progress("load", 0, 1, "import")
    with redirect_stdout(Printed()):
        model, weights = _constructed(folder, module, config, about["family"])
    yield Progress("load", 0, 1, "construct")
    with redirect_stdout(Printed()):
        _fill(getattr(model, INNER.get(about["family"], ""), model), config, weights)
        del weights
    yield from settle({str(key): array for key, array in tree.weights(model).items()})
    with redirect_stdout(Printed()):
        model = _finished(module, model, folder, about["family"])
    if options.device == "cpu":
        tree.replace_weights(model, _wide)
    for progress in _settle(model):
        yield Progress("load", progress.total, progress.total)
    return BridgedModel(
        about["part"],
        about["family"],
        int(about["rate"]),
        model,
        held(model),
        folder,
        about["streams"],
        options.device == "gpu",
    )


def refuse_code(folder: Path) -> None:
    """Raises ModelUnavailable for a folder with files that may hold code, or that names code elsewhere."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix.lower() in FORBIDDEN:
            raise ModelUnavailable(
                f"the model folder {folder.name!r} has {str(name)!r}, a kind of file that may hold code"
            )
        if path.suffix == ".json" and path.name != "manifest.json" and b'"auto_map"' in path.read_bytes():
            raise ModelUnavailable(f"{str(name)!r} of the model {folder.name!r} names code of its own (auto_map)")


def held(model: Any) -> int:
    """Bytes of the weights of `model`."""
    return sum(array.nbytes for array in tree.weights(model).values())


def _wide(array: mx.array) -> mx.array:
    return array.astype(mx.float32) if array.dtype in (mx.float16, mx.bfloat16) else array


def _about(folder: Path) -> dict[str, Any]:
    try:
        about: dict[str, Any] = json.loads((folder / BRIDGE).read_bytes())
        return {
            "part": str(about["part"]),
            "family": str(about["family"]),
            "rate": int(about["rate"]),
            "streams": about["streams"] is True,
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelUnavailable(f"the model folder {folder.name!r} has no readable {BRIDGE}: {error}") from error


def _constructed(folder: Path, module: Any, config: dict[str, Any], family: str) -> tuple[Any, dict[str, mx.array]]:
    """The model without its weights, and these as the family names them."""
    companions = {name: file for name, file in SETTINGS.get(family, {}).items() if (folder / file).exists()}
    settings = {**config, **companions, "model_path": str(folder)}
    named, configured = CLASSES.get(family, ("Model", "ModelConfig"))
    try:
        form = getattr(module, configured, None)
        model = getattr(module, named)(settings if form is None else _configuration(form, settings))
        weights = read_weights(folder)
        return model, model.sanitize(weights) if hasattr(model, "sanitize") else weights
    except SpeechError:
        raise
    except Exception as error:
        raise ModelUnavailable(
            f"the model folder {folder.name!r} is not what its family expects ({type(error).__name__}: {error})"
        ) from error


def _configuration(form: Any, settings: dict[str, Any]) -> Any:
    """`settings` in the class of a family's configuration."""
    if hasattr(form, "from_dict"):
        return form.from_dict(settings)
    return form(**{field.name: settings[field.name] for field in fields(form) if field.name in settings})


def _fill(model: Any, config: dict[str, Any], weights: dict[str, mx.array]) -> None:
    """Give `model` its weights, quantised as they are. Raises WeightsDamaged where some are missing or do not fit."""
    utils = package.utils()
    utils.apply_quantization(model, config, weights, getattr(model, "model_quant_predicate", None))
    wanted = dict(tree_flatten(model.parameters()))
    given = {id(array): name for name, array in wanted.items() if name in weights}
    for name, array in wanted.items():
        if name not in weights and id(array) in given:  # a module with two names, of which the weights have one
            weights[name] = weights[given[id(array)]]
    if missing := sorted(wanted.keys() - weights.keys()):
        raise WeightsDamaged(f"{len(missing)} weights of the model are missing: {_some(missing)}")
    if wrong := [name for name, array in wanted.items() if array.shape != weights[name].shape]:
        raise WeightsDamaged(f"{len(wrong)} weights have another shape than the model: {_some(wrong)}")
    if more := sorted(weights.keys() - wanted.keys()):
        log.warning("%d weights that the model has no place for are left out: %s", len(more), _some(more))
    model.load_weights([(name, weights[name]) for name in wanted])
    model.eval()


def _finished(module: Any, model: Any, folder: Path, family: str) -> Any:
    """What the family does after loading: its tokenizer, its codec, its voices."""
    own = getattr(getattr(module, CLASSES.get(family, ("Model",))[0]), "post_load_hook", None)
    after = FINISHERS.get(family, own)
    if after is None:
        return model
    try:
        made = after(model, folder)
        for names in READERS:
            if all(getattr(made, name, None) is None for name in names) and hasattr(made, names[0]):
                raise ModelUnavailable(f"the model folder {folder.name!r} lacks the files of its {names[0].strip('_')}")
        return made
    except SpeechError:
        raise
    except ImportError as error:
        raise ModelUnavailable(f"{folder.name!r} needs the package {error.name!r}, which is not here") from error
    except Exception as error:
        raise ModelUnavailable(
            f"the model folder {folder.name!r} lacks what its family needs ({type(error).__name__}: {_short(error)})"
        ) from error


def _settle(model: Any) -> Generator[Progress, None, None]:
    """Evaluate the weights of `model` in slices."""
    arrays = list(tree.weights(model).values())
    total = max(1, sum(array.nbytes for array in arrays))
    done, pending, size = 0, list[mx.array](), 0
    for array in arrays:
        pending.append(array)
        size += array.nbytes
        done += array.nbytes
        if size >= SLICE:
            mx.eval(pending)
            pending, size = [], 0
            yield Progress("load", done, total)
    mx.eval(pending)
    yield Progress("load", total, total)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]}…"
