"""What is measured of dreams: on contestants whose figures are known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from faulty_games import Averaging, Faulty, Frozen, blurred, without
from numpy.typing import NDArray

from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import UNIT, Rules
from mirage_wm.evaluation import chance, drift, keys, objects
from mirage_wm.evaluation.likeness import (
    Branches,
    compare,
    divergence,
    moment_figures,
    score_figures,
)
from mirage_wm.evaluation.moments import Moment, classify
from mirage_wm.evaluation.plays import Plays, openings, plays, sorted_by_moment
from mirage_wm.evaluation.rule_tests import play_out, set_up
from mirage_wm.evaluation.worlds import PAST, Dreamer, Game, Shown, Starts, along
from mirage_wm.scores import BEST_PSNR, frame_errors
from mirage_wm.seeds import HELD_OUT

RULES = Rules()


@pytest.fixture(autouse=True, scope="module")
def _little() -> Iterator[None]:
    """Compute in one thread, and begin to play not long before."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mirage_wm.evaluation.plays.BURN_IN", 150)
        yield


@pytest.fixture(scope="module")
def played() -> Plays:
    """Held-out play, half a second of it."""
    return plays(16, 15, RULES)


@pytest.fixture(scope="module")
def crowded() -> Plays:
    """Play in which a wave comes: a small rock is the last, and about to be shot."""
    from mirage_wm.evaluation.rule_tests import RULE_TESTS

    (test,) = (test for test in RULE_TESTS if test.name == "wave comes")
    ready = set_up(test, 8, RULES)
    nothing = np.zeros(ready.actions.shape, np.int32)
    return Plays(ready.starts, ready.actions, nothing.astype(np.int8), nothing, nothing > 0)


class Told:
    """A predictor that writes down what it is shown, and shows a frame made by hand."""

    context = PAST

    def __init__(self) -> None:
        self.seen: list[NDArray[Any]] = []
        self.keys: list[NDArray[Any]] = []

    def take(self, frames: Any) -> Any:
        return frames.copy()

    def append(self, seen: Any, frames: Any) -> Any:
        return np.concatenate([seen[:, 1:], frames[:, None]], 1)

    def predict(self, seen: Any, actions: Any) -> Any:
        self.seen.append(seen[:, :, 0, 0, 0].copy())
        self.keys.append(actions.copy())
        n = len(seen)
        frames = np.full((n, 64, 64, 3), 100 + len(self.seen), np.uint8)
        return frames, np.arange(n), np.arange(n) % 2 == 0


def test_a_dreamer_sees_its_own_frames_and_the_keys_in_order() -> None:
    frames = np.zeros((2, PAST, 64, 64, 3), np.uint8)
    frames[:] = np.arange(1, PAST + 1)[None, :, None, None, None]
    starts = Starts(np.zeros(2, ARENA_DTYPE), frames, np.array([[1, 2, 3], [4, 5, 6]]))
    told, counted = Told(), []
    dreamer = Dreamer(told, progress=counted.append)  # type: ignore[arg-type]
    shown = list(along(dreamer, starts, np.array([[7, 8, 9], [10, 11, 0]])))
    assert [s[0].tolist() for s in told.seen] == [[1, 2, 3, 4], [2, 3, 4, 101], [3, 4, 101, 102]]
    assert [k.tolist() for k in told.keys] == [
        [[1, 2, 3, 7], [4, 5, 6, 10]],
        [[2, 3, 7, 8], [5, 6, 10, 11]],
        [[3, 7, 8, 9], [6, 10, 11, 0]],
    ]
    assert [int(s.frames[0, 0, 0, 0]) for s in shown] == [101, 102, 103]
    assert shown[0].rewards.tolist() == [0, 1]
    assert shown[0].terminated.tolist() == [True, False]
    assert counted == [2, 2, 2]


