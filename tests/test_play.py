"""The player: sessions, controls, pictures, and the window by posted events."""

from __future__ import annotations

import math

import numpy as np
import pytest

pygame = pytest.importorskip("pygame")

from mirage_env.play.app import App, display_missing  # noqa: E402
from mirage_env.play.controls import BUTTON_KEYS, COMMAND_KEYS, Command, Controls  # noqa: E402
from mirage_env.play.demo import Demonstration  # noqa: E402
from mirage_env.play.ink import text  # noqa: E402
from mirage_env.play.layout import layout, window_size  # noqa: E402
from mirage_env.play.pace import Pace  # noqa: E402
from mirage_env.play.record import picture, record  # noqa: E402
from mirage_env.play.session import LINGER, Session  # noqa: E402
from mirage_env.play.view import Overlay, View  # noqa: E402
from mirage_env.play.worlds import DreamWorld, GameWorld, load_dream  # noqa: E402

LEFT, RIGHT, THRUST, FIRE = 4, 8, 2, 1


class Diary:
    """A world that only writes down what happens to it; it is over after `length` ticks."""

    wave = lives = None

    def __init__(self, name="GAME", pixels=0, length=10**9):
        self.name, self.pixels, self.length = name, pixels, length
        self.begun, self.score, self.over = [], 0, False
        self.actions, self.sizes = [], []

    def begin(self, seed):
        self.begun.append(seed)
        self.actions, self.score, self.over = [], 0, False

    def step(self, action):
        assert not self.over
        self.actions.append(action)
        self.score += 10
        self.over = len(self.actions) >= self.length

    def picture(self, size):
        self.sizes.append(size)
        edge = self.pixels or size
        return np.full((edge, edge, 3), 7 * len(self.actions) % 256, np.uint8)


class SmallGame(DreamWorld):
    """A dream that happens to be true: the game's small pictures, through the dream's adapter."""

    def __init__(self):
        super().__init__(GameWorld().env)


def two():
    return Session([Diary(), Diary("DREAM", pixels=64)], seed=5)


# Session ------------------------------------------------------------------------------------------


def test_every_world_gets_every_action_whichever_is_in_view():
    session = two()
    for i in range(6):
        session.advance(i)
        session.switch()
    assert [world.actions for world in session.worlds] == [[0, 1, 2, 3, 4, 5]] * 2


def test_a_pause_stops_all_worlds_and_ends():
    session = two()
    session.pause()
    assert not session.advance(1)
    assert session.tick == 0
    session.pause()
    assert session.advance(1)
    assert [world.actions for world in session.worlds] == [[1], [1]]


def test_a_single_step_plays_one_tick_and_stays_paused():
    session = two()
    session.single_step(3)
    assert not session.advance(1)
    assert session.worlds[0].actions == [3]
    assert session.paused


def test_a_reset_begins_the_next_seed_in_all_worlds_and_goes_on():
    session = two()
    session.advance(1)
    session.pause()
    session.reset()
    assert [world.begun for world in session.worlds] == [[5, 6], [5, 6]]
    assert (session.tick, session.paused, session.seed) == (0, False, 6)


def test_an_ended_world_waits_while_the_other_plays_on():
    session = Session([Diary(length=2), Diary("DREAM", 64)], seed=0)
    for _ in range(5):
        session.advance(1)
    assert [len(world.actions) for world in session.worlds] == [2, 5]
    assert session.over
    session.switch()
    assert not session.over


def test_a_session_restarts_by_itself_only_where_it_should():
    for restart, begun in ((True, [0, 1]), (False, [0])):
        session = Session([Diary(length=2)], seed=0, restart=restart)
        for _ in range(LINGER + 2):
            session.advance(0)
        assert session.worlds[0].begun == begun


def test_the_best_score_outlives_a_reset():
    session = two()
    session.advance(0)
    session.advance(0)
    session.reset()
    session.advance(0)
    assert session.best == [20, 20]


def test_switching_shows_one_world_and_both_shows_two():
    session = two()
    assert session.shown.name == "GAME"
    assert session.switch()
    assert session.shown.name == "DREAM"
    assert session.show_both()
    assert [world.name for world in session.visible] == ["GAME", "DREAM"]
    session.switch()
    assert [world.name for world in session.visible] == ["GAME"]


