"""`mirage record`, `mirage replay`, and replays in the window of `mirage play`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from simulators import sticky_actions

pytest.importorskip("tyro")

from mirage_env import Replay, Rules, cli
from mirage_env.play.demo import Demonstration
from mirage_env.share_link import to_link

KEYS = [0] * 3 + [int(actions[0]) for actions in sticky_actions(1, 60, seed=3)]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER"):
        monkeypatch.delenv(name, raising=False)
    Replay.of(KEYS, seed=7, rules=Rules(cooldown=9)).save("game.replay")
    return Path("game.replay")


def run(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_a_demonstration_is_recorded_and_comes_out(tmp_path, capsys):
    out = tmp_path / "new" / "a.replay"
    code, said, _ = run(capsys, "record", out, "--seed", 7, "--seconds", 2)
    assert (code, said) == (0, f"wrote {out}: seed 7, 2.0 s, score {Replay.load(out).score}\n")
    assert run(capsys, "replay", out, "--check")[0] == 0


def test_a_recording_ends_with_the_game(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Demonstration, "action", lambda self, state: 4)
    code, _, _ = run(capsys, "record", tmp_path / "a.replay", "--seed", 1, "--seconds", 3600)
    replay = Replay.load(tmp_path / "a.replay")
    assert (code, len(replay.actions) < 3000) == (0, True)
    replay.check()


def test_an_interrupted_recording_leaves_nothing(tmp_path, capsys, monkeypatch):
    def interrupted(self, state):
        raise KeyboardInterrupt

    monkeypatch.setattr(Demonstration, "action", interrupted)
    code, _, said = run(capsys, "record", tmp_path / "a.replay")
    assert (code, said.splitlines()[-1]) == (130, "mirage: interrupted")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
def test_a_replay_is_written_at_any_size(file, capsys, suffix):
    pytest.importorskip("imageio_ffmpeg")
    out = Path(f"a{suffix}")
    code, said, _ = run(capsys, "replay", file, "--size", 96, "--pictures", 3, "--out", out)
    score = Replay.load(file).score
    assert code == 0
    assert said == f"wrote {out.resolve()}: seed 7, cooldown 9, 2.1 s, score {score}\n"
    data = out.read_bytes()
    if suffix == ".mp4":
        assert data[4:8] == b"ftyp"
    if suffix == ".gif":
        assert data[:10] == b"GIF89a" + bytes([96, 0, 96, 0])
    if suffix == ".png":
        assert data[16:24] == bytes([0, 0, 1, 36, 0, 0, 0, 96]), "three of 96 and two gaps of 2"
    assert sorted(path.name for path in Path().iterdir()) == [out.name, "game.replay"]


def test_a_strip_shows_the_first_and_the_last_frame_and_others_between():
    np = pytest.importorskip("numpy")
    from mirage_env.film_strip import film_strip

    frames = [np.full((4, 5, 3), i, np.uint8) for i in range(10)]
    strip = film_strip(iter(frames), 10, pictures=4)
    assert strip.shape == (4, 4 * 5 + 3 * 2, 3)
    assert strip[0, ::7, 0].tolist() == [0, 3, 6, 9]
    assert film_strip(iter(frames[:2]), 2, pictures=8).shape == (4, 12, 3)


def test_a_share_link_becomes_a_file(file, capsys):
    link = "http://127.0.0.1:8000/" + to_link(Replay.of(KEYS, seed=7))
    code, said, _ = run(capsys, "replay", link, "--out", "link.replay")
    assert code == 0
    assert said.startswith("wrote ")
    assert Replay.load("link.replay") == Replay.of(KEYS, seed=7)


def test_without_a_display_a_replay_is_checked_and_more_is_offered(file, capsys):
    code, said, advice = run(capsys, "replay", file)
    score = Replay.load(file).score
    assert (code, said) == (0, f"it comes out: seed 7, cooldown 9, 2.1 s, score {score}\n")
    assert advice.startswith("mirage: ")
    assert "--out writes a video" in advice


def test_without_pygame_it_is_the_same(file, capsys, monkeypatch):
    for name in ("app", "library"):  # that import it
        monkeypatch.delitem(sys.modules, f"mirage_env.play.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "pygame", None)
    code, said, advice = run(capsys, "replay", file)
    assert (code, said[:12]) == (0, "it comes out")
    assert "pip install 'mirage-env[play]'" in advice


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["replay", "none.replay"], 1, "none.replay: No such file or directory"),
        (["replay", "."], 1, ".: Is a directory"),
        (["replay", "broken.replay"], 1, "broken.replay cannot be played: it is no replay"),
        (["replay", "wrong.replay"], 1, "does not come out: after 63 ticks the score is"),
        (["replay", "/?seed=7"], 1, "the link holds no recording"),
        (["replay", "game.replay", "--out", "file/a.png"], 1, "file/a.png: "),
        (["replay", "game.replay", "--out", "file/a.replay"], 1, "file/a.replay: "),
        (["record", "file/a.replay", "--seconds", "0.1"], 1, "file/a.replay: "),
        (["replay"], 2, "replay"),
        (["record"], 2, "record"),
        (["record", "a.mp4"], 2, "a replay's name must end in .replay, got a.mp4"),
        (["record", "a.replay", "--seconds", "0"], 2, "--seconds must be more than 0"),
        (["replay", "game.replay", "--out", "a.avi"], 2, "--out must end in .mp4, .gif, .png, .re"),
        (["replay", "game.replay", "--out", "a.gif", "--check"], 2, "--check writes nothing"),
        (["replay", "game.replay", "--size", "63"], 2, "--size must be from 64 to 1024, got 63"),
        (["replay", "game.replay", "--pictures", "0"], 2, "--pictures must be from 1 to 100"),
        (["replay", "game.replay", "--backend", "gpu"], 2, "--backend must be"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_everything_as_it_was(
    file, capsys, arguments, code, reason
):
    Path("file").write_text("")
    Path("broken.replay").write_text("?")
    game = Replay.load(file)
    Replay(7, game.actions, game.score + 1, game.state_hash, game.rules).save("wrong.replay")
    before = sorted(Path().iterdir())
    got, said, complaint = run(capsys, *arguments)
    assert (got, said) == (code, "")
    assert reason in " ".join(complaint.replace("│", " ").split())
    assert "Traceback" not in complaint
    assert sorted(Path().iterdir()) == before


# In the window

pygame = pytest.importorskip("pygame")


@pytest.fixture
def window(tmp_path, monkeypatch):
    """A function that opens the window of a replay, or of a game without one."""
    from mirage_env.play.app import App
    from mirage_env.play.session import Session
    from mirage_env.play.shelf import Shelf
    from mirage_env.play.worlds import GameWorld, ReplayWorld

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    opened = []

    def open_window(replay=None, every=False):
        world = GameWorld() if replay is None else ReplayWorld(replay)
        session = Session([world], seed=7, stride=0)
        pilot = None if replay is None else world.next_action
        opened.append(App(session, 128, pilot, shelf=Shelf(tmp_path / "kept", world, every)))
        return opened[-1], world

    yield open_window
    for app in opened:
        app.close()


def press(*codes):
    for code in codes:
        pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=code))
    for code in codes:
        pygame.event.post(pygame.event.Event(pygame.KEYUP, key=code))


def test_a_window_shows_the_replay_and_halts_at_its_end(window):
    replay = Replay.of(KEYS, seed=7, rules=Rules(cooldown=9))
    app, world = window(replay)
    for _ in range(10):
        app.advance()
    press(pygame.K_p)
    for _ in range(10):
        app.advance()
    assert len(world.played) == 10, "a pause loses no action"
    press(pygame.K_p)
    for _ in range(100):
        app.advance()
    assert app.session.paused
    assert world.replay() == replay
    press(pygame.K_p)
    app.advance()
    assert world.played == replay.actions + b"\0", "a person plays on"


def test_a_person_can_take_over_a_replay_and_see_it_from_its_beginning(window):
    app, world = window(Replay.of(KEYS, seed=7))
    for _ in range(20):
        app.advance()
    press(pygame.K_SPACE)
    app.advance()
    app.advance()
    assert world.played == bytes(KEYS[:20]) + bytes([1, 0])
    press(pygame.K_r)
    app.advance()
    assert app.session.seed == 7
    assert len(world.played) == 1


def test_k_keeps_the_game_so_far_and_never_writes_over_one(window, tmp_path):
    app, world = window()
    press(pygame.K_UP)
    app.advance()
    for _ in range(2):
        press(pygame.K_k)
        app.advance()
    names = sorted(path.name for path in (tmp_path / "kept").iterdir())
    assert names == ["seed-7-score-0-2.replay", "seed-7-score-0.replay"]
    first, second = (Replay.load(tmp_path / "kept" / name) for name in reversed(names))
    assert (first.actions, second.actions) == (bytes([2]), bytes([2, 0]))
    second.check()
    assert world.replay().actions == bytes([2, 0, 0])


def test_what_cannot_be_kept_is_said_and_the_game_goes_on(window, tmp_path):
    (tmp_path / "kept").write_text("a file in the way")
    app, world = window(every=True)
    press(pygame.K_SPACE, pygame.K_k)
    assert app.advance()
    assert len(world.played) == 1
    press(pygame.K_r)
    assert app.advance()
    assert world.played == b"\0"


@pytest.mark.parametrize("every", [False, True])
def test_a_game_that_is_left_is_kept_where_that_was_asked_for(window, tmp_path, every):
    app, _ = window(every=every)
    app.advance()
    press(pygame.K_r)  # no key of the game was pressed: nothing is lost
    press(pygame.K_SPACE)
    app.advance()
    press(pygame.K_r)
    app.advance()
    press(pygame.K_UP, pygame.K_q)
    app.run()
    kept = [Replay.load(path).actions for path in (tmp_path / "kept").glob("*")]
    assert kept == ([bytes([1])] if every else [])


def test_a_game_is_kept_even_where_the_player_is_killed(window, tmp_path, monkeypatch):
    app, _ = window(every=True)
    press(pygame.K_SPACE)
    app.advance()

    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(app.session, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        app.run()
    app.close()
    assert len(list((tmp_path / "kept").iterdir())) == 1