def test_a_dreamer_that_is_woken_begins_anew_and_the_others_go_on() -> None:
    frames = np.full((3, PAST, 64, 64, 3), 7, np.uint8)
    starts = Starts(np.zeros(3, ARENA_DTYPE), frames, np.ones((3, PAST - 1), np.int64))
    told = Told()
    dreamer = Dreamer(told)  # type: ignore[arg-type]
    dreamer.begin(starts)
    dreamer.step(np.full(3, 2))
    dreamer.wake(np.array([1]), Starts(starts.arenas[:1], frames[:1] + 1, starts.actions[:1] + 4))
    dreamer.step(np.full(3, 3))
    assert told.seen[1].tolist() == [[7, 7, 7, 101], [8, 8, 8, 8], [7, 7, 7, 101]]
    assert told.keys[1].tolist() == [[1, 1, 2, 3], [5, 5, 5, 3], [1, 1, 2, 3]]


def test_a_padded_dreamer_shows_the_same(played: Plays) -> None:
    told = Told()
    padded = Dreamer(told, pad=10)  # type: ignore[arg-type]
    shown = list(along(padded, played.starts[np.arange(3)], played.actions[:3, :2]))
    assert [len(s.frames) for s in shown] == [3, 3]
    assert [len(k) for k in told.keys] == [10, 10]
    assert told.keys[1][:3, -1].tolist() == played.actions[:3, 1].tolist()


def test_a_model_that_sees_more_than_is_shown_is_refused() -> None:
    class Elephant(Told):
        context = 9
        card = type("Card", (), {"name": "elephant"})

    with pytest.raises(ValueError, match="elephant sees 9 frames"):
        Dreamer(Elephant())  # type: ignore[arg-type]


def test_play_is_held_out_and_comes_again_from_its_starts_and_keys(played: Plays) -> None:
    assert (played.starts.arenas["seed"] >= HELD_OUT).all()
    game = Game(RULES)
    before = played.starts.arenas
    for t, shown in enumerate(along(game, played.starts, played.actions)):
        assert np.array_equal(shown.rewards, played.rewards[:, t])
        assert np.array_equal(shown.terminated, played.terminated[:, t])
        after = game.simulator.arenas.copy()
        assert np.array_equal(classify(before, after, shown.terminated), played.moments[:, t])
        before = after


def test_the_past_of_play_leads_to_its_starts(played: Plays) -> None:
    """The last of its frames is the state's picture, and its keys led there."""
    assert played.starts.frames.shape[1:] == (PAST, 64, 64, 3)
    game = Game(RULES)
    game.begin(played.starts)
    assert np.array_equal(game.simulator.render(64), played.starts.frames[:, -1])
    turned = played.starts.actions[:, -1] // 4
    alive = played.starts.arenas["dying"] == 0
    assert (turned[alive] <= 2).all()


def test_openings_are_beginnings_without_a_key() -> None:
    starts = openings(3, RULES)
    assert (starts.arenas["tick"] == PAST - 1).all()
    assert not starts.actions.any()
    assert (starts.arenas["wave_timer"] > 0).all()


def arena(**fields: Any) -> NDArray[Any]:
    record = np.zeros(1, ARENA_DTYPE)
    record["lives"], record["wave"] = 3, 1
    for name, value in fields.items():
        record[name] = value
    return record


def rocks(*sizes: int) -> Any:
    return [[*sizes, *[0] * (24 - len(sizes))]]


def lives(*ticks: int) -> Any:
    return [[*ticks, *[0] * (8 - len(ticks))]]