def test_without_a_dream_there_is_nothing_to_switch_to():
    session = Session([Diary()], seed=0)
    assert not session.switch()
    assert not session.show_both()
    assert session.visible == session.worlds
    with pytest.raises(ValueError, match="no world 'DREAM' in this session, only GAME"):
        session.show("DREAM")
    with pytest.raises(ValueError, match="at least one world"):
        Session([], seed=0)


def test_likeness_is_the_psnr_of_the_small_pictures():
    session = two()
    assert session.likeness() == 99
    session.worlds[1].step(0)
    assert session.likeness() == pytest.approx(20 * math.log10(255 / 7), abs=1e-4)
    assert Session([Diary()], seed=0).likeness() is None


def test_game_and_true_dream_are_alike_and_count_alike():
    session = Session([GameWorld(), SmallGame()], seed=3)
    pilot = Demonstration()
    for _ in range(150):
        session.advance(pilot.action(session.worlds[0].state()))
    assert session.likeness() == 99
    game, dream = session.worlds
    assert game.score == dream.score > 0
    assert dream.lives is None


class Later(SmallGame):
    """A dream that begins some ticks into the game."""

    def __init__(self, ticks):
        super().__init__()
        self.ticks = ticks

    def begin(self, seed):
        super().begin(seed)
        for _ in range(self.ticks):
            self.step(0)


