"""Evaluation: figures of models whose figures are known, and where they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import SMALL, lively_model

from mirage_wm import model_card
from mirage_wm.evaluate import EvaluateConfig, evaluate, main, table
from mirage_wm.held_out import Films, dream_along, films
from mirage_wm.measurements import long_dreams, sharpness
from mirage_wm.regression import Regression
from mirage_wm.rewards import REWARDS
from mirage_wm.scores import BEST_PSNR
from mirage_wm.weights import read_card, save_weights

QUICK = EvaluateConfig(
    one_step=40, films=16, future=3, long_films=8, long_future=6, events=6, batch=7
)


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def still() -> dict[str, Any]:
    """Return the figures of a new model, which shows the last frame again and promises nothing."""
    torch.set_num_threads(1)
    return evaluate(Regression(SMALL).eval(), QUICK)


def test_a_model_that_changes_nothing_scores_as_the_last_frame_shown_again(
    still: dict[str, Any],
) -> None:
    assert still["one_step"]["model"] == still["one_step"]["copy"]
    assert still["dream"]["model"] == still["dream"]["copy"]
    assert set(still["dream"]["model"]) == {"1", "2", "3"}
    steps = [still["dream"]["model"][k]["mean_psnr"] for k in "123"]
    assert BEST_PSNR > steps[0] > steps[1] > steps[2] > 10


def test_events_are_sorted_by_what_happens(still: dict[str, Any]) -> None:
    events = still["events"]
    assert set(events) == {
        *("plain", "large", "medium", "small", "death", "return", "wave", "end"),
    }
    # This model says 0 points and no end, always.
    assert events["plain"]["reward_right"] == 1
    assert events["large"]["reward_right"] == 0
    assert all(event["terminated"] == 0 for event in events.values())
    assert events["plain"]["mean_psnr"] > events["large"]["mean_psnr"]


def test_a_perfect_model_gets_the_best_psnr_and_is_as_sharp_as_the_game(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def perfect(model: Regression, played: Films) -> Any:
        points = torch.tensor(REWARDS)[played.rewards[:, 4:]]
        return played.frames[:, 4:], points, played.terminated[:, 4:]

    monkeypatch.setattr("mirage_wm.measurements.dream_along", perfect)
    figures = evaluate(Regression(SMALL), QUICK)
    for part in (figures["one_step"]["model"], *figures["dream"]["model"].values()):
        assert part["mean_psnr"] == part["psnr_of_mean"] == BEST_PSNR
        assert part["mean_psnr_ci"] == 0
    assert figures["long"]["sharpness"] == 1
    assert figures["long"]["ship_shown"] == figures["long"]["ship_shown_in_game"] > 0.8
    assert figures["events"]["large"]["reward_right"] == 1
    assert figures["events"]["end"]["terminated"] == 1


def test_a_model_that_blacks_out_shows_no_ship_and_no_edges(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def black(model: Regression, played: Films) -> Any:
        nothing = torch.zeros_like(played.rewards[:, 4:])
        return torch.zeros_like(played.frames[:, 4:]), nothing, nothing.bool()

    monkeypatch.setattr("mirage_wm.measurements.dream_along", black)
    figures = long_dreams(Regression(SMALL), 8, 6, 8)
    assert figures["sharpness"] == 0
    assert figures["ship_shown"] == 0
    assert figures["ship_shown_in_game"] > 0.5


def test_dreams_are_fed_with_their_own_frames_and_the_keys_that_were_pressed() -> None:
    model = lively_model()
    played = films(4, 3, threads=1)
    frames, _, _ = dream_along(model, played)
    seen = played.frames[:, :4]
    for t in range(3):
        wanted, _, _ = model.predict(seen, played.actions[:, t : t + 4])
        assert torch.equal(frames[:, t], wanted)
        seen = torch.cat([seen[:, 1:], wanted[:, None]], 1)


def test_sharpness_is_the_mean_step_between_neighbours() -> None:
    stripes = np.zeros((1, 4, 4, 3), np.uint8)
    stripes[:, :, ::2] = 100
    assert sharpness(stripes) == 50.0  # 100 across, 0 down
    assert sharpness(np.roll(stripes, 1, 2)) == 50.0


def test_the_command_prints_a_table_and_writes_json_card_and_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = lively_model()
    training = {
        "windows": 1024,
        "steps": 8,
        "device": "CPU",
        "config": {
            "batch": 128,
            "rollout": 4,
            "ema": 0.999,
            "schedule": {"shares": [0.5, 0.25, 0.25], "peak": 1e-3, "rollout_peak": 1e-4},
        },
    }
    path = save_weights(tmp_path, "mine", model.state_dict(), SMALL, training)
    out = tmp_path / "figures" / "mine.json"
    sizes = "--one-step 8 --films 4 --future 2 --long-films 4 --long-future 3 --events 3".split()
    arguments = ["--model", str(path), "--device", "cpu", "--out", str(out), *sizes]
    assert main([*arguments, "--write-card"]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(out.read_text())
    assert figures["model"] == "mine"
    assert figures["sha256"] == read_card(path).sha256
    assert read_card(path).figures == figures
    assert table(figures) in printed
    text = (tmp_path / "mine.md").read_text()
    one = figures["one_step"]["model"]
    assert f"| one step | {one['mean_psnr']:.2f} ± {one['mean_psnr_ci']:.2f} |" in text
    assert "1,024 windows" in text
    assert figures["sha256"] in text
    assert model_card.main(["--model", str(path)]) == 0
    assert (tmp_path / "mine.md").read_text() == text


def test_an_unevaluated_model_has_a_page_that_says_so(tmp_path: Path) -> None:
    path = save_weights(tmp_path, "new", lively_model().state_dict(), SMALL, {})
    assert "Not evaluated yet" in model_card.page(read_card(path))


def test_an_unknown_model_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", "v99"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: there is no model 'v99'")
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "tpu"], "device must be"),
        (["--device", "cuda:99"], "'cuda:99' was asked for"),
        (["--out", "FILE/below.json"], "FILE"),
    ],
)
def test_what_cannot_be_is_told_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    def work(*_: Any) -> Any:
        raise AssertionError("it began")

    monkeypatch.setattr("mirage_wm.evaluate.evaluate", work)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    path = save_weights(tmp_path, "new", lively_model().state_dict(), SMALL, {})
    assert main(["--model", str(path), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("size", [{"films": -1}, {"future": 0}, {"long_future": 0}, {"batch": 0}])
def test_sizes_that_cannot_be_are_refused(size: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(size))} must be a whole number of at least"):
        EvaluateConfig(**size)  # type: ignore[arg-type]