@pytest.mark.parametrize(
    ("moment", "before", "after", "ends"),
    [
        (Moment.PLAIN, {}, {}, False),
        (Moment.WRAP, {"ship_x": 2**32 - 5}, {"ship_x": 5}, False),
        (Moment.WRAP, {"ship_y": 5}, {"ship_y": 2**32 - 5}, False),
        (Moment.PLAIN, {"ship_x": 2**31 - 5}, {"ship_x": 2**31 + 5}, False),
        (Moment.FIRE, {}, {"bullet_life": lives(24)}, False),
        (Moment.PLAIN, {"bullet_life": lives(24)}, {"bullet_life": lives(23)}, False),
        (Moment.SMALL, {"rock_size": rocks(1, 3)}, {"rock_size": rocks(0, 3)}, False),
        (Moment.MEDIUM, {"rock_size": rocks(2)}, {"rock_size": rocks(1, 1)}, False),
        (Moment.LARGE, {"rock_size": rocks(3, 2)}, {"rock_size": rocks(2, 2, 2)}, False),
        (Moment.RETURN, {"dying": 1}, {"shield": 60}, False),
        (Moment.DEATH, {}, {"dying": 16, "lives": 2}, False),
        (Moment.WAVE, {"rock_size": rocks(1)}, {"rock_size": rocks(3, 3), "wave": 2}, False),
        (Moment.END, {"dying": 1, "lives": 0}, {"lives": 0}, True),
        # Of two, the later in the list.
        (Moment.LARGE, {"rock_size": rocks(3, 1)}, {"rock_size": rocks(2, 2)}, False),
    ],
)
def test_a_step_is_named_by_what_happens_in_it(
    moment: Moment, before: Any, after: Any, ends: bool
) -> None:
    told = classify(arena(**before), arena(**after), np.array([ends]))
    assert Moment(told[0]) == moment


def test_steps_are_sorted_and_their_shares_are_those_of_play() -> None:
    found = sorted_by_moment(6, RULES, arenas=128, steps=20_000)
    assert 15_000 <= found.steps == sum(found.counts.values())
    assert 0.7 < found.counts[Moment.PLAIN] / found.steps < 0.9
    assert found.counts[Moment.DEATH] / found.steps < 0.01
    assert set(found.plays) == set(found.counts) >= {Moment.PLAIN, Moment.FIRE, Moment.LARGE}
    for moment, some in found.plays.items():
        assert (some.moments == moment).all()
        assert 1 <= len(some.actions) <= 6
    assert (found.plays[Moment.LARGE].rewards >= 20).all()


def test_the_game_is_like_itself_and_a_still_picture_like_a_copy(played: Plays) -> None:
    real, still = Game(RULES), Frozen()
    errors = compare(played, {"real": real, "still": still}, RULES, batch=5, branches=2)
    assert not errors.models["real"].any()
    assert np.array_equal(errors.models["still"], errors.copy)
    figures = score_figures(errors, 4)
    assert list(figures) == ["real", "still", "copy", "ceiling", "irreducible"]
    assert list(figures["real"]) == ["1", "2", "3", "4"]
    assert figures["real"]["4"]["mean_psnr"] == pytest.approx(BEST_PSNR)
    assert figures["still"] == figures["copy"]
    assert figures["copy"]["1"]["mean_psnr"] > figures["copy"]["4"]["mean_psnr"] > 10
    parted = divergence(errors)
    assert parted["real"]["median"]["value"] == errors.copy.shape[1] + 1
    assert parted["real"]["along"]["rate"] == 1
    assert parted["copy"]["median"]["value"] < errors.copy.shape[1]


def test_a_frame_is_compared_with_the_one_that_its_key_led_to(played: Plays) -> None:
    class Late(Game):
        """Shows each frame a step too late."""

        def begin(self, starts: Starts) -> None:
            super().begin(starts)
            self.last = torch.from_numpy(starts.frames[:, -1])

        def step(self, actions: Any) -> Shown:
            shown = super().step(actions)
            late, self.last = self.last, shown.frames
            return shown._replace(frames=late)

    errors = compare(played, {"late": Late(RULES)}, RULES, 64, branches=1).models["late"]
    frames = [s.frames for s in along(Game(RULES), played.starts, played.actions)]
    for t in range(1, len(frames)):
        assert np.allclose(errors[:, t], frame_errors(frames[t - 1], frames[t]).numpy())