@pytest.mark.parametrize(("ahead", "waits"), [(0, 0), (3, 3), (15, 15), (40, 0)])
def test_the_game_idles_until_it_shows_what_the_dream_begins_with(ahead, waits):
    session = Session([GameWorld(), Later(ahead)], seed=2)
    for _ in range(2):
        assert session.worlds[0].state()["tick"] == waits
        assert (session.likeness() == 99) == (ahead == waits)
        assert session.tick == 0
        session.reset()


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """A file of weights that have learned nothing, of a small net."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from mirage_wm.regression import Regression
    from mirage_wm.unet_config import UNetConfig
    from mirage_wm.weights import save_weights

    torch.manual_seed(0)
    config = UNetConfig(widths=(8, 8), blocks=1, embedding=8)
    model = Regression(config)
    return save_weights(tmp_path_factory.mktemp("w"), "new", model, {})


def test_a_dream_that_knows_nothing_begins_like_the_game_and_parts_from_it(untrained):
    session = Session([GameWorld(), load_dream(str(untrained))], seed=9)
    game, dream = session.worlds
    assert session.likeness() == 99
    assert game.state()["tick"] == 3
    for _ in range(5):
        session.advance(FIRE)
    assert session.likeness() < 99
    assert dream.picture(0).shape == (64, 64, 3)
    session.reset()
    assert session.likeness() == 99
    assert (dream.score, dream.over) == (0, False)


def test_a_model_that_is_not_there_is_named():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="no-such-model"):
        load_dream("no-such-model")


# Controls -----------------------------------------------------------------------------------------


def key(code, down=True):
    return pygame.event.Event(pygame.KEYDOWN if down else pygame.KEYUP, key=code)


@pytest.mark.parametrize(
    ("codes", "action"),
    [
        ([], 0),
        ([pygame.K_LEFT], LEFT),
        ([pygame.K_a], LEFT),
        ([pygame.K_RIGHT], RIGHT),
        ([pygame.K_d], RIGHT),
        ([pygame.K_UP], THRUST),
        ([pygame.K_w], THRUST),
        ([pygame.K_SPACE], FIRE),
        ([pygame.K_LEFT, pygame.K_UP, pygame.K_SPACE], LEFT + THRUST + FIRE),
        ([pygame.K_LEFT, pygame.K_RIGHT], RIGHT),
        ([pygame.K_RIGHT, pygame.K_LEFT], LEFT),
    ],
)
def test_keys_become_actions(codes, action):
    controls = Controls()
    for code in codes:
        controls.feed(key(code))
    assert controls.action() == action
    assert controls.action() == action  # still held
    for code in codes:
        controls.feed(key(code, down=False))
    assert controls.action() == 0


def test_a_tap_between_two_ticks_counts_once():
    controls = Controls()
    controls.feed(key(pygame.K_SPACE))
    controls.feed(key(pygame.K_SPACE, down=False))
    assert [controls.action(), controls.action()] == [FIRE, 0]


def test_the_first_of_two_held_keys_comes_back_when_the_second_is_let_go():
    controls = Controls()
    controls.feed(key(pygame.K_LEFT))
    controls.feed(key(pygame.K_RIGHT))
    controls.action()
    controls.feed(key(pygame.K_RIGHT, down=False))
    assert controls.action() == LEFT


def test_keys_are_let_go_when_the_window_loses_the_focus():
    controls = Controls()
    controls.feed(key(pygame.K_UP))
    controls.feed(pygame.event.Event(pygame.WINDOWFOCUSLOST))
    assert controls.action() == 0


def test_every_command_has_a_key_and_no_key_has_two_meanings():
    controls = Controls()
    assert {controls.feed(key(code)) for code in COMMAND_KEYS} == set(Command)
    assert not set(COMMAND_KEYS) & set(BUTTON_KEYS)
    assert controls.action() == 0
    assert controls.feed(key(pygame.K_F9)) is None


def pad(kind, **what):
    return pygame.event.Event(kind, instance_id=what.pop("id", 0), **what)


def axis(number, value, **what):
    return pad(pygame.JOYAXISMOTION, axis=number, value=value, **what)


def test_a_stick_turns_and_thrusts():
    controls = Controls()
    seen = []
    for number, value in [(0, -0.9), (0, 0.9), (1, -0.9), (0, 0.0), (1, 0.9), (5, 1.0)]:
        controls.feed(axis(number, value))
        controls.action()
        seen.append(controls.action())
    assert seen == [LEFT, RIGHT, RIGHT + THRUST, THRUST, 0, 0]


def test_a_stick_does_not_chatter_at_its_threshold():
    controls = Controls()
    seen = []
    for value in (0.45, 0.55, 0.45, 0.4, 0.3, 0.45):
        controls.feed(axis(0, value))
        controls.action()
        seen.append(controls.action())
    assert seen == [0, RIGHT, RIGHT, RIGHT, 0, 0]


def test_a_cross_and_buttons_steer():
    controls = Controls()
    controls.feed(pad(pygame.JOYHATMOTION, hat=0, value=(-1, 1)))
    controls.feed(pad(pygame.JOYBUTTONDOWN, button=0))
    assert controls.action() == LEFT + THRUST + FIRE
    controls.feed(pad(pygame.JOYHATMOTION, hat=0, value=(0, 0)))
    controls.feed(pad(pygame.JOYBUTTONUP, button=0))
    assert controls.action() == 0
    assert controls.feed(pad(pygame.JOYBUTTONDOWN, button=7)) is Command.PAUSE


def test_keys_and_pads_add_up():
    controls = Controls()
    controls.feed(key(pygame.K_SPACE))
    controls.feed(axis(0, 1.0, id=0))
    controls.feed(pad(pygame.JOYBUTTONDOWN, id=1, button=1))
    assert controls.action() == RIGHT + THRUST + FIRE


def test_pulling_out_a_gamepad_lets_go_of_it_alone():
    controls = Controls()
    controls.feed(axis(0, 1.0, id=3))
    controls.feed(pad(pygame.JOYBUTTONDOWN, id=4, button=0))
    controls.action()
    controls.feed(pygame.event.Event(pygame.JOYDEVICEREMOVED, instance_id=3))
    assert controls.action() == FIRE


def test_plugging_in_a_gamepad_opens_it(monkeypatch):
    class Pad:
        def __init__(self, index):
            if index:
                raise pygame.error("gone")

        def get_instance_id(self):
            return 12

        def get_name(self):
            return "Pad"

    monkeypatch.setattr(pygame.joystick, "Joystick", Pad)
    controls = Controls()
    controls.feed(pygame.event.Event(pygame.JOYDEVICEADDED, device_index=0))
    controls.feed(pygame.event.Event(pygame.JOYDEVICEADDED, device_index=1))
    assert controls.gamepads == {12: "Pad"}
    controls.feed(pygame.event.Event(pygame.JOYDEVICEREMOVED, instance_id=12))
    assert controls.gamepads == {}


# Layout and pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize("worlds", [1, 2])
@pytest.mark.parametrize("grain", [1, 64])
def test_arenas_and_panels_fit_any_window_without_overlap(worlds, grain):
    for width in range(200, 2600, 170):
        for height in range(200, 1700, 130):
            places = layout(width, height, worlds, grain)
            window = pygame.Rect(0, 0, width, height)
            parts = [*places.arenas, *places.panels]
            assert all(window.contains(part) for part in parts), (width, height)
            for i, part in enumerate(parts):
                assert part.collidelist(parts[i + 1 :]) == -1
            edge = places.arenas[0].width
            assert all(arena.size == (edge, edge) for arena in places.arenas)
            assert edge <= 1024
            assert edge % grain == 0 or edge < grain


@pytest.mark.parametrize("worlds", [1, 2])
@pytest.mark.parametrize("edge", [64, 256, 512, 640, 1024])
def test_a_window_for_an_arena_size_has_it(worlds, edge):
    width, height = window_size(edge, worlds)
    assert layout(width, height, worlds, 64).arenas[0].width == edge
    assert width % 2 == height % 2 == 0


def test_a_window_of_one_pixel_can_be_drawn():
    for size in ((1, 1), (40, 900), (900, 40)):
        View().draw(pygame.Surface(size), two(), Overlay(fps=30.0, help=True, notice="a notice"))


def test_the_game_is_drawn_by_the_simulator_at_the_size_of_the_window():
    session = Session([GameWorld()], seed=1)
    for edge in (333, 640):
        surface = pygame.Surface(window_size(edge, 1))
        arena = View().draw(surface, session).arenas[0]
        assert abs(arena.width - edge) <= 1
        shown = pygame.surfarray.array3d(surface.subsurface(arena)).swapaxes(0, 1)
        assert np.array_equal(shown, session.shown.picture(arena.width))


def test_a_dream_is_drawn_as_even_squares_one_for_each_of_its_pixels():
    session = Session([GameWorld(), SmallGame()], seed=1)
    session.switch()
    surface = pygame.Surface(window_size(512, 1))
    arena = View().draw(surface, session).arenas[0]
    assert arena.width == 512
    shown = pygame.surfarray.array3d(surface.subsurface(arena)).swapaxes(0, 1)
    assert np.array_equal(shown, session.shown.picture(0).repeat(8, axis=0).repeat(8, axis=1))


def test_score_and_lives_are_written_outside_of_the_arena():
    session = Session([GameWorld()], seed=1)
    before = picture(session, 512)
    session.shown.score, session.shown.lives = 12340, 1
    after = picture(session, 512)
    changed = np.argwhere((before != after).any(axis=2))
    assert len(changed)
    height, width = before.shape[:2]
    assert changed[:, 1].min() > layout(width, height, 1).arenas[0].right


@pytest.mark.parametrize("both", [False, True])
def test_every_state_of_the_player_looks_different(both):
    looks = {}
    for state in ("playing", "paused", "over", "help", "notice"):
        session = two()
        if both:
            session.show_both()
        for world in session.worlds:
            world.over = state == "over"
        session.paused = state == "paused"
        overlay = Overlay(
            fps=30.0, help=state == "help", notice="told" if state == "notice" else ""
        )
        surface = pygame.Surface((900, 640))
        View().draw(surface, session, overlay)
        looks[pygame.image.tobytes(surface, "RGB")] = state
    assert len(looks) == 5


def test_letters_are_drawn_after_another_program_of_the_process_has_quit_pygame():
    """As Gymnasium's CartPole does when it is closed."""
    surface = pygame.Surface((200, 40))
    text(surface, "before", (0, 20), 20, (255, 255, 255))
    pygame.quit()
    for string in ("before", "after"):
        surface.fill((0, 0, 0))
        text(surface, string, (0, 20), 20, (255, 255, 255))
        assert any(pygame.image.tobytes(surface, "RGB"))


