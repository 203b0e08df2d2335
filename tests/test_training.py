"""Training runs: they learn, they stop when told, and they go on as if nothing had happened."""

from __future__ import annotations

import csv
import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from small_models import SMALL, write_model

from mirage_wm import curves, model_card
from mirage_wm.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from mirage_wm.curves import read_log
from mirage_wm.gradients import Gradients
from mirage_wm.held_out import films
from mirage_wm.objectives import Dreams, Loss
from mirage_wm.schedule import Budget, Schedule, Stage
from mirage_wm.train import asked, main, train
from mirage_wm.train_config import TrainConfig, named_run
from mirage_wm.trainer import Trainer
from mirage_wm.unet_config import UNetConfig
from mirage_wm.weights import load_model, load_tensors
from mirage_wm.windows import StoreConfig, Windows, WindowStore

pytestmark = pytest.mark.usefixtures("_one_thread")


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    return TrainConfig(
        out=tmp_path / "run",
        device="cpu",
        batch=8,
        rollout=2,
        reach=4,
        refresh=3,
        validate_films=0,
        budget=Budget(total_steps=8),
        schedule=Schedule(rollouts=0.25, peak=3e-3, rollout_peak=1e-3, warm_up=2),
        net=SMALL,
        data=StoreConfig(
            arenas=16, steps=12, chunks=2, table=64, horizons=(1, 4), burn_in=30, threads=1
        ),
    )


def states(trainer: Trainer) -> dict[str, torch.Tensor]:
    """Return all numbers that training changes, by name."""
    found = {f"model.{k}": v for k, v in trainer.model.state_dict().items()}
    found |= {f"average.{k}": v for k, v in trainer.average.state_dict().items()}
    for i, moments in trainer.optimizer.state_dict()["state"].items():
        found |= {f"{i}.{k}": v for k, v in moments.items()}
    return found


def test_the_error_falls_below_that_of_showing_the_last_frame_again(config: TrainConfig) -> None:
    config = replace(
        config,
        batch=16,
        budget=Budget(total_steps=100),
        schedule=Schedule(rollouts=0.0, peak=5e-3, warm_up=10),
        net=UNetConfig(widths=(16, 16), blocks=1, embedding=16),
        data=replace(config.data, arenas=64, table=512, horizons=(1,)),
    )
    trainer = Trainer(config)
    errors = [float(trainer.train_step(step / 100)[1]) for step in range(100)]
    trainer.store.close()
    # A new model shows the last frame again; held against the mean, since batches differ.
    assert sum(errors[-20:]) < 0.75 * sum(errors[:20])


@pytest.mark.parametrize(
    ("kind", "optimizer"), [("regression", "muon"), ("diffusion", "muon"), ("diffusion", "adamw")]
)
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(
    config: TrainConfig,
    kind: Literal["regression", "diffusion"],
    optimizer: Literal["adamw", "muon"],
) -> None:
    config = replace(config, kind=kind, optimizer=optimizer, budget=Budget(total_steps=24))
    whole = train(config)
    # Steps 18 and 20 are in the midst of dreams, of a diffusion model 19, 21 and 23 are too.
    part = replace(config, out=config.out / "parts", budget=Budget(total_steps=24, steps=9))
    assert train(part).step == 9
    part = replace(part, resume=True, budget=Budget(total_steps=24, steps=10))
    assert 19 < train(part).step < 23
    resumed = train(replace(part, budget=Budget(total_steps=24)))
    assert whole.step == resumed.step == 24
    wanted, got = states(whole), states(resumed)
    assert wanted.keys() == got.keys()
    for name, value in wanted.items():
        assert torch.equal(value, got[name]), name


TINY = (
    "--device cpu --batch 8 --rollout 2 --reach 4 --refresh 3 --validate-films 0 --save-seconds 0 "
    "--schedule.rollouts 0.4 --net.widths 8 8 --net.blocks 1 --net.embedding 8 "
    "--data.arenas 16 --data.steps 12 --data.chunks 2 --data.table 64 --data.horizons 1 4 "
    "--data.burn-in 0 --data.threads 1"
).split()