def test_branches_part_where_chance_comes_in_and_not_before(crowded: Plays) -> None:
    errors = compare(crowded, {"other": Game(RULES, 77)}, RULES, 64)
    happens = np.array([np.flatnonzero(row)[0] for row in errors.irreducible])
    assert ((happens >= 0) & (happens <= 4)).all()  # The last rock is shot in one to four ticks.
    for row, t in enumerate(happens):
        assert not errors.branches[row, :t].any()
        assert errors.branches[row, t].all()
        assert not errors.models["other"][row, :t].any()


def test_no_prediction_beats_the_irreducible_error(crowded: Plays) -> None:
    """It is the variance of the futures: over all of them, any picture is at least as far off."""
    games = [Game(RULES, k) for k in range(9)]
    futures = torch.stack(
        [
            torch.stack([s.frames for s in along(game, crowded.starts, crowded.actions)], 1)
            for game in games
        ]
    ).float()
    variance = futures.var(0, correction=0).mean((2, 3, 4))
    contestants = {
        "average": Averaging(RULES, 6),
        "still": Frozen(),
        "another": Game(RULES, 30),
        "real": Game(RULES),
        "blurred": Faulty(picture=blurred),
    }
    for contestant in contestants.values():
        shown = torch.stack(
            [s.frames for s in along(contestant, crowded.starts, crowded.actions)], 1
        ).float()
        error = (futures - shown).square().mean((3, 4, 5)).mean(0)
        assert (error >= variance - 1e-3).all()


def test_the_irreducible_error_is_half_of_a_branchs(crowded: Plays) -> None:
    errors = compare(crowded, {"average": Averaging(RULES, 20)}, RULES, 64)
    later = slice(20, None)
    irreducible = errors.irreducible[:, later].mean()
    assert errors.branches[:, later].mean() == pytest.approx(2 * irreducible, rel=0.25)
    # An average comes near it, and so is nearer to the real future than another real one.
    average = errors.models["average"][:, later].mean()
    assert irreducible * 0.8 < average < 0.75 * errors.branches[:, later].mean()


def test_branches_are_the_same_for_the_same_number(crowded: Plays) -> None:
    one, two = (Branches(RULES, crowded.starts, 2) for _ in range(2))
    real = Game(RULES)
    for t, shown in enumerate(along(real, crowded.starts, crowded.actions)):
        first, second = (b.step(crowded.actions[:, t], real, shown.frames) for b in (one, two))
        assert np.array_equal(first[0], second[0])
    assert not np.allclose(first[0][:, 0], first[0][:, 1])


def test_moments_are_weighed_by_their_share_of_play() -> None:
    found = sorted_by_moment(4, RULES, arenas=128, steps=10_000)
    by_moment = {
        m: compare(p, {"still": Frozen()}, RULES, 64, branches=1) for m, p in found.plays.items()
    }
    figures = moment_figures(found, by_moment)
    assert set(figures) == {m.name.lower() for m in found.plays}
    still = {name: part["models"]["still"] for name, part in figures.items()}
    weights = {m.name.lower(): found.counts[m] * e.copy.mean() for m, e in by_moment.items()}
    for name, part in still.items():
        share = part["error_share"]
        assert share["value"] == pytest.approx(weights[name] / sum(weights.values()))
        assert share["low"] <= share["value"] <= share["high"]
    # It says 0 points and no end, always.
    assert still["plain"]["reward_right"]["rate"] == 1
    assert still["large"]["reward_right"]["rate"] == 0
    assert all(part["told_end"]["passed"] == 0 for part in still.values())


