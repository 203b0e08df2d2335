"""The engine: many players at once, those who make trouble, and the thread that plays."""

from __future__ import annotations

import threading

import pytest

pytest.importorskip("websockets")

from web_players import Fading, Failing
from web_table import MODES, Table, actions, shown, start

from mirage_web.engine import Delivery, Engine, Gone, Halt
from mirage_web.lanes import DreamLanes
from mirage_web.protocol import (
    Keys,
    Notice,
    Pause,
    Record,
    Step,
    Wake,
)
from mirage_web.wire import Close, Mode, NoticeCode, State

# Many players


def test_what_a_player_sees_does_not_depend_on_the_others(table: Table) -> None:
    keys = actions(60)
    for mode in MODES:
        table.ask(mode, start(mode))
        table.play(mode, keys)
    crowded = Table(fading=DreamLanes(Fading(), 2))
    others = [f"other {i}" for i in range(9)]
    for i, other in enumerate(others):
        crowded.ask(other, start(MODES[i % 3], seed=i, paused=False), Keys(action=i))
    for mode in MODES:
        crowded.ask(mode, start(mode))
    for i, action in enumerate(keys):
        if i == 20:
            crowded.ask(others[3], Gone())
            crowded.ask(others[4], Pause(paused=True))
        for mode in MODES:
            crowded.engine.post(mode, Step(action=action))
        crowded.tick()
    for mode in MODES:
        alone, together = table.frames(mode), crowded.frames(mode)
        assert list(map(shown, alone)) == list(map(shown, together))


def test_players_who_are_gone_or_have_not_begun_are_nobody(table: Table) -> None:
    assert table.ask("Ada", Keys(action=1), Wake(), Halt(State.IDLE)) is None
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=3)
    table.ask("Ada", Gone())
    count = len(table.said["Ada"])
    table.ask("Ada", Pause(paused=True), Record(), ticks=3)
    assert len(table.said["Ada"]) == count


def test_a_model_that_fails_ends_the_sittings_that_need_it_and_no_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    models = {"fading": DreamLanes(Fading()), "failing": DreamLanes(Failing())}
    table = Table(**models)
    table.ask("Ada", start(Mode.BOTH, model="failing", paused=False))
    table.ask("Bob", start(Mode.BOTH, model="fading", paused=False))
    table.ask("Cleo", start(Mode.REAL, paused=False))
    table.ask("Ada", Keys(action=11))
    assert table.closed == {"Ada": (Close.MISTAKE, "the server made a mistake: please begin again")}
    assert "a tick failed" in caplog.text
    table.tick(5)
    assert [table.frames(who)[-1].step for who in ("Bob", "Cleo")] == [7, 6]
    table.ask("Ada", start(Mode.BOTH, model="failing", paused=False), ticks=3)
    assert table.frames("Ada")[-1].step == 2, "and it can be played again"


@pytest.mark.parametrize("why", [State.IDLE, State.UNACKNOWLEDGED])
def test_the_server_pauses_for_its_own_reasons_and_says_them(table: Table, why: State) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False), ticks=3)
    assert table.ask("Ada", Halt(why)).state == why
    table.ask("Ada", Pause(paused=False), ticks=2)
    assert table.frames("Ada")[-1].state == State.RUNNING
    table.ask("Ada", Pause(paused=True))
    assert table.ask("Ada", Halt(why)).state == State.PAUSED, "it was paused already"


def test_running_players_are_told_that_ticks_come_late_and_not_too_often(table: Table) -> None:
    table.ask("Ada", start(Mode.REAL, paused=False))
    table.ask("Bob", start(Mode.REAL))
    for _ in range(60):
        table.engine.tick(late=True)
    notices = {who: [m for m in said if isinstance(m, Notice)] for who, said in table.said.items()}
    assert [notice.code for notice in notices["Ada"]] == [NoticeCode.SERVER_BUSY]
    assert not notices["Bob"]


def test_the_thread_plays_by_itself_and_ends_when_asked() -> None:
    seen = threading.Event()
    table: list[Delivery] = []

    def deliver(deliveries: list[Delivery]) -> None:
        table.extend(deliveries)
        if len(table) > 5:
            seen.set()

    engine = Engine({}, deliver)
    assert not engine.healthy
    engine.start()
    engine.post("Ada", start(Mode.REAL, paused=False))
    assert seen.wait(30)
    assert engine.healthy
    engine.stop()
    assert not engine.healthy


def test_an_engine_that_hangs_is_not_healthy() -> None:
    now = [0.0]
    engine = Engine({}, lambda _: None, clock=lambda: now[0])
    engine.start()
    now[0] = 1000.0
    engine.stop()
    assert not engine.healthy
