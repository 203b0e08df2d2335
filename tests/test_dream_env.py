"""The dream as an environment: the API of the game, with no game behind it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray
from small_models import write_model

import mirage_wm
from mirage_env import MirageEnv, MirageVectorEnv, Rules
from mirage_env.errors import InvalidActionError, MissingExtraError
from mirage_env.simulator import Autoreset
from mirage_wm import DreamEnv, DreamVectorEnv
from mirage_wm.dream import Dream, enlarged
from mirage_wm.onnx_graph import write_graph
from mirage_wm.openings import Openings
from mirage_wm.weights import Card, WeightsError

CONTEXT = 4


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model with its graph."""
    path = write_model(tmp_path_factory.mktemp("weights"))
    write_graph(path)
    return path


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small diffusion model with its graph."""
    path = write_model(tmp_path_factory.mktemp("weights"), "drawing", kind="diffusion")
    write_graph(path)
    return path


@pytest.fixture
def envs(model: Path) -> Any:
    made = DreamVectorEnv(3, model=model, num_threads=1)
    yield made
    made.close()


class Script:
    """A predictor that counts: frame t is all t, points come by a table, tick five is the last.

    It notes the frames and actions that it was shown.
    """

    context = CONTEXT
    card = Card("script", "0" * 64, 1, {}, 0)
    points = (0, 20, 0, 50, 100)

    def __init__(self, length: int = 5) -> None:
        self.length = length
        self.shown: list[tuple[NDArray[np.uint8], NDArray[np.int64]]] = []

    def take(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return frames

    give = take

    def append(self, seen: NDArray[np.uint8], frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.concatenate([seen[:, 1:], frames[:, None]], 1)

    def predict(
        self, seen: NDArray[np.uint8], actions: NDArray[np.int64], keys: NDArray[np.int64]
    ) -> Any:
        self.shown.append((seen.copy(), actions.copy()))
        # The number of ticks dreamt so far: openings hold real frames, whose corner is black here.
        tick = seen[:, -1, 0, 0, 0].astype(np.int64) + 1
        frames = np.broadcast_to(tick[:, None, None, None], (len(seen), 64, 64, 3))
        reward = np.array([self.points[(t - 1) % 5] for t in tick], np.int32)
        return frames.astype(np.uint8), reward, tick >= self.length


class Black:
    """Openings of black frames, counted."""

    def __init__(self, num_envs: int) -> None:
        self.seed, self.episode = np.zeros(num_envs, np.uint64), np.zeros(num_envs, np.uint32)
        self.begun = 0

    def begin(self, seeds: Any, mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
        self.begun += int(mask.sum())
        return np.zeros((int(mask.sum()), CONTEXT, 64, 64, 3), np.uint8)

    def close(self) -> None:
        pass


def scripted(num_envs: int = 1, **settings: Any) -> Dream:
    dream = Dream(num_envs, Script(settings.pop("length", 5)), **settings)
    dream._openings = Black(num_envs)  # type: ignore[assignment]
    dream.reset(np.arange(num_envs, dtype=np.uint64))
    return dream


def history(dream: Dream, steps: int) -> list[tuple[int, int, bool, bool, bool]]:
    """Return (picture, reward, terminated, truncated, begun) of each step."""
    frames, rows = np.empty((1, 64, 64, 3), np.uint8), []
    for _ in range(steps):
        dream.step(np.zeros(1, np.int32), frames)
        flags = dream.terminated[0], dream.truncated[0], dream.begun[0]
        rows.append((int(frames[0, 0, 0, 0]), int(dream.reward[0]), *map(bool, flags)))
    return rows


NO, YES = False, True


def test_next_step_shows_the_end_and_then_the_beginning() -> None:
    assert history(scripted(autoreset=Autoreset.NEXT_STEP), 7) == [
        (1, 0, NO, NO, NO),
        (2, 20, NO, NO, NO),
        (3, 0, NO, NO, NO),
        (4, 50, NO, NO, NO),
        (5, 100, YES, NO, NO),
        (0, 0, NO, NO, YES),
        (1, 0, NO, NO, NO),
    ]


def test_same_step_shows_the_beginning_and_keeps_the_end() -> None:
    dream = scripted(autoreset=Autoreset.SAME_STEP)
    assert history(dream, 5)[3:] == [(4, 50, NO, NO, NO), (0, 100, YES, NO, YES)]
    assert dream.render(64, np.array([0]), final=True).max() == 5
    assert dream.final_score.tolist() == [170]
    assert dream.score.tolist() == [0]
    assert history(dream, 1) == [(1, 0, NO, NO, NO)]


def test_disabled_stands_still_and_says_again_how_it_ended() -> None:
    dream = scripted(autoreset=Autoreset.DISABLED)
    assert history(dream, 7)[4:] == [
        (5, 100, YES, NO, NO),
        (5, 0, YES, NO, NO),
        (5, 0, YES, NO, NO),
    ]
    dream.reset()
    assert history(dream, 1) == [(1, 0, NO, NO, NO)]


def test_an_episode_is_truncated_after_its_ticks() -> None:
    dream = scripted(max_ticks=3)
    assert history(dream, 4)[2:] == [(3, 0, NO, YES, NO), (0, 0, NO, NO, YES)]
    assert history(scripted(max_ticks=5), 5)[4] == (5, 100, YES, YES, NO)


def test_frame_skip_holds_the_action_and_adds_the_points() -> None:
    dream = scripted(frame_skip=2)
    assert history(dream, 4) == [
        (2, 20, NO, NO, NO),
        (4, 50, NO, NO, NO),
        (5, 100, YES, NO, NO),  # the end comes in the first of its two ticks
        (0, 0, NO, NO, YES),
    ]


def test_the_model_sees_the_last_frames_and_the_actions_that_led_on_from_them() -> None:
    dream = scripted(length=99)
    for action in (1, 2, 3, 4, 5):
        dream.step(np.array([action], np.int32))
    seen, actions = dream.predictor.shown[-1]  # type: ignore[attr-defined]
    assert seen[0, :, 0, 0, 0].tolist() == [1, 2, 3, 4]
    assert actions.tolist() == [[2, 3, 4, 5]]
    seen, actions = dream.predictor.shown[0]  # type: ignore[attr-defined]
    assert actions.tolist() == [[0, 0, 0, 1]]


def test_each_dream_of_a_batch_ends_and_begins_for_itself() -> None:
    dream = scripted(2, autoreset=Autoreset.NEXT_STEP)
    for _ in range(3):
        dream.step(np.zeros(2, np.int32))
    dream.reset(None, np.array([False, True]))
    assert dream._openings.begun == 3  # type: ignore[attr-defined]
    pictures = []
    for _ in range(4):
        dream.step(np.zeros(2, np.int32))
        pictures.append(dream.render(64)[:, 0, 0, 0].tolist())
    assert pictures == [[4, 1], [5, 2], [0, 3], [1, 4]]


def test_a_dream_begins_as_the_game_does(model: Path) -> None:
    game, dream = MirageEnv(), DreamEnv(model=model)
    wanted, _ = game.reset(seed=2**63 + 7)
    for _ in range(CONTEXT - 1):
        wanted, *_ = game.step(0)
    observation, info = dream.reset(seed=2**63 + 7)
    assert np.array_equal(observation, wanted)
    assert info == {"score": 0}
    # And its next episode as the game's next.
    game.reset()
    for _ in range(CONTEXT - 1):
        wanted, *_ = game.step(0)
    assert np.array_equal(dream.reset()[0], wanted)
    game.close()
    dream.close()


def test_after_the_opening_no_game_code_runs(
    envs: DreamVectorEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirage_env.backends.native import NativeSimulator

    envs.reset(seed=0)
    monkeypatch.delattr(Openings, "begin")
    for method in ("step", "reset", "render"):
        monkeypatch.delattr(NativeSimulator, method)
    before = envs.observe()
    for _ in range(3):
        observations, *_ = envs.step([0, 5, 9])
    assert not np.array_equal(before, observations)


def test_a_dream_does_not_depend_on_the_others_of_its_batch(
    envs: DreamVectorEnv, model: Path
) -> None:
    alone = DreamVectorEnv(1, model=model, num_threads=1)
    batch, _ = envs.reset(seed=40)
    single, _ = alone.reset(seed=42)
    for step in range(4):  # a net of random weights makes much of the last bit of a sum
        assert np.abs(batch[2].astype(int) - single[0]).max() <= 1
        alone.restore(envs.snapshot([2]))  # Or roundings would add up from step to step.
        batch, *_ = envs.step([3, 8, step])
        single, *_ = alone.step([step])
    alone.close()


def test_the_single_dream_passes_gymnasiums_checks(model: Path) -> None:
    env = gymnasium.make("Mirage-Dream-v0", model=model, render_mode="rgb_array", render_size=128)
    check_env(env.unwrapped)
    assert env.reset(seed=1)[0].shape == (64, 64, 3)
    picture = env.render()
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (128, 128, 3)
    env.close()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_dream_is_made_by_gymnasium(model: Path, mode: AutoresetMode) -> None:
    dreams = gymnasium.make_vec(
        "Mirage-Dream-v0", num_envs=2, model=model, autoreset_mode=mode, max_episode_steps=2
    )
    game = MirageVectorEnv(2, autoreset_mode=mode, max_episode_steps=2)
    assert dreams.observation_space == game.observation_space
    assert dreams.action_space == game.action_space
    assert dreams.metadata == game.metadata
    assert dreams.metadata["autoreset_mode"] == mode
    dreams.reset(seed=0)
    game.reset(seed=0)
    for _ in range(4):
        (observations, *flags, infos), (_, *wanted, game_infos) = (
            dreams.step([0, 1]),
            game.step([0, 1]),
        )
        assert observations.dtype == np.uint8
        for got, want in zip(flags, wanted, strict=True):
            assert got.dtype == want.dtype
            assert got.shape == want.shape
        assert np.array_equal(flags[2], wanted[2])  # truncated as the game is
        assert ("final_obs" in infos) == ("final_obs" in game_infos)
    dreams.close()
    game.close()


def test_a_snapshot_has_the_same_future_and_goes_through_pickle(envs: DreamVectorEnv) -> None:
    envs.reset(seed=5)
    envs.step([1, 2, 3])
    saved = pickle.loads(pickle.dumps(envs.snapshot([1])))

    def future() -> list[Any]:
        rows = []
        for step in range(5):
            observations, rewards, *_, infos = envs.step([0, step, 7])
            rows.append((observations[1].copy(), rewards[1], infos["score"][1]))
        return rows

    first = future()
    envs.restore(saved, [1])
    second = future()
    for (a, *numbers), (b, *other) in zip(first, second, strict=True):
        assert np.array_equal(a, b)
        assert numbers == other
    envs.fork(0, [1, 2])
    observations, *_ = envs.step([4, 4, 4])
    assert np.abs(observations.astype(int) - observations[:1]).max() <= 1


def test_a_snapshot_of_other_weights_or_of_the_game_is_refused(
    envs: DreamVectorEnv, tmp_path: Path
) -> None:
    envs.reset(seed=0)
    before = envs.observe()
    other = DreamVectorEnv(1, model=write_model(tmp_path, seed=9), runtime="torch", device="cpu")
    game = MirageVectorEnv(1)
    for stranger in (other, game):
        stranger.reset(seed=1)
        with pytest.raises(ValueError, match="only go back into the same kind"):
            envs.restore(stranger.snapshot(), [0])
        stranger.close()
    assert np.array_equal(before, envs.observe())


def test_a_snapshot_of_an_end_is_refused_where_dreams_never_stand_at_one(model: Path) -> None:
    ended = DreamVectorEnv(
        1, model=model, num_threads=1, autoreset_mode="Disabled", max_episode_steps=1
    )
    ended.reset(seed=0)
    assert ended.step([0])[3].all()
    envs = DreamVectorEnv(1, model=model, num_threads=1, autoreset_mode="SameStep")
    envs.reset(seed=1)
    before = envs.observe()
    with pytest.raises(ValueError, match="holds an episode that is over"):
        envs.restore(ended.snapshot())
    assert np.array_equal(before, envs.observe())
    for made in (ended, envs):
        made.close()


def test_what_a_model_draws_is_decided_by_seed_tick_and_steps(drawing: Path) -> None:
    def pictures(seed: int, steps: int | None) -> list[bytes]:
        envs = DreamVectorEnv(2, model=drawing, num_threads=1, steps=steps)
        envs.reset(seed=seed)
        shown = [envs.step([0, 0])[0].tobytes() for _ in range(3)]
        envs.close()
        return shown

    first = pictures(3, 2)
    assert pictures(3, 2) == first
    assert pictures(3, 1) != first
    assert pictures(4, 2) != first


def test_copies_of_a_dream_draw_the_same_future(drawing: Path) -> None:
    envs = DreamVectorEnv(3, model=drawing, num_threads=1)
    envs.reset(seed=1)
    envs.step([0, 1, 2])
    envs.fork(0, [2])
    saved = envs.snapshot([0])
    one = envs.step([5, 5, 5])[0]
    assert np.array_equal(one[0], one[2])
    assert not np.array_equal(one[0], one[1])
    envs.step([1, 1, 1])
    envs.restore(saved, [1])
    assert np.array_equal(envs.step([0, 5, 0])[0][1], one[0])
    envs.close()


def test_steps_that_cannot_be_are_refused(model: Path, drawing: Path) -> None:
    with pytest.raises(ValueError, match="steps must be None or 1: small is no diffusion model"):
        DreamVectorEnv(1, model=model, steps=2)
    with pytest.raises(ValueError, match="steps must be a whole number from 1 to 64, got 0"):
        DreamVectorEnv(1, model=drawing, steps=0)
    DreamVectorEnv(1, model=model, steps=1).close()


@pytest.mark.parametrize("runtime", ["native", "onnx", "torch"])
def test_all_runtimes_step_dreams_through_their_endings(model: Path, runtime: str) -> None:
    dreams = DreamVectorEnv(
        3,
        model=model,
        runtime=runtime,
        device="cpu",
        max_episode_steps=3,
        output="torch",
        num_threads=1,
    )
    dreams.reset(seed=1)
    truncated_at: list[list[int]] = [[], [], []]
    for step in range(9):
        if step == 5:
            dreams.reset(options={"reset_mask": np.array([True, False, False])})
        observations, rewards, _, truncated, _ = dreams.step([1, 2, 3])
        assert observations.shape == (3, 64, 64, 3)
        assert rewards.shape == (3,)
        for i in np.flatnonzero(truncated.numpy()):
            truncated_at[i].append(step)
    # Three steps, then one in which the next episode begins; the first began anew after five.
    assert truncated_at == [[2, 7], [2, 6], [2, 6]]
    dreams.close()


def test_importing_registers_the_dream_without_the_heavy_packages() -> None:
    code = (
        "import sys, gymnasium, mirage_wm; "
        "assert 'Mirage-Dream-v0' in gymnasium.registry and 'Mirage-v0' in gymnasium.registry; "
        "assert not {'torch', 'onnxruntime', 'pygame', 'tyro'} & set(sys.modules)"
    )
    root = Path(mirage_wm.__file__).parent.parent
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "v99"}, "no model 'v99'"),
        ({"device": "tpu"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        ({"device": None}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got None"),
        ({"device": "cuda:x"}, "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'cuda:x'"),
        ({"device": "cuda:99"}, "device='cuda:99' was asked for and PyTorch finds"),
        ({"runtime": "jax"}, "runtime must be one of 'auto', 'native', 'onnx', 'torch'"),
        ({"runtime": "native", "device": "cuda"}, "runtime='native' computes on the CPU"),
        ({"runtime": "onnx", "device": "cuda"}, "runtime='onnx' computes on the CPU"),
        ({"obs_size": 84}, "obs_size must be 64, .* got 84"),
        ({"obs_type": "state"}, "obs_type must be one of 'rgb'"),
        ({"rules": Rules(rock_speed=0.5)}, r"learned Rules\(\), got Rules\(rock_speed=0\.5\)"),
        ({"rules": 5}, "rules must be a Rules or a sequence of 1 of them, got 5"),
        ({"rules": [Rules(), Rules()]}, "one for each of 1 environments, got 2"),
        ({"num_envs": 0}, "num_envs must be a whole number of at least 1"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"autoreset_mode": "never"}, "autoreset_mode"),
        ({"output": "jax"}, "output must be one of"),
    ],
)
def test_bad_arguments_are_refused(model: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DreamVectorEnv(**{"model": model, **arguments})


def test_an_unknown_keyword_is_refused_with_the_nearest_known(model: Path) -> None:
    with pytest.raises(TypeError, match="did you mean 'model'"):
        DreamVectorEnv(modle=model)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="did you mean 'device'"):
        DreamEnv(devcie="cpu")  # type: ignore[call-arg]


def test_the_standard_rules_may_be_named(model: Path) -> None:
    DreamVectorEnv(2, model=model, rules=[Rules(), Rules()]).close()


@pytest.mark.parametrize("actions", [[0, 1], [0, 1, 12], [0.0, 1.0, 2.0], [0, 1, -1]])
def test_bad_actions_change_nothing(envs: DreamVectorEnv, actions: Any) -> None:
    envs.reset(seed=0)
    envs.step([1, 2, 3])
    before = pickle.dumps(envs.snapshot())
    with pytest.raises(InvalidActionError):
        envs.step(actions)
    assert pickle.dumps(envs.snapshot()) == before


def test_a_closed_dream_says_so(envs: DreamVectorEnv) -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        envs.step([0, 0, 0])
    envs.reset(seed=0)
    envs.close()
    with pytest.raises(gymnasium.error.ClosedEnvironmentError):
        envs.step([0, 0, 0])


@pytest.mark.parametrize(
    ("runtime", "missing", "extra"),
    [
        ("auto", ["safetensors"], "dream"),
        ("onnx", ["onnxruntime"], "onnx"),
        ("torch", ["torch"], "wm"),
    ],
)
def test_a_missing_package_is_told_with_its_extra(
    model: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, missing: list[str], extra: str
) -> None:
    for module in missing:
        for name in [name for name in sys.modules if name.partition(".")[0] == module]:
            monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"needs {missing[0]}.*mirage-env\[{extra}\]"):
        DreamVectorEnv(model=model, runtime=runtime, device="cpu")


def test_changed_weights_are_refused_by_the_environment(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="cut short"):
        DreamEnv(model=path)


def test_openings_of_some_leave_the_others_alone() -> None:
    openings, other = Openings(3, CONTEXT), Openings(1, CONTEXT)
    first = openings.begin(np.array([7, 8, 9], np.uint64), np.ones(3, bool))
    again = openings.begin(None, np.array([False, True, False]))
    assert again.shape == (1, CONTEXT, 64, 64, 3)
    assert openings.episode.tolist() == [0, 1, 0]
    alone = other.begin(np.array([8], np.uint64), np.ones(1, bool))
    assert np.array_equal(alone[0], first[1])
    assert np.array_equal(other.begin(None, np.ones(1, bool)), again)
    assert not np.array_equal(first[1], again[0])


def test_pictures_are_enlarged_without_smoothing() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3), dtype=np.uint8)
    assert np.array_equal(enlarged(picture, 192), picture.repeat(3, 1).repeat(3, 2))
    assert enlarged(picture, 100).shape == (1, 100, 100, 3)


# Waking -------------------------------------------------------------------------------------------


def numbered(model: Path, **how: Any) -> DreamVectorEnv:
    """Return three dreams whose next frame is one more than the last, all over."""
    envs = DreamVectorEnv(3, model=model, num_threads=1, **how)
    envs.dream.predictor = Script(1000)
    envs.reset(seed=0)
    return envs


def film(length: int, first: int = 10) -> NDArray[np.uint8]:
    """Return frames uint8 [1, length, 64, 64, 3], the one after `first` all 1 more."""
    count = np.arange(first, first + length, dtype=np.uint8)
    return np.broadcast_to(count[None, :, None, None, None], (1, length, 64, 64, 3)).copy()


def test_woken_dreams_go_on_from_the_last_four_frames_and_their_keys(model: Path) -> None:
    envs = numbered(model)
    envs.wake(film(6), [[3, 4, 5]], [1])
    assert envs.observe()[1].max() == envs.observe()[1].min() == 15
    envs.step([7, 8, 9])
    frames, actions = envs.dream.predictor.shown[-1]
    assert frames[1, :, 0, 0, 0].tolist() == [12, 13, 14, 15]
    assert actions[1].tolist() == [3, 4, 5, 8]
    assert actions[0].tolist() == [0, 0, 0, 7]
    envs.close()


@pytest.mark.parametrize(
    ("length", "skip", "seen"),
    [
        (4, 1, [10, 11, 12, 13]),
        (7, 2, [10, 12, 14, 16]),  # frames of a stack are a step apart, not a tick
        (4, 2, [10, 10, 11, 13]),  # the oldest stands for those before it
        (12, 2, [15, 17, 19, 21]),
    ],
)
def test_a_stack_of_a_woken_dream_is_what_was_seen_step_by_step(
    length: int, skip: int, seen: list[int], model: Path
) -> None:
    envs = numbered(model, frame_stack=4, frame_skip=skip)
    envs.wake(film(length), [[0, 0, 0]], [2])
    assert envs.observe()[2, :, 0, 0, 0].tolist() == seen
    envs.close()


@pytest.mark.parametrize(
    ("frames", "actions", "said"),
    [
        (film(3), [[0, 0, 0]], r"frames must have the shape \(1, 4, 64, 64, 3\), got \(1, 3,"),
        (film(4)[0], [[0, 0, 0]], r"frames must have the shape \(1, 64, 64, 64, 3\)"),
        (film(4) * 0.5, [[0, 0, 0]], "frames must be whole numbers, got float64"),
        (film(4).astype(int) + 250, [[0, 0, 0]], "frames must be from 0 to 255, got 260 to 263"),
        (film(4), [[0, 0]], r"actions must have the shape \(1, 3\), got \(1, 2\)"),
        (film(4), [[0, 12, 0]], "actions must be from 0 to 11, got 0 to 12"),
    ],
)
def test_what_no_dream_can_wake_from_is_refused(
    frames: Any, actions: Any, said: str, model: Path
) -> None:
    envs = numbered(model)
    before = envs.observe()
    with pytest.raises(ValueError, match=said):
        envs.wake(frames, actions, [0])
    assert np.array_equal(envs.observe(), before)
    envs.close()


def test_one_environment_wakes_as_many_do(model: Path) -> None:
    env = DreamEnv(model=model, num_threads=1, frame_stack=2, frame_skip=3)
    env.reset(seed=0)
    env.wake(film(4)[0], [1, 2, 3])
    assert env.vector_env.observe()[0, :, 0, 0, 0].tolist() == [10, 13]
    env.close()