def test_what_is_to_be_seen_is_counted() -> None:
    record = np.zeros(1, ARENA_DTYPE)
    record["lives"], record["wave"], record["ship_heading"] = 3, 2, 16
    record["ship_x"] = record["ship_y"] = 10 * UNIT
    for slot, (size, x, y) in enumerate([(3, 30, 30), (2, 50, 12), (2, 12, 50), (1, 45, 55)]):
        record["rock_size"][0, slot] = size
        record["rock_x"][0, slot], record["rock_y"][0, slot] = x * UNIT, y * UNIT
    record["bullet_life"][0, 0], record["bullet_x"][0, 0] = 20, 20 * UNIT
    record["bullet_y"][0, 0] = 5 * UNIT
    frames = torch.from_numpy(_drawn(record))
    found = {name: value.item() for name, value in objects.inventory(frames).items()}
    assert found["large"] == 1
    assert found["medium"] == 2
    assert found["small"] == 1
    assert found["bullets"] == 1
    assert found["ship"] is True
    assert found["ship_area"] > 5
    assert 160 < found["rock_area"] < 200
    nothing = objects.inventory(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert not any(value.item() for value in nothing.values())


def test_a_rock_over_an_edge_is_one_rock() -> None:
    for x, y in ((0, 30), (30, 0), (0, 0)):
        record = np.zeros(1, ARENA_DTYPE)
        record["wave"], record["rock_size"][0, 0] = 1, 3
        record["rock_x"][0, 0], record["rock_y"][0, 0] = x * UNIT, y * UNIT
        found = objects.inventory(torch.from_numpy(_drawn(record)))
        assert found["large"].item() == 1
        assert found["small"].item() == found["medium"].item() == 0


def _drawn(record: NDArray[Any]) -> NDArray[np.uint8]:
    from mirage_wm.evaluation.worlds import draw

    return draw(record, RULES)


def test_blurred_edges_are_less_sharp() -> None:
    frames = torch.from_numpy(plays(6, 1, RULES).starts.frames[:, -1])
    sharp, soft = objects.edges(frames), objects.edges(blurred(frames))
    assert drift.sharpness(blurred(frames)).mean() < 0.5 * drift.sharpness(frames).mean()
    assert sharp["rock"].nanmean() > 80
    assert not soft["rock"].nanmean() > 50


def test_sharpness_is_the_mean_step_between_neighbours() -> None:
    stripes = torch.zeros(1, 4, 4, 3, dtype=torch.uint8)
    stripes[:, :, ::2] = 100
    assert drift.sharpness(stripes).item() == 50.0  # 100 across, 0 down


def test_long_dreams_stand_beside_the_game_with_the_same_keys() -> None:
    play = drift.long_play(10, 60, RULES)
    contestants = {"other": Game(RULES, 9), "shipless": Faulty(picture=without("ship"))}
    figures, pictures = drift.drift_figures(contestants, play, [1, 2], RULES, 8)
    assert figures["n"] == {"game": 10, "woken": 6, "left alone": 2}
    other, shipless = (figures["models"][name]["woken"] for name in contestants)
    assert len(other["ship"]) == 2
    assert other["sharpness_ratio"][0]["value"] == pytest.approx(1, abs=0.35)
    assert other["ship"][0]["rate"] == 1
    assert shipless["ship"][0]["rate"] == 0
    assert shipless["ship_area"][0]["value"] == 0
    assert pictures["game"].shape == (2, 6, 64, 64, 3)
    assert set(pictures) == {"game", "other", "shipless"}


def test_long_keys_are_those_of_games_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drift.long_play(9, 20, RULES)  # In as many arenas as the other.
    monkeypatch.setattr(drift, "STRETCH", 8)
    play = drift.long_play(2, 20, RULES)
    assert play.actions.shape == (2, 20)
    assert len(play.starts.arenas) == 2
    # The same arenas play; of each, the keys of the first eight steps are taken.
    assert np.array_equal(play.actions[:, :8], whole.actions[:2, :8])
    assert np.array_equal(play.actions[:, 8:16], whole.actions[2:4, :8])
    assert np.array_equal(play.actions[:, 16:], whole.actions[4:6, :4])
    assert np.array_equal(play.starts.frames, whole.starts.frames[:2])


def test_dreams_that_say_they_are_over_begin_anew_and_others_do_not() -> None:
    class Ending(Frozen):
        """Says in every tenth step that all is over, and notes who is woken."""

        def begin(self, starts: Starts) -> None:
            super().begin(starts)
            self.t, self.woken = 0, []

        def wake(self, rows: Any, starts: Starts) -> None:
            super().wake(rows, starts)
            self.woken.append((self.t, rows.tolist(), len(starts.arenas)))

        def step(self, actions: Any) -> Shown:
            self.t += 1
            return (
                super().step(actions)._replace(terminated=np.full(len(actions), self.t % 10 == 0))
            )

    play = drift.long_play(5, 30, RULES)
    n = len(play.actions)
    woken = np.arange(n) % 2 == 0
    ending = Ending()
    track = drift.follow(ending, play, [30], woken)
    rows = np.flatnonzero(woken).tolist()
    assert ending.woken == [(t, rows, len(rows)) for t in (10, 20, 30)]
    assert track.ended.tolist() == np.where(woken, 3, 0).tolist()


def test_an_empty_sky_is_refilled_or_not() -> None:
    rock, black = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    rock[:10, :10] = (214, 170, 112)

    def watched(looks: str) -> tuple[int, int]:
        sky = drift.Sky(1)
        for look in looks:
            sky.watch(torch.from_numpy((rock if look == "#" else black)[None]))
        return sky.refilled, sky.left

    assert watched("####") == (0, 0)
    assert watched("#.##") == (0, 0)  # The blink of an eye.
    assert watched("#...#") == (1, 0)
    assert watched("....#") == (0, 0)  # It never had rocks to lose.
    assert watched("#" + "." * 20) == (0, 1)
    assert watched("#" + "." * 20 + "#") == (0, 1)
    assert watched("#...#...#") == (2, 0)


def test_keys_are_read_off_the_game_and_not_off_a_still_picture() -> None:
    dreams = keys.told(24, 12, RULES)
    figures = keys.reading_figures(dreams, {"game": Game(RULES, 1), "still": Frozen()}, batch=10)
    for key in ("turn", "thrust", "fire"):
        assert figures["game"][key]["value"] > 0.95
    assert figures["game"]["all"]["value"] > 0.9
    assert figures["game"]["all"]["n"] == len(dreams.actions)
    assert figures["still"]["turn"]["value"] < 0.7
    assert figures["still"]["all"]["value"] < 0.4


def test_keys_that_are_told_can_be_seen() -> None:
    dreams = keys.told(24, 20, RULES)
    fire = dreams.actions % 2
    assert fire.any()
    for row in fire:
        assert (np.diff(np.flatnonzero(row)) >= 9).all()
    game = Game(RULES)
    fired = 0
    for t, _ in enumerate(along(game, dreams.starts, dreams.actions)):
        arenas = game.simulator.arenas
        assert (arenas["dying"] == 0).all()
        shot = arenas["cooldown"] == RULES.cooldown
        assert np.array_equal(shot, fire[:, t] == 1)
        fired += shot.sum()
    assert fired == fire.sum()


def test_averaging_ghosts_and_committing_does_not() -> None:
    rules = Rules(split="random")
    ready = set_up(chance.SPLIT, 16, rules)
    films = {
        name: play_out(chance.SPLIT, ready, contestant)[0]
        for name, contestant in (("game", Game(rules, 1)), ("average", Averaging(rules)))
    }
    figures = chance.split_figures(ready, films)
    game, average = (figures["contestants"][name] for name in ("game", "average"))
    assert game["in_two"]["rate"] == 1
    assert average["in_two"]["rate"] == 0
    assert average["ghost_area"]["value"] > 4 * game["ghost_area"]["value"]
    last = -1
    assert average["scores"][last]["psnr_of_mean"] > game["scores"][last]["psnr_of_mean"] + 1
    ceiling, irreducible = (figures[k][last]["psnr_of_mean"] for k in ("ceiling", "irreducible"))
    assert ceiling == pytest.approx(game["scores"][last]["psnr_of_mean"], abs=1.5)
    assert irreducible == pytest.approx(ceiling + 3, abs=1)