def test_a_run_killed_at_random_moments_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    total = 40

    def command(out: Path, steps: int) -> list[str]:
        given = [*TINY, "--out", str(out), "--resume", "--budget.total-steps", str(steps)]
        return [sys.executable, "-m", "mirage_wm.train", "v2", *given]

    rng, out, kills = random.Random(), tmp_path / "killed", 0
    while kills < 2:
        begun = time.monotonic()
        process = subprocess.Popen(command(out, total), stderr=subprocess.PIPE)
        before = sorted(out.glob("checkpoint-*"))
        while sorted(out.glob("checkpoint-*")) == before and process.poll() is None:
            time.sleep(0.01)  # until it has begun to save
            assert time.monotonic() - begun < 60
        time.sleep(rng.uniform(0, 0.3))
        process.kill()
        process.communicate()
        kills += 1
    subprocess.run(command(out, total), check=True, capture_output=True)
    whole = tmp_path / "whole"
    subprocess.run(command(whole, total), check=True, capture_output=True)
    got, wanted = load_checkpoint(out), load_checkpoint(whole)
    assert got["step"] == wanted["step"] == total
    for part in ("model", "average"):
        for name, tensor in wanted[part].items():
            assert torch.equal(tensor, got[part][name]), (part, name)


def test_a_run_goes_through_its_stages(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    single, along = Gradients.single, Gradients.along

    def single_step(self: Gradients, windows: Windows) -> Loss:
        stages.append("single")
        return single(self, windows)

    def dream(self: Gradients, dreams: Dreams, windows: Windows) -> Loss:
        stages.append(f"dream from {dreams.tick}")
        return along(self, dreams, windows)

    monkeypatch.setattr(Gradients, "single", single_step)
    monkeypatch.setattr(Gradients, "along", dream)
    train(replace(config, budget=Budget(total_steps=12)))
    dreams = ["dream from 0", "dream from 2", "dream from 0"]
    assert stages == ["single"] * 9 + dreams


def test_the_weights_of_a_run_are_the_averaged_ones_and_can_be_loaded(config: TrainConfig) -> None:
    trainer = train(replace(config, name="mine"))
    loaded = load_model(config.out / "mine.safetensors")
    for name, tensor in trainer.average.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor.half().float()), name
    last = trainer.model.state_dict()["unet.stem.weight"]
    assert not torch.equal(trainer.average.state_dict()["unet.stem.weight"], last)
    card, _ = load_tensors(config.out / "mine.safetensors")
    assert card.training["steps"] == 8
    assert card.training["windows"] == 64
    assert card.training["progress"] == 1.0


def test_a_run_can_start_from_given_weights_of_the_same_net(
    config: TrainConfig, tmp_path: Path
) -> None:
    path = write_model(tmp_path)
    other = replace(config, start=str(path), net=UNetConfig(widths=(8, 24), blocks=1, embedding=8))
    with pytest.raises(ValueError, match=r"with a net of .* change --kind and --net"):
        Trainer(other)
    begun = Trainer(replace(config, start=str(path), net=SMALL))
    begun.store.close()
    wanted = load_model(path).state_dict()
    for name, value in begun.model.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    begun.save()
    # The card says so also when the run was gone on with.
    resumed = Trainer(replace(config, net=SMALL, resume=True))
    resumed.store.close()
    resumed.save()
    card, _ = load_tensors(config.out / f"{config.name}.safetensors")
    assert card.training["start"] == str(path)
    assert f", from {path}." in model_card.page(card)


