"""The command `mirage evaluate`: what it writes, what it refuses, what it leaves alone."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from faulty_games import stays_whole
from small_models import write_model

from mirage_env.rules import Rules
from mirage_wm import model_card
from mirage_wm.evaluate import EvaluateConfig, evaluate, main, parted, write
from mirage_wm.evaluation import measure as measuring
from mirage_wm.evaluation import tables
from mirage_wm.evaluation.measure import (
    FULL,
    QUICK,
    CheckerError,
    Measured,
    Sizes,
    measure_long,
)
from mirage_wm.evaluation.page import page
from mirage_wm.evaluation.report import Report, plain
from mirage_wm.evaluation.worlds import Game
from mirage_wm.train_config import TrainConfig
from mirage_wm.weights import read_card

TINY = Sizes(
    one_step=6,
    films=4,
    future=12,
    moments=2,
    steps=3000,
    scenes=2,
    told=4,
    told_frames=3,
    short=4,
    long=4,
    seconds=2,
    batch=8,
)

pytestmark = pytest.mark.usefixtures("_one_thread")


@pytest.fixture(autouse=True)
def _little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let --quick measure very little."""
    monkeypatch.setattr("mirage_wm.evaluate.QUICK", TINY)
    shorten(monkeypatch)


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(measuring, "SHORT", (1, 2))
    patch.setattr("mirage_wm.evaluation.plays.BURN_IN", 30)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("weights"), "small<er>")


