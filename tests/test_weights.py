"""Files of weights: what is read is what was written, and nothing else is."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import SMALL, lively_model, write_model

from mirage_env.rules import RULES_VERSION
from mirage_wm import weights
from mirage_wm.predictors import OnnxPredictor
from mirage_wm.weights import WeightsError, available, load_model, load_tensors, save_weights


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_model(tmp_path)


def change_card(file: Path, **changes: Any) -> None:
    card = file.with_suffix(".json")
    card.write_text(json.dumps({**json.loads(card.read_text()), **changes}))


def test_a_model_comes_back_as_it_was_in_half_precision(file: Path) -> None:
    model, loaded = lively_model(), load_model(file)
    assert loaded.config == SMALL
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    card, tensors = load_tensors(file)
    assert card.rules_version == RULES_VERSION
    assert card.parameters == sum(array.size for array in tensors.values())
    assert card.architecture == {"kind": "regression", **asdict(SMALL), "widths": [8, 16]}


def test_one_changed_byte_is_refused(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(WeightsError, match=r"not the file its card .* describes.*fetch it again"):
        load_model(file)


def test_a_file_cut_short_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="cut short"):
        load_model(file)


def test_weights_of_other_rules_are_refused(file: Path) -> None:
    change_card(file, rules_version=RULES_VERSION + 1)
    with pytest.raises(WeightsError, match=f"rules version {RULES_VERSION + 1}, this is version"):
        load_model(file)


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"kind": "oracle"}, "kind 'oracle'; this version knows 'regression', 'diffusion'"),
        ({"kind": "diffusion", "widths": [8, 16], "blocks": 1, "embedding": 8}, "do not fit"),
        ({"kind": "regression", "widths": [8, 16], "depth": 3}, "architecture of small"),
        ({"kind": "regression", "widths": [8, 16], "kernels": 9}, "architecture of small"),
        ({"kind": "regression"}, "architecture of small"),
        ({"kind": "regression", "widths": [8, 8], "blocks": 1, "embedding": 8}, "do not fit"),
    ],
)
def test_other_architectures_are_refused(file: Path, architecture: Any, message: str) -> None:
    change_card(file, architecture=architecture)
    with pytest.raises(WeightsError, match=message):
        load_model(file)


def test_what_is_no_safetensors_file_is_refused_even_with_its_hash(file: Path) -> None:
    file.write_bytes(b"pickle or worse")
    change_card(file, sha256=hashlib.sha256(b"pickle or worse").hexdigest())
    with pytest.raises(WeightsError, match="not a safetensors file"):
        load_model(file)


@pytest.mark.parametrize("text", [None, "not json", '{"name": "small"}', "[]"])
def test_weights_without_a_whole_card_are_refused(file: Path, text: str | None) -> None:
    card = file.with_suffix(".json")
    card.unlink() if text is None else card.write_text(text)
    with pytest.raises(WeightsError, match=r"small\.json"):
        load_model(file)


@pytest.mark.parametrize(
    "changes",
    [{"sha256": None}, {"rules_version": "1"}, {"architecture": None}, {"architecture": []}],
)
def test_a_card_of_wrong_types_is_refused(file: Path, changes: dict[str, Any]) -> None:
    change_card(file, **changes)
    with pytest.raises(WeightsError, match=rf"not a card of weights: {next(iter(changes))} must"):
        load_tensors(file)


def test_a_model_of_another_kind_is_refused_before_anything_runs_it(file: Path) -> None:
    change_card(file, architecture={"kind": "oracle"})
    with pytest.raises(WeightsError, match="kind 'oracle'"):
        load_tensors(file)


@pytest.mark.parametrize("model", [None, 5, ["v1"]])
def test_what_is_no_name_of_a_model_is_refused(model: Any) -> None:
    with pytest.raises(WeightsError, match="model must be a name or a path"):
        load_tensors(model)


def test_an_unknown_model_is_refused_with_the_names_of_those_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "FOLDERS", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(WeightsError, match=r"no model 'v9'.*: none"):
        load_model("v9")
    write_model(tmp_path / "a", "first")
    write_model(tmp_path / "b", "second")
    assert available() == ["first", "second"]
    with pytest.raises(WeightsError, match=r"no model 'v9'.*: 'first', 'second'"):
        load_model("v9")
    assert load_model("second").config == SMALL


def test_a_missing_file_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"absent\.json"):
        load_model(tmp_path / "absent.safetensors")


def test_weights_that_do_not_fit_in_half_precision_are_not_written(tmp_path: Path) -> None:
    model = lively_model()
    with torch.no_grad():
        model.unet.out.bias[0] = 1e6  # type: ignore[index]
    with (
        np.errstate(over="ignore"),
        pytest.raises(WeightsError, match=r"unet\.out\.bias of small is not finite"),
    ):
        save_weights(tmp_path, "small", model, {})
    assert not list(tmp_path.iterdir())


def test_a_graph_that_is_missing_or_changed_is_refused(file: Path) -> None:
    with pytest.raises(WeightsError, match="no graph for onnxruntime"):
        OnnxPredictor(file)
    file.with_suffix(".onnx").write_bytes(b"anything")
    with pytest.raises(WeightsError, match=r"small\.onnx is not the file its card describes"):
        OnnxPredictor(file)