def test_a_run_can_start_from_weights_without_kernels(config: TrainConfig, tmp_path: Path) -> None:
    path = write_model(tmp_path)
    net = replace(load_model(path).config, kernels=2)
    config = replace(config, start=str(path))
    begun = Trainer(replace(config, net=net))
    begun.store.close()
    windows = begun.store.sample(4, 1)
    given = windows.frames[:, :4], windows.actions[:, :4]
    ours, theirs = begun.model.predict(*given), load_model(path).predict(*given)
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ValueError, match=r"with a net of .* change --kind and --net"):
        Trainer(replace(config, net=replace(net, blocks=2)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint(config: TrainConfig, number: int) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(2.0, os.kill, (os.getpid(), number))
    timer.start()
    trainer = train(replace(config, budget=Budget(total_minutes=10.0)))
    assert 0 < trainer.step
    assert load_checkpoint(trainer.config.out)["step"] == trainer.step
    assert load_checkpoint(trainer.config.out)["progress"] < 0.5
    assert signal.getsignal(number) is before


def test_a_run_writes_its_measurements(config: TrainConfig) -> None:
    train(replace(config, validate_films=6, validate_seconds=0.0))
    with (config.out / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(1, 9))
    for row in rows:
        assert 15 < float(row["psnr_1"]) < 45
        assert float(row["psnr_10"]) < float(row["psnr_1"])


def test_a_run_shows_films_as_it_goes(config: TrainConfig, tmp_path: Path) -> None:
    # A new model hardly moves anything, and then nothing is left to chance.
    path = write_model(tmp_path, kind="diffusion")
    config = replace(config, start=str(path), net=load_model(path).config)
    train(replace(config, validate_films=6, validate_seconds=0.0, kind="diffusion"))
    with Image.open(config.out / "film.png") as picture:
        shown = np.asarray(picture)
    # Four films, each as it came and below it dreamt in both ways; ten frames and their edges.
    assert shown.shape == (4 * 3 * 66, 10 * 66, 3)
    frames = shown.reshape(4, 3, 66, 10, 66, 3)[:, :, 1:-1, :, 1:-1].swapaxes(2, 3)
    watched = films(6, 10)
    assert np.array_equal(frames[:, 0], watched.frames[:4, 4:].numpy())
    assert not np.array_equal(frames[:, 1], frames[:, 2])


def test_curves_are_drawn_from_the_log_of_a_run(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, validate_films=6, validate_seconds=0.0))
    log, out = config.out / "log.csv", config.out / "curves.svg"
    curve = read_log(log, config.batch)
    assert len(curve.minutes) == len(curve.one) == 8
    assert curve.minutes == sorted(curve.minutes)
    with log.open() as file:
        rates = [float(row["windows_per_second"]) for row in csv.DictReader(file)]
    assert curve.minutes[-1] == pytest.approx(sum(config.batch / rate / 60 for rate in rates))
    # Killed after the sixth step, resumed from the fourth: what is done again counts once.
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([*lines[:7], *lines[5:]]))
    assert read_log(log, config.batch) == curve
    assert curves.main([str(log), "--out", str(out)]) == 0
    assert ElementTree.parse(out).getroot().tag.endswith("svg")
    log.write_text("step\n1\n")
    assert curves.main([str(log), "--out", str(out)]) == 1
    assert "is not the log of a run with --validate-films" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("preset", "message"),
    [("full", "--preset 4gb fits into 4 GB"), ("4gb", "no preset needs less; take a smaller")],
)
def test_too_little_memory_names_the_preset_that_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, message: str
) -> None:
    def full(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("mirage_wm.train.Trainer", full)
    config = replace(named_run("v1", preset), out=tmp_path, device="cpu")
    with pytest.raises(ValueError, match=f"the GPU has too little memory .*{message}"):
        train(config)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_preset_for_a_gpu_asks_for_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["v1", "--preset", "4gb", "--out", str(tmp_path / "run")]) == 2
    assert "PyTorch finds none here: add --device cpu" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_help_names_the_run_and_the_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["v2", "--help"]) == 0  # The defaults are those of the run.
    usage, *told = capsys.readouterr().out.splitlines()
    assert usage.endswith("[OPTIONS] [RUN]")
    assert any("One of v1, v2, v1-random, v2-random. (default: v2)" in line for line in told)
    assert any("--preset {full,4gb}" in line for line in told)