@pytest.fixture(scope="module")
def report(weights: Path) -> Report:
    """A report of a small model and of the game as one."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        return evaluate(EvaluateConfig((str(weights), "simulator"), device="cpu"), TINY)


def shape(figures: Any) -> Any:
    """Return the names and kinds of nested figures, without their values."""
    if isinstance(figures, dict):
        return {name: shape(part) for name, part in figures.items()}
    if isinstance(figures, list):
        return [shape(figures[0])] if figures else []
    return "number" if isinstance(figures, (int, float)) or figures is None else "text"


SCORE = {
    "mean_psnr": "number",
    "psnr_of_mean": "number",
    "mean_psnr_ci": "number",
    "psnr_of_mean_ci": ["number"],
    "n": "number",
}
RATE = dict.fromkeys(("rate", "low", "high", "passed", "n"), "number")
ESTIMATE = dict.fromkeys(("value", "low", "high", "n"), "number")
LEAST = {name: SCORE[name] for name in ("psnr_of_mean", "psnr_of_mean_ci", "n")}
PARTED = {"median": ESTIMATE, "along": RATE, "frames": "number"}
READ = {**dict.fromkeys(("turn", "thrust", "fire", "all"), ESTIMATE), "frames": "number"}
SPLIT = {"in_two": RATE, "ghost_area": ESTIMATE, "scores": [SCORE]}
QUANTITIES = (
    *("sharpness", "small", "medium", "large", "bullets", "rock_area", "ship_area"),
    *("rock_edge", "ship_edge", "bullet_edge"),
)
DRIFT_ARM = {
    "endings_a_minute": ESTIMATE,
    **{name: [ESTIMATE] for q in QUANTITIES for name in (q, f"{q}_ratio")},
    "ship": [RATE],
    "empty": [RATE],
}


def drift_shape(models: list[str]) -> Any:
    return {
        "seconds": ["number"],
        "n": {"game": "number", "woken": "number", "left alone": "number"},
        "game": DRIFT_ARM,
        "models": {m: {"woken": DRIFT_ARM, "left alone": DRIFT_ARM, "sky": RATE} for m in models},
    }


def test_the_json_has_the_shape_that_its_schema_number_stands_for(report: Report) -> None:
    """A change here is a change of `SCHEMA`."""
    figures = json.loads(report.json())
    assert figures["schema"] == 1
    models = ["small<er>", "simulator"]
    everyone = ["game", *models]
    known: dict[str, Any] = {
        "kind": "text",
        "sha256": "text",
        "parameters": "number",
        "steps": "number",
    }
    known["frames_per_second"] = {"1": "number", "256": "number"}
    (group,) = figures.pop("groups")
    assert shape(figures) == {
        **dict.fromkeys(("date", "device", "torch"), "text"),
        **dict.fromkeys(
            ("schema", "seconds", "rules_version", "first_seed", "best_psnr"), "number"
        ),
        "sizes": dict.fromkeys(vars(TINY), "number"),
        "models": {"small<er>": known, "simulator": {"kind": "text"}},
    }
    moments = group.pop("moments")
    rows = [*models, "copy", "ceiling"]
    found = shape(group)
    assert found.pop("dream") == {
        **{m: {str(k): SCORE for k in range(1, 13)} for m in rows},
        "irreducible": {str(k): LEAST for k in range(1, 13)},
    }
    rules = found.pop("rules_kept")
    assert len(rules) == 22
    for rule in rules.values():
        assert rule == {"title": "text", "results": dict.fromkeys(everyone, RATE)}
    assert found == {
        "rules": {},
        "models": ["text"],
        "one_step": {**dict.fromkeys(rows, SCORE), "irreducible": LEAST},
        "divergence": dict.fromkeys(rows, PARTED),
        "steps": "number",
        "keys": {m: READ for m in everyone},
        "short": drift_shape(models),
        "long": drift_shape(models),
        "splits": {
            "n": "number",
            "after": ["number"],
            "contestants": {m: SPLIT for m in everyone},
            "ceiling": [SCORE],
            "irreducible": [SCORE],
        },
    }
    assert set(moments) >= {"plain", "fire", "wrap"}
    for moment in moments.values():
        told = {"reward_right": RATE, "told_end": RATE, "error_share": ESTIMATE}
        assert shape(moment) == {
            "share": RATE,
            "n": "number",
            "copy": SCORE,
            "ceiling": SCORE,
            "models": {m: {**SCORE, **told} for m in models},
        }


def test_the_game_as_a_model_is_the_best_of_the_report(report: Report) -> None:
    (group,) = report.figures["groups"]
    best = report.figures["best_psnr"]
    assert group["one_step"]["simulator"]["mean_psnr"] == pytest.approx(best, abs=0.1)
    assert group["one_step"]["small<er>"]["mean_psnr"] < 40
    for rule in group["rules_kept"].values():
        assert rule["results"]["simulator"]["rate"] == rule["results"]["game"]["rate"] == 1
    assert sum(r["results"]["small<er>"]["passed"] for r in group["rules_kept"].values()) <= 2


class Reader(HTMLParser):
    """Reads a page: which tags are open, what it refers to."""

    VOID = frozenset({"meta", "img", "i", "circle", "line", "polyline", "polygon", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href", "action", "data"):
                self.links.append(value or "")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in ("meta", "img"):
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else_and_is_well_formed(report: Report) -> None:
    text = page(report)
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    assert len(set(reader.ids)) == len(reader.ids)
    inside = {f"#{name}" for name in reader.ids}
    for link in reader.links:
        assert link in inside or link.startswith("data:image/png;base64,")
    assert not {"script", "link", "iframe", "object"} & set(reader.tags)
    assert not re.search(r"url\(|@import|https?://", text)
    assert "prefers-color-scheme: dark" in text
    assert reader.tags.count("svg") > 14
    assert reader.tags.count("img") > 40
    # Names are text, whatever they hold.
    assert "small&lt;er&gt;" in text
    assert "<er>" not in text
    assert "$" not in re.sub(r"base64,[^\"]*", "", text)
    for word in ("nan", "None", "Infinity"):
        assert not re.search(rf"\b{word}\b", re.sub(r"base64,[^\"]*", "", text))


def test_the_table_for_the_readme_says_what_can_be_compared(report: Report) -> None:
    text = tables.readme_table(report.figures, {"simulator": "1,000"})
    lines = text.splitlines()
    columns = lines[0].count("|")
    rows = [line for line in lines if line.startswith("|")]
    assert all(row.count("|") == columns for row in rows)
    for figure in (
        "42.6",
        "42.2",
        "25.6",
        "27.3",
        "24 of 24",
        "18 of 24",
        "0.985",
        "1.004",
        "200+",
    ):
        assert figure in text
    assert "another game" in " ".join(text.split())
    assert "22 of 22" in text
    assert "1,000" in text


def test_an_evaluation_of_one_of_each_says_that_one_gives_no_interval(tmp_path: Path) -> None:
    ones = Sizes(1, 1, 12, 1, 3000, 1, 1, 3, 1, 1, 2, 8)
    model = write_model(tmp_path)
    found = evaluate(EvaluateConfig((str(model),), device="cpu"), ones)
    figures = json.loads(found.json())
    (group,) = figures["groups"]
    score = group["one_step"]["small"]
    assert (score["n"], score["mean_psnr_ci"], score["psnr_of_mean_ci"]) == (1, None, [None, None])
    assert score["mean_psnr"] == score["psnr_of_mean"]
    assert group["keys"]["small"]["all"]["low"] is None
    written = {"summary": tables.summary(figures), "page": page(found)}
    read = read_card(model)
    read = replace(read, figures=tables.card_figures(figures, "small"))
    written["card"] = model_card.page(read)
    for text in written.values():
        assert not re.search(r"\b(inf|nan|None)\b", text)
    assert "(n = 1)" in written["summary"]
    assert "(n = 1: no interval)" in written["page"]
    assert f"| one step | {score['mean_psnr']:.2f}, no interval |" in written["card"]


def test_what_a_card_keeps_is_what_its_page_shows(report: Report) -> None:
    figures = tables.card_figures(report.figures, "simulator")
    assert figures["one_step"]["model"]["n"] == figures["one_step"]["copy"]["n"]
    assert figures["rules"]["wraps left"]["rate"] == 1
    assert set(figures["events"]) == set(report.figures["groups"][0]["moments"])


def test_the_command_writes_json_page_card_and_its_page(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "made" / "mine"
    arguments = ["--model", str(weights), "--device", "cpu", "--out", str(out), "--long", "0"]
    assert main([*arguments, "--write-card"]) == 0
    printed = capsys.readouterr().out
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["groups"][0]["long"] is None
    assert figures["models"]["small<er>"]["sha256"] == read_card(weights).sha256
    assert tables.summary(figures) in printed
    assert "<svg" in out.with_suffix(".html").read_text()
    assert read_card(weights).figures == tables.card_figures(figures, "small<er>")
    text = weights.with_suffix(".md").read_text()
    one = figures["groups"][0]["one_step"]["small<er>"]
    assert f"| one step | {one['mean_psnr']:.2f} ± {one['mean_psnr_ci']:.2f} |" in text
    assert sorted(path.name for path in out.parent.iterdir()) == ["mine.html", "mine.json"]
    assert tables.main(["--report", str(out.with_suffix(".json"))]) == 0
    assert "| one step" in capsys.readouterr().out


def test_a_report_is_there_before_the_dreams_of_minutes(
    weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("mirage_wm.evaluate.measure_long", killed)
    out = tmp_path / "mine"
    assert main(["--model", str(weights), "--device", "cpu", "--out", str(out)]) == 130
    assert "mine.json holds what was measured before" in capsys.readouterr().err
    figures = json.loads(out.with_suffix(".json").read_text())
    assert figures["groups"][0]["long"] is None
    assert figures["groups"][0]["short"]["seconds"] == [1, 2]
    assert "<svg" in out.with_suffix(".html").read_text()


def test_dreams_of_minutes_are_as_long_as_there_is_time_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "LONG", (1, 2, 600))
    models = {"simulator": Game(Rules(), 101)}
    sizes = replace(TINY, seconds=600)
    found = Measured({"long": None})  # What `measure` leaves.
    measure_long(found, models, Rules(), sizes, left=1e-9)
    assert found.figures["long"] is None
    # A clock that ticks at each look: a second of dreams takes a second.
    ticks = itertools.count()
    monkeypatch.setattr("mirage_wm.evaluation.measure.time.monotonic", lambda: next(ticks))
    measure_long(found, models, Rules(), sizes, left=4.5)
    figures: dict[str, Any] = found.figures
    assert figures["long"]["seconds"] == [1, 2]


def test_an_unevaluated_model_has_a_page_that_says_so(tmp_path: Path) -> None:
    assert "Not evaluated yet" in model_card.page(read_card(write_model(tmp_path, "new")))


def test_the_page_of_a_model_says_what_kind_it_is_and_how_it_was_trained(tmp_path: Path) -> None:
    config = {k: str(v) if isinstance(v, Path) else v for k, v in asdict(TrainConfig()).items()}
    training = {"windows": 10**6, "steps": 2000, "device": "a GPU", "config": config}
    pages = {}
    for kind in ("regression", "diffusion"):
        card = replace(read_card(write_model(tmp_path, kind, kind=kind)), training=training)
        pages[kind] = model_card.page(replace(card, rules={"split": "random"}))
        assert "dreams along films of 12 frames" in pages[kind]
        assert ("tinted" in pages[kind]) is bool(config["tint"])
        config["tint"] = 0.2
        assert "**Rules**: Rules(split='random')." in pages[kind]
        assert "**Rules**: the standard rules." in model_card.page(card)
        assert "idling, an agent that learned to play; `mirage_wm/beh" in pages[kind]
        config["data"]["agent"] = None
        assert "idling; `mirage_wm/behaviours.py`" in model_card.page(card)
        config["data"]["agent"] = "state"
    assert "It is a regression: it names one frame" in pages["regression"]
    assert "a gradient through 4" in pages["regression"]
    assert "draws a frame in 4 evaluations" in pages["diffusion"]
    assert "gradient" not in pages["diffusion"]
    assert "is a regression" not in pages["diffusion"]


def test_the_table_takes_speeds_from_a_benchmark_or_from_the_report(
    report: Report, tmp_path: Path
) -> None:
    rates = [
        {"name": "dream v1, batch 1, by native", "median": 3000.4},
        {"name": "dream v1, batch 1, by onnx", "median": 1500},
        {"name": "dream v1, batch 4096", "median": 1e5},
        *({"name": f"dream v2, {n} evaluations, batch 1", "median": 3000 / n} for n in (1, 2, 4)),
        {"name": "dream v1, 4 views, batch 1", "median": 900},
        {"name": "dream v2, 4 evaluations, 2 views, batch 1", "median": 600},
        {"name": "denoiser as large as DIAMOND's, 3 evaluations, batch 1", "median": 5},
    ]
    (tmp_path / "dream.json").write_text(json.dumps({"rates": rates}))
    speeds = tables.benchmarked(tmp_path / "dream.json")
    assert speeds == {
        "v1": "3,000",
        "v2@1": "3,000",
        "v2@2": "1,500",
        "v2@4": "750",
        "v2": "750",
        "v1@1x4": "900",
        "v2@4x2": "600",
    }
    row = tables.readme_table(report.figures).splitlines()[-3]
    assert re.match(r"\| frames a second \| [\d,]+ \(CPU\) \|  \|  \| 200\+ \| 54 \|", row)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "v99"], "there is no model 'v99'"),
        (["--model", "simulator", "simulator"], "two models are called 'simulator'"),
        (["--device", "cuda:99"], "'cuda:99' was asked for"),
        (["--out", "FILE/below"], "FILE"),
        (["--out", "folder"], "folder.html: Is a directory"),
    ],
)
def test_what_cannot_be_is_one_line_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    def work(*_: Any, **__: Any) -> Any:
        raise AssertionError("it began")

    monkeypatch.setattr("mirage_wm.evaluate.measure", work)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").touch()
    (tmp_path / "folder.html").mkdir()
    assert main(arguments) == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert error[-1].startswith("mirage: ")
    assert message in error[-1]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["FILE"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"quick": True, "full": True}, "quick and full cannot both be"),
        ({"model": ()}, "model must be one name at least"),
        ({"scenes": -3}, "scenes must be a whole number of at least 1, got -3"),
        ({"seconds": -1}, "seconds must be a whole number of at least 1"),
        ({"long": -2}, "long must be a whole number of at least 0"),
        ({"minutes": 0.0}, "minutes must be greater than 0, got 0.0"),
        ({"batch": 1.5}, "batch must be a whole number of at least 1"),
        ({"device": "tpu"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"model": ("v1", "v2@65")}, "steps must be a whole number from 1 to 64, got 65"),
    ],
)
def test_wishes_that_cannot_be_are_refused(wish: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EvaluateConfig(**wish)


@pytest.mark.parametrize("arguments", [["--device", "tpu"], ["--model", "v2@65"]])
def test_what_can_be_on_no_machine_is_wrong_usage(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_an_interrupted_evaluation_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "told", stop)
    assert main(["--model", "simulator", "--out", str(tmp_path / "x")]) == 130
    assert "interrupted: nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_game_that_fails_its_own_test_is_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As if a check were wrong: the game plays by other rules than the check knows."""
    step = measuring.Game.step

    def faulty(game: Any, actions: Any) -> Any:
        before = game.simulator.arenas.copy()
        shown = step(game, actions)
        if game.chance == 1:
            stays_whole(before, game.simulator.arenas)
        return shown

    monkeypatch.setattr(measuring.Game, "step", faulty)
    assert main(["--model", "simulator", "--out", str(tmp_path / "x")]) == 1
    assert "'large splits' in 0 of 2 scenes: the check is wrong" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
    assert issubclass(CheckerError, RuntimeError)