# The window ---------------------------------------------------------------------------------------


@pytest.fixture
def app(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    app = App(Session([GameWorld(), SmallGame()], seed=1), edge=512)
    yield app
    app.close()


def press(*codes):
    for code in codes:
        pygame.event.post(key(code))


def heading(app):
    return int(app.session.worlds[0].state()["ship_heading"])


def test_posted_keys_turn_the_ship(app):
    first = heading(app)
    press(pygame.K_LEFT)
    app.advance()
    app.advance()
    assert heading(app) == first + 6
    pygame.event.post(key(pygame.K_LEFT, down=False))
    press(pygame.K_RIGHT)
    app.advance()
    assert heading(app) == first + 3


def test_posted_space_fires_and_up_thrusts(app):
    press(pygame.K_SPACE, pygame.K_UP)
    app.advance()
    state = app.session.worlds[0].state()
    assert (state["bullet_life"] > 0).sum() == 1
    assert state["thrusting"] == 1


def test_p_pauses_and_n_plays_one_tick(app):
    press(pygame.K_p)
    app.advance()
    app.advance()
    assert app.session.tick == 0
    press(pygame.K_n)
    app.advance()
    app.advance()
    assert app.session.tick == 1
    press(pygame.K_PERIOD, pygame.K_LEFT)
    first = heading(app)
    app.advance()
    assert (app.session.tick, heading(app)) == (2, first)
    press(pygame.K_n)  # the key is held down by now
    app.advance()
    assert (app.session.tick, heading(app)) == (3, first + 3)
    press(pygame.K_p)
    app.advance()
    assert app.session.tick == 4


def test_r_begins_a_new_game(app):
    app.advance()
    press(pygame.K_r)
    app.advance()
    assert (app.session.seed, app.session.tick) == (2, 1)


def shown(app):
    surface = pygame.display.get_surface()
    return [
        pygame.surfarray.array3d(surface.subsurface(arena)).swapaxes(0, 1)
        for arena in app.places.arenas
    ]


def test_tab_switches_to_the_dream_in_the_same_place(app):
    app.advance()
    place = app.places.arenas[0]
    press(pygame.K_TAB)
    app.advance()
    assert app.places.arenas[0] == place
    (dream,) = shown(app)
    assert np.array_equal(dream, app.session.worlds[1].picture(0).repeat(8, 0).repeat(8, 1))
    press(pygame.K_TAB)
    app.advance()
    (game,) = shown(app)
    assert np.array_equal(game, app.session.worlds[0].picture(512))


def test_b_shows_both_side_by_side_and_one_again(app):
    press(pygame.K_b)
    app.advance()
    game, dream = shown(app)
    edge = len(game)
    assert np.array_equal(game, app.session.worlds[0].picture(edge))
    assert np.array_equal(dream[:: edge // 64, :: edge // 64], app.session.worlds[1].picture(0))
    press(pygame.K_b)
    app.advance()
    assert len(shown(app)) == 1


def test_a_resize_draws_the_arena_anew_at_the_new_size(app):
    app.advance()
    event = pygame.event.Event(pygame.VIDEORESIZE, size=(1250, 900), w=1250, h=900)
    pygame.event.post(event)
    app.advance()
    assert pygame.display.get_surface().get_size() == (1250, 900)
    assert app.places.arenas[0].width == 832
    assert np.array_equal(shown(app)[0], app.session.worlds[0].picture(832))


def test_help_opens_stops_the_game_and_closes(app):
    press(pygame.K_h)
    app.advance()
    app.advance()
    assert (app.help, app.session.tick) == (True, 0)
    press(pygame.K_ESCAPE)
    assert app.advance()
    assert (app.help, app.session.tick) == (False, 1)


@pytest.mark.parametrize("code", [pygame.K_q, pygame.K_ESCAPE, None])
def test_q_escape_and_the_window_quit(app, code):
    pygame.event.post(pygame.event.Event(pygame.QUIT) if code is None else key(code))
    assert not app.advance()
    assert app.session.tick == 0


def test_a_posted_gamepad_steers(app):
    first = heading(app)
    pygame.event.post(axis(0, -1.0))
    pygame.event.post(pad(pygame.JOYBUTTONDOWN, button=1))
    app.advance()
    state = app.session.worlds[0].state()
    assert (heading(app), int(state["thrusting"])) == (first + 3, 1)


def test_run_ends_at_quit_and_closes_the_window(app):
    press(pygame.K_q)
    app.run()
    assert pygame.display.get_surface() is None


def test_a_demonstration_plays_until_a_person_takes_over(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    session = Session([Diary()], seed=0, restart=True)
    app = App(session, edge=128, pilot=lambda: THRUST)
    app.advance()
    press(pygame.K_SPACE)
    app.advance()
    pygame.event.post(key(pygame.K_SPACE, down=False))
    app.advance()
    assert session.worlds[0].actions == [THRUST, FIRE, 0]
    assert not session.restart
    app.close()


def test_without_a_dream_tab_says_so(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    app = App(Session([Diary()], seed=0), edge=512)
    press(pygame.K_p)
    app.advance()
    before = pygame.image.tobytes(pygame.display.get_surface(), "RGB")
    press(pygame.K_TAB)
    app.advance()
    assert app.session.shown.name == "GAME"
    assert pygame.image.tobytes(pygame.display.get_surface(), "RGB") != before
    app.close()


def test_a_missing_display_is_told_from_one_that_is_there(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert "no display" in display_missing()
    monkeypatch.setenv("SDL_VIDEODRIVER", "no such driver")
    assert "no window can be opened" in display_missing()
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    assert display_missing() == ""
    pygame.display.quit()


def test_a_window_that_nobody_would_see_is_no_display(monkeypatch):
    # SDL's answer to a DISPLAY that does not answer: it opens windows in memory.
    monkeypatch.delenv("SDL_VIDEODRIVER", raising=False)
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setattr("pygame.display.init", lambda: None)
    monkeypatch.setattr("pygame.display.get_driver", lambda: "offscreen")
    assert "no display answers" in display_missing()
    monkeypatch.setattr("pygame.display.get_driver", lambda: "x11")
    assert display_missing() == ""


def test_the_pace_is_even_and_does_not_hurry_after_a_halt():
    now, slept = [0.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(10, clock=lambda: now[0], sleep=sleep)
    for work in (0.02, 0.05, 0.12, 0.01):
        now[0] += work
        pace.wait()
    assert slept == pytest.approx([0.08, 0.05, 0.07])
    assert now[0] == pytest.approx(0.4)
    assert pace.rate == pytest.approx(10.0)
    now[0] += 60.0
    slept.clear()
    pace.wait()
    pace.wait()
    assert slept == pytest.approx([0.1])


# Demonstration and recording ----------------------------------------------------------------------


def test_the_demonstration_survives_twenty_seconds_and_scores():
    session = Session([GameWorld()], seed=11)
    pilot = Demonstration()
    for _ in range(600):
        session.advance(pilot.action(session.shown.state()))
    assert not session.over
    assert session.shown.score > 1000
    assert session.shown.wave > 1


def test_the_demonstration_steers_clear_of_a_rock_that_it_cannot_shoot():
    game, pilot = GameWorld(), Demonstration()
    for still in (True, False):
        game.begin(0)
        state = {name: np.zeros_like(field) for name, field in game.state().items()}
        state |= {"lives": np.uint8(3), "wave": np.uint32(1), "ship_heading": np.uint8(16)}
        state |= {"ship_x": np.uint32(32 * 2**26), "ship_y": np.uint32(32 * 2**26)}
        state["rock_size"][0], state["rock_vx"][0] = (
            3,
            2**25,
        )  # half a unit a tick, towards the ship
        state["rock_x"][0], state["rock_y"][0] = 8 * 2**26, 33 * 2**26
        game.env.set_state(state)
        for _ in range(60):
            game.step(0 if still else pilot.action(game.state()) & ~FIRE)
        assert game.lives == (2 if still else 3)


def test_the_demonstration_is_the_same_each_time():
    scores = []
    for _ in range(2):
        session = Session([GameWorld()], seed=4)
        pilot = Demonstration()
        for _ in range(120):
            session.advance(pilot.action(session.shown.state()))
        scores.append(session.shown.env.state_hash())
    assert scores[0] == scores[1]


def test_the_demonstration_stays_still_while_it_explodes():
    game = GameWorld()
    game.begin(0)
    assert Demonstration().action({**game.state(), "dying": np.uint8(3)}) == 0


def test_a_recording_shows_what_was_played(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    image = pytest.importorskip("PIL.Image")
    session = Session([Diary(), Diary("DREAM", 64)], seed=0)
    session.show_both()
    assert record(session, lambda: FIRE, tmp_path / "a.gif", seconds=0.4, edge=64) == 12
    assert session.worlds[0].actions == [FIRE] * 12
    with image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 6
        assert gif.size == window_size(64, 2)
        gif.seek(5)
        arena = layout(*gif.size, 2, 64).arenas[0]
        assert gif.convert("RGB").getpixel(arena.center) == (70, 70, 70)
