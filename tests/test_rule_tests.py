"""The tests of the rules: the game passes them all, and whoever breaks a rule fails its test."""

from __future__ import annotations

from functools import cache
from typing import Any

import faulty_games as faults
import numpy as np
import pytest
import torch
from faulty_games import Averaging, Faulty, Frozen

from mirage_env.rules import Rules
from mirage_wm.evaluation.rule_tests import RULE_TESTS, RuleTest, SetUp, play_out, set_up
from mirage_wm.evaluation.scenes import HISTORY
from mirage_wm.evaluation.worlds import Game
from mirage_wm.seeds import HELD_OUT

N = 16
BY_NAME = {test.name: test for test in RULE_TESTS}
ALL = pytest.mark.parametrize("test", RULE_TESTS, ids=lambda test: test.name)

pytestmark = pytest.mark.usefixtures("_one_thread")


@cache
def scenes(name: str, split: Any = "bullet") -> SetUp:
    return set_up(BY_NAME[name], N, Rules(split=split))


@ALL
def test_the_game_keeps_its_own_rules_in_every_scene(test: RuleTest) -> None:
    for chance in (0, 1):
        _, kept = play_out(test, scenes(test.name), Game(Rules(), chance))
        assert kept.all()


@pytest.mark.slow
@ALL
@pytest.mark.parametrize("split", ["bullet", "random"])
def test_the_game_keeps_its_own_rules_in_thousands_of_scenes(test: RuleTest, split: Any) -> None:
    rules = Rules(split=split)
    _, kept = play_out(test, set_up(test, 3000, rules, seed=1), Game(rules, 1))
    assert kept.all()


@pytest.mark.parametrize("name", ["large splits", "medium splits"])
def test_where_chance_decides_any_two_halves_are_right(name: str) -> None:
    ready = scenes(name, "random")
    _, kept = play_out(BY_NAME[name], ready, Game(Rules(split="random"), 1))
    assert kept.all()
    # By the standard rules those courses are wrong.
    _, kept = play_out(BY_NAME[name], scenes(name), Game(Rules(split="random"), 1))
    assert kept.mean() < 0.5


def test_there_are_22_rules_with_names_of_their_own() -> None:
    assert len(BY_NAME) == len(RULE_TESTS) == 22


@ALL
def test_scenes_are_varied_held_out_and_the_same_for_the_same_seed(test: RuleTest) -> None:
    ready = scenes(test.name)
    arenas = ready.starts.arenas
    assert ready.starts.frames.shape == (N, HISTORY + 1, 64, 64, 3)
    assert len({frame.tobytes() for frame in ready.starts.frames}) == N
    assert (arenas["seed"] >= HELD_OUT).all()
    assert len(np.unique(arenas["seed"])) == N
    again = set_up(test, N, Rules())
    assert np.array_equal(again.truth, ready.truth)
    assert not np.array_equal(set_up(test, N, Rules(), seed=1).truth, ready.truth)


@ALL
def test_a_picture_that_never_changes_keeps_no_rule(test: RuleTest) -> None:
    _, kept = play_out(test, scenes(test.name), Frozen())
    assert kept.mean() <= 0.25  # Some rocks hardly drift.


STATE_FAULTS = {
    "large splits": (
        faults.stays_whole,
        faults.loses_a_piece,
        faults.gains_a_piece,
        faults.pieces_are_small,
    ),
    "medium splits": (faults.stays_whole, faults.loses_a_piece, faults.pieces_are_small),
    "small vanishes": (faults.stays_whole,),
    "bullet dies": (faults.bullets_live_on, faults.bullets_die_early),
    **dict.fromkeys(
        ("wraps left", "wraps right", "wraps top", "wraps bottom"),
        (faults.rocks_stop_at_edges, faults.ship_stops_at_edges, faults.rocks_vanish_at_edges),
    ),
    "turns left": (faults.turns_the_other_way, faults.turns_by_half),
    "turns right": (faults.turns_the_other_way, faults.turns_by_half),
    "thrusts": (faults.stands_still, faults.has_no_flame),
    "coasts": (faults.stands_still, faults.has_a_flame),
    "fires": (faults.fires_no_bullet,),
    "cools down": (faults.fires_on, faults.fires_once, faults.fires_no_bullet),
    "dies": (faults.cannot_die, faults.dies_without_a_blast),
    "returns": (
        faults.returns_askew,
        faults.returns_unshielded,
        faults.returns_elsewhere,
        faults.never_returns,
    ),
    "is safe": (faults.returns_unshielded,),
    "shield ends": (faults.keeps_its_shield, faults.returns_unshielded, faults.never_returns),
    "is over": (faults.comes_back_after_the_end,),
    "wave comes": (
        faults.brings_no_wave,
        faults.brings_half_a_wave,
        faults.brings_waves_at_once,
    ),
    "rocks follow": (faults.brings_no_wave,),
    "drifts": (faults.rocks_stand_still, faults.rocks_come_from_nowhere, faults.never_returns),
}


def test_a_fault_is_planted_for_each_rule() -> None:
    assert set(STATE_FAULTS) == set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "fault"),
    [(name, fault) for name, some in STATE_FAULTS.items() for fault in some],
    ids=lambda part: part if isinstance(part, str) else part.__name__,
)
def test_whoever_breaks_a_rule_fails_its_test(name: str, fault: Any) -> None:
    _, kept = play_out(BY_NAME[name], scenes(name), Faulty(fault))
    # A shield may run out before it is over; a rock may hardly drift.
    assert kept.mean() <= 0.2


@pytest.mark.parametrize(
    ("name", "paint"),
    [
        *((name, faults.dimmed) for name in BY_NAME if name not in ("is over",)),
        ("large splits", faults.blurred),
        ("wraps left", faults.without("ship")),
        ("turns left", faults.without("ship")),
        ("thrusts", faults.without("ship")),
        ("coasts", faults.without("ship")),
        ("drifts", faults.without("rock")),
        ("is safe", faults.without("ship")),
        ("shield ends", faults.without("shield")),
        ("wave comes", faults.without("rock")),
        ("rocks follow", faults.without("rock")),
        ("is over", faults.without("rock")),
    ],
)
def test_what_is_not_to_be_seen_is_not_there(name: str, paint: Any) -> None:
    _, kept = play_out(BY_NAME[name], scenes(name), Faulty(picture=paint))
    assert kept.mean() <= 0.2


def test_ghosts_of_halves_are_no_halves() -> None:
    rules = Rules(split="random")
    for name in ("large splits", "medium splits"):
        _, kept = play_out(BY_NAME[name], scenes(name, "random"), Averaging(rules))
        assert kept.mean() <= 0.1


def test_a_dream_may_be_a_pixel_off_and_a_little_noisy() -> None:
    rng = np.random.default_rng(0)

    def spoilt(frames: torch.Tensor) -> torch.Tensor:
        noise = torch.from_numpy(rng.normal(0, 4, frames.shape).round())
        return (torch.roll(frames, 1, 2) + noise).clamp(0, 255).to(torch.uint8)

    for name in (
        "large splits",
        "cools down",
        "turns left",
        "returns",
        "wave comes",
        "rocks follow",
    ):
        _, kept = play_out(BY_NAME[name], scenes(name), Faulty(picture=spoilt))
        assert kept.mean() >= 0.9, name