def test_a_report_that_cannot_be_written_says_so(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write(report, EvaluateConfig(("simulator",), out=tmp_path / "x"))
    assert not list(tmp_path.iterdir())


def test_what_is_not_a_number_is_null_in_json() -> None:
    assert plain({"a": float("nan"), 1: (0.123456789, 2), "b": [float("inf"), True]}) == {
        "a": None,
        "1": [0.123457, 2],
        "b": [None, True],
    }


def test_models_may_be_asked_to_take_steps_and_views() -> None:
    assert parted("v2@2") == ("v2", 2, 0)
    assert parted("v2@2x4") == ("v2", 2, 4)
    assert parted("v1") == ("v1", 0, 0)
    assert parted("runs/a@b/v2.safetensors") == ("runs/a@b/v2.safetensors", 0, 0)
    for none in ("v2@0", "v2@2x0", "v2@x4", "v2x4"):
        assert parted(none) == (none, 0, 0)
    with pytest.raises(ValueError, match="views must be a whole number from 1 to 4, got 5"):
        EvaluateConfig(("v1@1x5",))


def test_sizes_follow_the_device_and_the_wishes() -> None:
    wishes = EvaluateConfig()
    assert wishes.sizes(gpu=True) == FULL
    assert wishes.sizes(gpu=False) == TINY  # As patched.
    assert EvaluateConfig(full=True).sizes(gpu=False) == FULL
    assert EvaluateConfig(quick=True).sizes(gpu=True) == TINY
    changed = EvaluateConfig(full=True, scenes=200, long=0, batch=64).sizes(gpu=True)
    assert (changed.scenes, changed.long, changed.batch) == (200, 0, 64)
    assert FULL.scenes >= 400
    assert FULL.frames() > 50 * QUICK.frames()
