"""Several looks at the same frames, and the mean of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import write_model

from mirage_wm import DreamEnv, DreamVectorEnv
from mirage_wm.predictors import TorchPredictor, make_predictor
from mirage_wm.views import SHIFTS, mean_of_views


def moment(n: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (n, 4, 64, 64, 3), dtype=np.uint8)
    return seen, rng.integers(0, 12, (n, 4)), np.arange(n)


@pytest.mark.parametrize("xp", [np, torch])
def test_each_look_is_shifted_and_its_answer_shifted_back(xp: Any) -> None:
    seen = xp.arange(2 * 8 * 8).reshape(2, 8, 8) * 1.0
    keys = xp.arange(2)
    corner = xp.zeros((8, 8))
    corner[0, 0] = 1.0

    def evaluate(pictures: Any, keys: Any) -> tuple[Any, Any]:
        return pictures + 100 * corner, keys * 1.0

    for views in (1, 2, 4):
        picture, told = mean_of_views(xp, views, evaluate, seen, keys)
        wanted = seen + 0.0
        for down, right in SHIFTS[:views]:  # what a net sees at its corner is there in the world
            wanted[:, -down % 8, -right % 8] += 100 / views
        assert abs(picture - wanted).max() == 0
        assert told.tolist() == [0, 1]


def test_the_looks_see_every_parity_once() -> None:
    parities = sorted((down % 2, right % 2) for down, right in SHIFTS)
    assert parities == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({(down % 4, right % 4) for down, right in SHIFTS}) == len(SHIFTS)


@pytest.mark.parametrize("kind", ["regression", "diffusion"])
def test_every_runtime_takes_the_same_mean(tmp_path: Path, kind: str) -> None:
    file = write_model(tmp_path, kind=kind)
    seen, actions, keys = moment(3)
    single = make_predictor(file, "cpu").outputs(seen, actions, keys)[0]  # type: ignore[attr-defined]
    for views in (2, 4):
        native = make_predictor(file, "cpu", views=views)
        frame, *heads = native.outputs(seen, actions, keys)  # type: ignore[attr-defined]
        wanted = TorchPredictor(file, "cpu", 1, views=views).outputs(
            torch.from_numpy(seen), actions, keys
        )
        assert np.abs(frame - wanted.frame.permute(0, 2, 3, 1).numpy()).max() < 1e-3
        for got, part in zip(heads, wanted[1:], strict=True):
            assert np.abs(got - part.numpy()).max() < 1e-3
        assert np.abs(frame - single).max() > 1e-3


def test_a_regression_in_views_is_the_mean_of_its_frames(tmp_path: Path) -> None:
    file = write_model(tmp_path)
    seen, actions, _ = moment(2)
    one: Any = make_predictor(file, "cpu")
    looks = [
        np.roll(
            one.outputs(np.roll(seen, shift, (2, 3)), actions)[0], (-shift[0], -shift[1]), (1, 2)
        )
        for shift in SHIFTS
    ]
    four: Any = make_predictor(file, "cpu", views=4)
    np.testing.assert_allclose(four.outputs(seen, actions)[0], np.mean(looks, 0), atol=1e-6)


def test_dreams_take_them_and_refuse_other_numbers(tmp_path: Path) -> None:
    file = write_model(tmp_path, kind="diffusion")
    frames = []
    for views in (None, 1, 4):
        env = DreamEnv(model=file, device="cpu", views=views)
        env.reset(seed=3)
        frames.append(env.step(3)[0])
        env.close()
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()
    for views in (0, 5, 2.5):
        with pytest.raises(ValueError, match="views must be"):
            DreamVectorEnv(2, model=file, device="cpu", views=views)  # type: ignore[arg-type]