@pytest.mark.parametrize(
    ("arguments", "run", "preset"),
    [
        ([], "v1", "full"),
        (["v2"], "v2", "full"),
        (["--preset", "4gb"], "v1", "4gb"),
        (["--preset=4gb", "v2-random"], "v2-random", "4gb"),
        (["--data.chunks", "7", "v1-random"], "v1-random", "full"),
    ],
)
def test_a_run_and_a_preset_say_where_the_options_begin_wherever_they_stand(
    arguments: list[str], run: str, preset: str
) -> None:
    wanted = replace(named_run(run, preset), device="cpu")
    if "--data.chunks" in arguments:
        wanted = replace(wanted, data=replace(wanted.data, chunks=7))
    assert asked([*arguments, "--device", "cpu"]) == wanted


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["v3"], "the run must be one of v1, v2, v1-random, v2-random, got 'v3'"),
        (["--batch", "8", "v3"], "the run must be one of"),
        (["v1", "v2"], "there can be one run at a time, got v1 and v2"),
        (["v1", "--preset", "big"], "the preset must be one of full, 4gb, got 'big'"),
        (["v1", "--data.arenas", "0"], "arenas must be a whole number of at least 1, got 0"),
        (["v1", "--device", "tpu"], "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
    ],
)
def test_what_cannot_be_trained_is_wrong_usage(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_an_existing_run_is_neither_overwritten_nor_gone_on_with_by_another_net(
    config: TrainConfig,
) -> None:
    train(replace(config, budget=Budget(total_steps=1)))
    with pytest.raises(ValueError, match="holds a run already: go on with it by --resume"):
        train(config)
    other = replace(config, resume=True, net=UNetConfig(widths=(8, 8), blocks=1, embedding=8))
    with pytest.raises(ValueError, match=r"the checkpoint in .* is of .*another --out"):
        train(other)


def test_a_checkpoint_is_whole_or_it_is_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not has_checkpoint(tmp_path)
    with pytest.raises(ValueError, match="there is no whole checkpoint in"):
        load_checkpoint(tmp_path)
    save_checkpoint(tmp_path, 1, {"step": 1, "parts": [torch.ones(2), "text"]})
    with pytest.raises(Exception, match="pickle"):
        save_checkpoint(tmp_path, 2, {"step": 2, "broken": lambda: None})
    assert load_checkpoint(tmp_path)["step"] == 1
    monkeypatch.setattr("mirage_wm.checkpoint.PART", 1000)
    paths = save_checkpoint(tmp_path, 3, {"step": 3, "parts": torch.ones(1000)})
    assert len(paths) > 3
    assert all(path.stat().st_size <= 1000 for path in paths)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert load_checkpoint(tmp_path)["parts"].sum() == 1000
    paths[1].write_bytes(b"x" + paths[1].read_bytes()[1:])
    with pytest.raises(ValueError, match=r"step 3 in .* was changed or cut short: its hash"):
        load_checkpoint(tmp_path)
    paths[0].unlink()
    assert not has_checkpoint(tmp_path)


def test_a_full_disk_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, 1, {"step": 1})
    before = sorted(tmp_path.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ValueError, match=r"cannot write the checkpoint of step 2 .*No space left"):
        save_checkpoint(tmp_path, 2, {"step": 2})
    assert sorted(tmp_path.iterdir()) == before
    assert load_checkpoint(tmp_path)["step"] == 1


