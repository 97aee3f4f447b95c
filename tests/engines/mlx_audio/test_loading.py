"""What is loaded, what is refused, and what is never imported, fetched or run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import pytest
from engines.mlx_audio.conftest import LoadFolder
from support import tiny_bridge
from support.engine_runs import result

from speechmlx.engines import LoadOptions, mlx_audio
from speechmlx.engines.mlx_audio import package
from speechmlx.errors import ModelUnavailable, SpeechError, WeightsDamaged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_bridge.write("stt/sensevoice", tmp_path / "whisper-parakeet")  # a name that misleads the package


def stored(folder: Path) -> int:
    """Bytes of the weights on the disk."""
    weights: dict[str, mx.array] = mx.load(str(folder / "model.safetensors"))  # type: ignore[assignment]
    return sum(array.nbytes for array in weights.values())


def change(folder: Path, edit: Callable[[dict[str, mx.array]], None]) -> None:
    weights: dict[str, mx.array] = mx.load(str(folder / "model.safetensors"))  # type: ignore[assignment]
    mx.eval(weights)
    edit(weights)
    (folder / "model.safetensors").unlink()
    mx.save_safetensors(str(folder / "model.safetensors"), weights)


def test_the_folders_name_says_nothing(folder: Path, load: LoadFolder) -> None:
    engine = load(folder)
    assert type(engine.checkpoint.model).__module__.startswith("mlx_audio.stt.models.sensevoice")
    assert engine.nbytes == stored(folder)


def test_narrow_weights_are_widened_on_a_cpu(folder: Path, cpu: LoadOptions) -> None:
    change(folder, lambda weights: weights.update({name: a.astype(mx.bfloat16) for name, a in weights.items()}))
    assert result(mlx_audio.load(folder, cpu)).nbytes == 2 * stored(folder)


@pytest.mark.parametrize(
    ("edit", "error", "says"),
    [
        (lambda w: w.pop(sorted(w)[0]), WeightsDamaged, "1 weights of the model are missing: "),
        (lambda w: w.update({sorted(w)[0]: w[sorted(w)[0]] * mx.nan}), WeightsDamaged, "not finite numbers"),
        (lambda w: w.update({sorted(w)[0]: mx.zeros(3)}), SpeechError, "shape|expects"),
    ],
)
def test_weights_that_do_not_fit(
    folder: Path, load: LoadFolder, edit: Callable[[dict[str, mx.array]], None], error: type[SpeechError], says: str
) -> None:
    change(folder, edit)
    with pytest.raises(error, match=says):
        load(folder)


@pytest.mark.parametrize("name", ["modeling.py", "weights.pth", "a/data.pkl", "pytorch_model.bin"])
def test_files_that_may_hold_code_are_refused(folder: Path, name: str, load: LoadFolder) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("raise SystemExit")
    with pytest.raises(ModelUnavailable, match=f"has '{name}', a kind of file that may hold code"):
        load(folder)


def test_code_elsewhere_is_refused(folder: Path, load: LoadFolder) -> None:
    (folder / "processor_config.json").write_text(json.dumps({"auto_map": {"AutoProcessor": "x--y.Z"}}))
    with pytest.raises(ModelUnavailable, match=r"names code of its own \(auto_map\)"):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"part": "stt", "family": "sensevoice", "rate": "x"}'])
def test_a_folder_without_its_family(folder: Path, text: str, load: LoadFolder) -> None:
    (folder / "bridge.json").write_text(text)
    with pytest.raises(ModelUnavailable, match=r"has no readable bridge\.json"):
        load(folder)


def test_a_config_of_another_family(folder: Path, load: LoadFolder) -> None:
    (folder / "config.json").write_text(json.dumps({"model_type": "sensevoice", "encoder_conf": 5}))
    with pytest.raises(ModelUnavailable, match="is not what its family expects"):
        load(folder)


def test_a_folder_without_its_tokenizer(folder: Path, load: LoadFolder) -> None:
    (folder / "tokens.json").unlink()
    with pytest.raises(ModelUnavailable, match="lacks the files of its tokenizer"):
        load(folder)


def test_a_family_that_is_not_there() -> None:
    with pytest.raises(ModelUnavailable, match="the family no_such of mlx-audio needs the package"):
        package.family("stt", "no_such")


ALONE = """
import sys, os
from speechmlx.engines.mlx_audio import package
package.family(*sys.argv[1].split("/"))
found = {name.split(".")[3] for name in sys.modules if name.startswith("mlx_audio.stt.models.")}
assert found <= {"parakeet", "nemo"}, found
assert "transformers" not in sys.modules
assert os.environ["HF_HUB_OFFLINE"] == "1"
import huggingface_hub
try:
    huggingface_hub.hf_hub_download("somebody/something", "config.json")
except Exception as error:
    assert "offline" in str(error).lower() or "LocalEntryNotFound" in type(error).__name__, error
else:
    sys.exit("it was fetched")
from transformers import dynamic_module_utils
for run in (dynamic_module_utils.get_class_from_dynamic_module,):
    try:
        run("code.Class", "somebody/something")
    except Exception as error:
        assert "code of their own" in str(error), error
    else:
        sys.exit("it ran")
from transformers.models.auto import tokenization_auto
assert tokenization_auto.get_class_from_dynamic_module is dynamic_module_utils.get_class_from_dynamic_module
"""


def test_one_family_alone_is_imported_and_nothing_is_fetched_or_run() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE, "stt/parakeet"], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
