"""Training data: which frames, actions, rewards and endings belong together, and which seeds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from device_worlds import NativeWorld
from numpy.typing import NDArray
from small_models import small_agent

from mirage_env.agent import Agent
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import UNIT, Rules, tuning
from mirage_env.simulator import Simulator, SimulatorConfig
from mirage_wm.behaviours import Behaviour, Behaviours, aimed_actions
from mirage_wm.evaluation.objects import KINDS, kinds
from mirage_wm.fields import Fields
from mirage_wm.held_out import films
from mirage_wm.recorder import Chunk, Event, Recorder
from mirage_wm.rewards import REWARDS
from mirage_wm.seeds import HELD_OUT, arena_seeds
from mirage_wm.simulators import FOREVER, make_simulator
from mirage_wm.windows import (
    EVENT_WEIGHTS,
    StoreConfig,
    Windows,
    WindowStore,
    draw_table,
    window_weights,
)

ARENA, EPISODE, TICK, ACTION = range(4)
"""Places in the first row of a picture where the diary writes what happened."""


class Diary(Simulator):
    """A game whose pictures say it all: arena, episode, tick, and the action that led there.

    Episode e of arena i ends after 6 + (i + e) % 5 ticks; ticks divisible by three bring 50 points.
    """

    def reset(self, seeds: Any = None, mask: Any = None) -> None:
        self.arenas[:] = 0
        self.arenas["seed"] = seeds
        self.last = np.zeros(self.num_envs, np.int32)
        self.reward[:], self.terminated[:], self.begun[:] = 0, False, True

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        arenas = self.arenas
        self.begun = arenas["ended"] != 0
        arenas["episode"] += self.begun
        arenas["tick"] = np.where(self.begun, 0, arenas["tick"] + 1)
        self.last = np.where(self.begun, 99, actions)
        length = 6 + (np.arange(self.num_envs) + arenas["episode"]) % 5
        self.terminated = arenas["tick"] >= length
        arenas["ended"] = self.terminated
        self.reward = np.where(arenas["tick"] % 3 == 2, 50, 0).astype(np.int32)
        if frames is not None:
            self.draw(frames)

    def draw(self, frames: NDArray[np.uint8]) -> None:
        frames[:] = 0
        frames[:, 0, ARENA] = np.arange(self.num_envs)[:, None]
        frames[:, 0, EPISODE] = self.arenas["episode"][:, None] % 256
        frames[:, 0, TICK] = self.arenas["tick"][:, None]
        frames[:, 0, ACTION] = self.last[:, None]

    def render(self, size: int, indices: Any = None, **_: Any) -> Any:
        raise NotImplementedError

    def state_hash(self) -> Any:
        raise NotImplementedError


def diary(num_envs: int, threads: int, rules: Any = None) -> Diary:
    return Diary(SimulatorConfig(np.array([tuning(Rules())] * num_envs, np.int32)))


CONFIG = StoreConfig(
    arenas=12, steps=24, chunks=3, table=256, horizons=(1, 4), burn_in=0, threads=1
)


def make_store(seed: int = 5) -> WindowStore:
    recorder = Recorder(CONFIG.arenas, seed, simulator=diary)
    return WindowStore(recorder, CONFIG, "cpu", seed)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arenas": 0}, "arenas must be a whole number of at least 1, got 0"),
        ({"chunks": 0}, "chunks must be a whole number of at least 1, got 0"),
        ({"table": 0}, "table must be a whole number of at least 1, got 0"),
        ({"context": 0}, "context must be a whole number of at least 1, got 0"),
        ({"burn_in": -1}, "burn_in must be a whole number of at least 0, got -1"),
        ({"threads": -1}, "threads must be a whole number of at least 0, got -1"),
        ({"horizons": ()}, "horizons must be one number of frames at least, got none"),
        ({"horizons": (1, 0)}, "horizons must be a whole number of at least 1, got 0"),
        ({"steps": 7}, "steps must be at least 8, the frames of the longest window, got 7"),
    ],
)
def test_a_store_that_could_hold_no_windows_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **changes)


def test_the_least_store_that_there_can_be_holds_windows() -> None:
    least = StoreConfig(
        arenas=1, steps=5, chunks=1, table=1, context=4, horizons=(1,), burn_in=0, threads=0
    )
    store = WindowStore(Recorder(1, 0, threads=1), least, "cpu", 0)
    store.start()
    assert store.sample(4, 1).frames.shape == (4, 5, 64, 64, 3)
    store.close()


@pytest.fixture
def store() -> Any:
    made = make_store()
    made.start()
    yield made
    made.close()


@pytest.mark.parametrize("future", [1, 4])
def test_frames_actions_rewards_and_endings_belong_together(
    store: WindowStore, future: int
) -> None:
    windows = store.sample(400, future)
    assert windows.frames.shape == (400, 4 + future, 64, 64, 3)
    assert windows.actions.shape == (400, 3 + future)
    told = windows.frames[:, :, 0, :, 0].numpy().astype(int)
    arena, episode, tick = told[..., ARENA], told[..., EPISODE], told[..., TICK]
    # All frames of a window are consecutive ones of one episode.
    assert (arena == arena[:, :1]).all()
    assert (episode == episode[:, :1]).all()
    assert (np.diff(tick) == 1).all()
    # The action at each place is the one that led from the frame there to the next.
    assert (told[:, 1:, ACTION] == windows.actions.numpy()).all()
    assert len(np.unique(windows.actions)) > 5
    # The reward and the ending are those that came with each predicted frame.
    points = np.array(REWARDS)[windows.rewards.numpy()]
    assert (points == np.where(tick[:, 4:] % 3 == 2, 50, 0)).all()
    ends = tick[:, 4:] >= 6 + (arena + episode)[:, 4:] % 5
    assert (windows.terminated.numpy() == ends).all()
    assert 0 < ends.mean() < 1


def test_windows_begin_with_the_first_frame_of_an_episode_too(store: WindowStore) -> None:
    ticks = store.sample(800, 1).frames[:, 0, 0, TICK, 0]
    assert (ticks == 0).any()


def test_weights_of_a_history_written_by_hand() -> None:
    # One arena, twelve steps: an episode begins at 2, a wave comes at 8, another begins at 10.
    begun, events = torch.zeros(12, 1).bool(), torch.zeros(12, 1, dtype=torch.uint8)
    begun[[2, 10]], events[[2, 10]] = True, int(Event.BEGIN)
    events[8] = int(Event.WAVE)
    wave, begin = EVENT_WEIGHTS[Event.WAVE], EVENT_WEIGHTS[Event.BEGIN]
    # Windows of 3 + 1 frames: those from 0, 1, 7 and 8 reach over a beginning.
    weights = window_weights(begun, events, context=3, k=1)
    assert weights[:, 0].tolist() == [0, 0, begin, wave, wave, wave, wave, 0, 0]
    # The wave's weight holds from two ticks before it to two after; the target of window 2 is 5.
    only_the_wave = torch.where(events == int(Event.BEGIN), 0, events)
    for given in ({}, {"waves": 2.5 * wave}):
        weights = window_weights(begun, only_the_wave, context=3, k=1, **given)
        w = given.get("waves", wave)
        assert weights[:, 0].tolist() == [0, 0, 1, w, w, w, w, 0, 0]


def test_chunks_shorter_than_a_window_are_refused() -> None:
    nothing = torch.zeros(6, 1, dtype=torch.uint8)
    with pytest.raises(ValueError, match="a window has 8 frames and a chunk 6"):
        window_weights(nothing.bool(), nothing, context=4, k=4)


def test_windows_are_drawn_as_often_as_their_weights_say() -> None:
    store = make_store()
    store.start()
    chunk = Chunk.empty(CONFIG.steps, CONFIG.arenas)
    Recorder(CONFIG.arenas, 5, simulator=diary).record(chunk)  # the store's first chunk
    begun, events = torch.from_numpy(chunk.begun), torch.from_numpy(chunk.events)
    weights = window_weights(begun, events, 4, 1).ravel().numpy()
    drawn = np.bincount(store._tables[1][0].numpy(), minlength=weights.size)
    store.close()
    assert drawn.sum() == CONFIG.table
    assert (drawn[weights == 0] == 0).all()
    for weight in np.unique(weights[weights > 0]):
        alike = weights == weight
        share = weights[alike].sum() / weights.sum()
        slack = 4 * np.sqrt(share * (1 - share) / CONFIG.table)
        assert abs(drawn[alike].sum() / CONFIG.table - share) < slack


def test_waves_are_drawn_as_often_as_the_config_says() -> None:
    begun, events = torch.zeros(12, 1).bool(), torch.zeros(12, 1, dtype=torch.uint8)
    events[8] = int(Event.WAVE)
    chunk = Chunk(None, None, None, None, begun, events)
    for waves in (1.0, 20.0):
        config = replace(CONFIG, table=4000, waves=waves)
        starts = draw_table(chunk, config, 1, 0, 0)
        # Of the eight windows, those whose targets are the steps from 6 to 10.
        near = ((starts >= 2) & (starts <= 6)).float().mean()
        assert near == pytest.approx(5 * waves / (5 * waves + 3), abs=0.03)


def test_old_chunks_are_replaced_by_new_ones(store: WindowStore) -> None:
    def episodes() -> set[int]:
        return set(store.sample(500, 1).frames[:, 0, 0, EPISODE, 0].tolist())

    before = episodes()
    for _ in range(CONFIG.chunks + 1):
        store.advance()
    assert max(before) < min(episodes()) + 2
    assert max(before) < max(episodes())


def test_a_store_goes_on_from_its_state_with_the_same_windows(store: WindowStore) -> None:
    store.advance()
    store.sample(8, 1)
    state = store.state_dict()

    def future_of(some: WindowStore) -> list[Windows]:
        drawn = []
        for _ in range(5):
            drawn += [some.sample(16, 1), some.sample(16, 4)]
            some.advance()
        return drawn

    wanted = future_of(store)
    resumed = make_store()
    resumed.load_state_dict(state)
    resumed.start()
    got = future_of(resumed)
    resumed.close()
    for one, other in zip(wanted, got, strict=True):
        for a, b in zip(one, other, strict=True):
            assert torch.equal(a, b)


def test_a_length_that_was_not_prepared_is_refused(store: WindowStore) -> None:
    with pytest.raises(ValueError, match="futures of 7 frames are not prepared"):
        store.sample(4, 7)


def test_a_failure_while_playing_reaches_the_training() -> None:
    class Broken(Diary):
        def draw(self, frames: NDArray[np.uint8]) -> None:
            raise OSError("out of ink")

    def broken(num_envs: int, threads: int, rules: Any = None) -> Broken:
        return Broken(SimulatorConfig(np.array([tuning(Rules())] * num_envs, np.int32)))

    store = WindowStore(Recorder(12, 0, simulator=broken), CONFIG, "cpu", 0)
    with pytest.raises(RuntimeError, match="the thread that plays the game has failed") as caught:
        store.start()
    assert "out of ink" in str(caught.value.__cause__)
    store.close()


@pytest.mark.parametrize(
    ("purpose", "first"),
    [("training", HELD_OUT), ("training", HELD_OUT - 1), ("training", -1), ("evaluation", 0)],
)
def test_seeds_of_the_other_purpose_are_refused(purpose: Any, first: int) -> None:
    with pytest.raises(ValueError, match=f"seeds for {purpose} must lie from"):
        Recorder(2, first, purpose, simulator=diary)


def test_training_and_evaluation_share_no_seed() -> None:
    assert arena_seeds("training", HELD_OUT - 2, 2)[-1] == HELD_OUT - 1
    assert arena_seeds("evaluation", HELD_OUT, 2)[0] == HELD_OUT
    assert arena_seeds("evaluation", HELD_OUT, 2).dtype == np.uint64


def test_the_real_game_is_recorded_with_all_its_events() -> None:
    recorder = Recorder(128, 3, burn_in=200, threads=1)
    chunk = Chunk.empty(64, 128)
    seen, waves, lives = 0, set(), set()
    for _ in range(6):
        recorder.record(chunk)
        seen |= int(np.bitwise_or.reduce(chunk.events, None))
        waves |= set(recorder.simulator.arenas["wave"].tolist())
        lives |= set(recorder.simulator.arenas["lives"].tolist())
        assert ((chunk.events & Event.END != 0) == chunk.terminated).all()
        assert ((chunk.events & Event.BEGIN != 0) == chunk.begun).all()
        # An episode that is over is followed by another.
        assert chunk.begun[1:][chunk.terminated[:-1]].all()
    assert Event(seen) == Event(255)
    assert waves >= {1, 2, 3, 4, 5, 6}
    assert lives >= {1, 2, 3}


def test_in_training_ships_that_are_gone_without_a_blast_come_back() -> None:
    def watch(purpose: Any, seed: int) -> tuple[int, int]:
        recorder = Recorder(256, seed, purpose, burn_in=60, threads=1)
        chunk, gone, back = Chunk.empty(1, 256), 0, 0
        for _ in range(150):
            before = recorder.simulator.arenas.copy()
            away = (before["lives"] == 0) & (before["dying"] == 0) & (before["ended"] == 0)
            due = (before["lives"] > 0) & (before["dying"] == 1)
            recorder.record(chunk)
            # Nothing of a ship, of a blast or of a shield is to be seen of what is gone.
            if away.any():
                seen = kinds(torch.from_numpy(chunk.frames[0, away]))
                assert not (seen == KINDS.index("ship")).any()
            # What comes back does so as after a blast, and is no other history.
            assert (chunk.events[0, due] & Event.SHIELD != 0).all()
            assert not chunk.begun[0, due].any()
            after = recorder.simulator.arenas
            gone += int(away.sum())
            back += int((away & (after["dying"] == 1) & (after["lives"] > 0)).sum())
        return gone, back

    gone, back = watch("training", 3)
    assert gone > 500
    assert back / gone == pytest.approx(Recorder.BACK, rel=0.3)
    assert watch("evaluation", HELD_OUT) == (0, 0)


def test_held_out_films_are_of_one_episode_each_and_differ() -> None:
    plain = films(24, 3)
    assert plain.frames.shape[1:] == (7, 64, 64, 3)
    assert plain.actions.shape[1:] == (6,)
    assert len(np.unique(plain.frames.numpy().reshape(len(plain.frames), -1), axis=0)) > 12


def scene(rock: tuple[float, float], heading: int = 0) -> Any:
    """Return one arena with the ship at its origin and a still rock at a place in units."""
    arenas = np.zeros(1, ARENA_DTYPE)
    arenas["rock_x"][0, 0] = int(rock[0] * UNIT) % 2**32
    arenas["rock_y"][0, 0] = int(rock[1] * UNIT) % 2**32
    arenas["rock_size"][0, 0], arenas["lives"], arenas["ship_heading"] = 3, 3, heading
    return arenas


@pytest.mark.parametrize(
    ("rock", "action"),
    [((20, 0), 1), ((0, -20), 4), ((0, 20), 8), ((50, 0), 8)],
    ids=["before it: fire", "above: left", "below: right", "behind, over the edge: right"],
)
def test_the_hunter_turns_to_the_nearest_rock_and_shoots(
    rock: tuple[float, float], action: int
) -> None:
    pressed = aimed_actions(Fields(scene(rock)), torch.tensor([Behaviour.HUNTER]))
    assert pressed.tolist() == [action]


def test_the_fleeing_turn_away_and_thrust() -> None:
    fleeing = torch.tensor([Behaviour.FLEEING])
    assert aimed_actions(Fields(scene((-20, 0))), fleeing).tolist() == [2]
    assert aimed_actions(Fields(scene((0, 20))), fleeing)[0] // 4 == 1


def test_players_press_the_same_keys_for_the_same_seed() -> None:
    arenas = Fields(np.concatenate([scene((20, 0)), scene((-20, 3))] * 8))

    def players(first: int) -> Behaviours:
        return Behaviours(torch.arange(first, first + 16))

    def keys(some: Behaviours, ticks: int) -> list[list[int]]:
        return [some.act(arenas).tolist() for _ in range(ticks)]

    some = players(100)
    first = keys(some, 50)
    assert first == keys(players(100), 50)
    assert first != keys(players(200), 50)
    assert {action for row in first for action in row} == set(range(12))
    state = some.state_dict()
    later = keys(some, 50)
    other = players(100)
    other.load_state_dict(state)
    assert keys(other, 50) == later


AGENTS = pytest.mark.parametrize("agent", [None, small_agent()], ids=["scripted", "agent"])


@AGENTS
def test_what_an_arena_plays_does_not_depend_on_the_others(agent: Agent | None) -> None:
    def chunk(first: int, arenas: int) -> Chunk:
        recorder = Recorder(arenas, first, burn_in=40, threads=1, agent=agent)
        recorded = Chunk.empty(12, arenas)
        recorder.record(recorded)
        return recorded

    many, few = chunk(10, 40), chunk(20, 11)
    for name in ("frames", "actions", "rewards", "terminated", "begun", "events"):
        assert np.array_equal(getattr(many, name)[:, 10:21], getattr(few, name)), name


def test_the_fields_of_arenas_are_their_memory() -> None:
    arenas = np.zeros(3, ARENA_DTYPE)
    rng = np.random.default_rng(0)
    arenas.view(np.uint8)[:] = rng.integers(0, 256, arenas.nbytes, dtype=np.uint8)
    fields = Fields(arenas)
    for name in ARENA_DTYPE.names or ():
        got = fields[name].numpy()
        assert got.shape == arenas[name].shape, name
        assert np.array_equal(got.view(arenas[name].dtype), arenas[name]), name
        fields[name][:] = 1
        assert (arenas[name] == 1).all(), name


@AGENTS
def test_a_device_that_plays_gives_the_windows_that_the_host_gives(agent: Agent | None) -> None:
    config = StoreConfig(
        arenas=24, steps=16, chunks=2, table=64, horizons=(1, 4), burn_in=30, threads=1
    )

    def windows(simulator: Any) -> list[torch.Tensor]:
        recorder = Recorder(24, 7, burn_in=30, threads=1, agent=agent, simulator=simulator)
        store = WindowStore(recorder, config, "cpu", 7)
        assert recorder.on_device is (simulator is not make_simulator)
        store.start()
        drawn = []
        for step in range(4):
            drawn += [*store.sample(32, 1), *store.sample(32, 4)]
            if step == 1:
                state = store.state_dict()
            store.advance()
        store.close()
        resumed = Recorder(24, 7, threads=1, agent=agent, simulator=simulator)
        again = WindowStore(resumed, config, "cpu", 7)
        again.load_state_dict(state)
        again.start()
        again.advance()
        after = [*again.sample(32, 1), *again.sample(32, 4)]
        again.close()
        assert all(torch.equal(a, b) for a, b in zip(after, drawn[20:30], strict=True))
        return drawn

    device = windows(lambda arenas, threads, rules: NativeWorld(arenas, rules, FOREVER))
    for one, other in zip(windows(make_simulator), device, strict=True):
        assert torch.equal(one, other)


def test_in_training_waves_are_announced_more_often_than_in_play() -> None:
    def announced(purpose: Any, seed: int) -> int:
        recorder = Recorder(128, seed, purpose, burn_in=300, threads=1)
        chunk, found = Chunk.empty(64, 128), 0
        for _ in range(4):
            recorder.record(chunk)
            found += int((chunk.events & int(Event.WAVE) != 0).sum())
            # What does not follow from the frame before it is never an announcement.
            assert (chunk.events[chunk.begun] & int(Event.WAVE) == 0).all()
        return found

    assert announced("training", 3) > 2 * announced("evaluation", HELD_OUT + 3) > 0