def test_what_an_interrupted_checkpoint_leaves_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # as if it was killed
    monkeypatch.setattr(os, "replace", lambda *_: None)
    (part,) = save_checkpoint(tmp_path, 1, {"step": 1})
    monkeypatch.undo()
    assert not part.exists()
    assert not has_checkpoint(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    (tmp_path / "log.csv").touch()
    paths = save_checkpoint(tmp_path, 2, {"step": 2})
    assert sorted(tmp_path.iterdir()) == sorted([*paths, tmp_path / "log.csv"])


def test_numbers_that_are_none_are_neither_saved_nor_gone_on_from(config: TrainConfig) -> None:
    trainer = train(replace(config, budget=Budget(total_steps=2)))
    trainer.store.close()
    with torch.no_grad():
        next(trainer.model.parameters()).fill_(float("nan"))
    before = sorted(config.out.iterdir())
    with pytest.raises(FloatingPointError, match="the weights are not finite at step 2"):
        trainer.save()
    assert sorted(config.out.iterdir()) == before
    state = load_checkpoint(config.out)
    state["model"]["unet.stem.weight"][0, 0, 0, 0] = float("inf")
    save_checkpoint(config.out, 3, state)
    with pytest.raises(ValueError, match=r"state.model.unet.stem.weight is not finite"):
        train(replace(config, resume=True))


def test_the_learning_rate_warms_up_falls_and_starts_anew_for_rollouts() -> None:
    schedule = Schedule(rollouts=0.2, peak=1.0, floor=0.1, rollout_peak=0.5, warm_up=10)
    assert schedule.learning_rate(0.0, 0) == pytest.approx(0.1)
    assert schedule.learning_rate(0.0, 9) == pytest.approx(1.0)
    assert schedule.learning_rate(0.4, 99) == pytest.approx(0.55)
    assert schedule.learning_rate(0.7999999, 99) == pytest.approx(0.1, abs=1e-4)
    assert schedule.learning_rate(0.8000001, 99) == pytest.approx(0.5, abs=1e-4)
    assert schedule.learning_rate(1.0, 99) == pytest.approx(0.0)
    stages = [schedule.stage(p) for p in (0.0, 0.79, 0.81, 1.0)]
    assert stages == [Stage.SINGLE] * 2 + [Stage.ROLLOUTS] * 2
    assert Schedule(rollouts=0.0).stage(1.0) is Stage.SINGLE
    with pytest.raises(ValueError, match=r"must be 0 to 1, got 1\.5"):
        Schedule(rollouts=1.5)


def test_time_is_kept_over_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("mirage_wm.schedule.time.monotonic", lambda: now[0])
    first = Budget(total_minutes=16, minutes=8).start(0.0, 0)
    now[0] += 240
    assert first.progress(5) == pytest.approx(0.25)
    assert not first.spent(5)
    now[0] += 240
    assert first.progress(5) == pytest.approx(0.5)
    assert first.spent(5)
    second = Budget(minutes=4, finish=True).start(0.6, 5)
    now[0] += 120
    assert second.progress(6) == pytest.approx(0.8)
    now[0] += 120
    assert second.progress(7) == pytest.approx(1.0)
    assert second.spent(7)
    steps = Budget(total_steps=10, steps=4).start(0.2, 2)
    assert steps.progress(5) == 0.5
    assert [steps.spent(step) for step in (5, 6, 10)] == [False, True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"finish": True}, "needs --budget.minutes"), ({"minutes": 0.0}, "minutes of the budget")],
)
def test_budgets_that_cannot_be_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Budget(**changes)


def test_the_command_trains_and_tells_what_went_wrong(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*TINY, "--out", str(config.out), "--budget.total-steps", "3"]
    assert main(arguments) == 0
    assert "3 steps, 100.0% of the run" in capsys.readouterr().out
    assert main(arguments) == 1
    assert "holds a run already" in capsys.readouterr().err
    (config.out / "file").touch()
    assert main([*TINY, "--out", str(config.out / "file" / "run")]) == 1
    assert "file/run" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main([*arguments, "--resume", "--device", "cuda"]) == 1
        assert "PyTorch finds 0 CUDA devices here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 1}, "batch must be at least 2, got 1"),
        ({"refresh": 0}, "refresh must be at least 1, got 0"),
        ({"name": "a/b"}, "name must be that of a file, such as v1, got 'a/b'"),
        ({"reach": 3}, "dreams of 3 frames need --data.horizons 1 3"),
        ({"batch": 6}, "batch must be a multiple of 4, got 6"),
        ({"tint": 1.5}, r"tint must be 0 to 1, got 1\.5"),
        ({"device": "foo"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'foo'"),
    ],
)
def test_runs_that_cannot_be_are_refused_before_they_begin(
    config: TrainConfig, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(config, **changes)


def test_an_interrupt_while_the_first_windows_are_played_stops_the_play(
    config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: WindowStore) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(WindowStore, "_count_in", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Trainer(config)
    assert "mirage-recorder" not in [thread.name for thread in threading.enumerate()]
