"""The server over real sockets: what it refuses, and that nobody slows another."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("websockets")

from web_players import Fading, Failing, connect_to, in_a_loop, joined, playing, served

from mirage_env.runs import from_runs
from mirage_web import connection
from mirage_web.lanes import DreamLanes
from mirage_web.limits import Limits
from mirage_web.protocol import (
    Ack,
    Begin,
    Frame,
    Hello,
    Keys,
    Notice,
    Pause,
    Ping,
    Pong,
    Record,
    Recording,
    Reset,
    Start,
    Step,
    encode,
)
from mirage_web.window import MOST
from mirage_web.wire import Close, Mode, State

PAUSED = Start(mode=Mode.REAL, seed=0, paused=True)


# Playing


@in_a_loop
async def test_keys_turn_the_ship_and_come_back_with_the_frame_that_they_made() -> None:
    async with served() as (_, port), joined(port) as player:
        await playing(player, Mode.BOTH, seed=7)
        await player.send(Keys(action=4, sequence=99))
        while (frame := await player.next(Frame)).sequence != 99:
            pass
        assert frame.action == 4
        await player.send(Ping(token=5))
        pong = await player.next(Pong)
        assert pong.token == 5
        assert abs(pong.clock - 1000 * time.monotonic()) < 5000


@in_a_loop
async def test_a_share_link_gives_the_same_game_in_another_connection() -> None:
    async with served() as (_, port):
        async with joined(port) as ada:
            await playing(ada, Mode.BOTH, seed=7)
            for action in (1, 4, 7, 2, 0):
                await ada.send(Keys(action=action))
                await ada.frames(3)
            await ada.send(Pause(paused=True), Record())
            told = await ada.next(Recording)
            while (last := await ada.next(Frame)).state != State.PAUSED:
                pass
        async with joined(port) as bob:
            await bob.send(Start(mode=Mode.BOTH, seed=7, paused=True))
            for action in from_runs(told.runs):
                await bob.send(Step(action=action))
                frame = await bob.next(Frame)
            while frame.step != told.steps:
                frame = await bob.next(Frame)
        assert (frame.step, frame.worlds) == (last.step, last.worlds)


@in_a_loop
async def test_start_again_changes_the_mode_on_the_same_connection() -> None:
    async with served() as (_, port), joined(port) as player:
        first = await playing(player, Mode.REAL)
        again = await playing(player, Mode.BOTH, seed=3, paused=True)
        while len(again.worlds) != 2:  # frames of the first may still have been on the way
            again = await player.next(Frame)
        assert (again.step, again.state) == (0, State.PAUSED)
        assert again.generation > first.generation
        assert [m.mode for m in player.seen if isinstance(m, Begin)] == [Mode.REAL, Mode.BOTH]


# What a client may not send


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (b"\x00\x01\x02\x03", Close.POLICY, "a message begins with 4d 31, got 00 01"),
        (b"M1\x04", Close.POLICY, "PAUSE has 4 bytes, got 3"),
        (b"M1\x55\x00", Close.POLICY, "there is no message of the type 55"),
        (b"M1\x02\x0c\x00\x00\x00\x00", Close.POLICY, "KEYS: action must be from 0 to 11, got 12"),
        (b"", Close.POLICY, "a message begins with 4d 31, got nothing"),
        ("a text", Close.TEXT, "messages are binary, a text came"),
        (b"M1" + bytes(63), Close.TOO_LONG, ""),
        (
            encode(PAUSED)[:8] + (2**53).to_bytes(8, "little") + bytes(16),
            Close.POLICY,
            "START: seed must be from 0 to 9007199254740991, got 9007199254740992",
        ),
        (b"M1\x01\x07" + bytes(28), Close.POLICY, "START: mode must be from 1 to 3, got 7"),
        (
            encode(Start(mode=Mode.DREAM, seed=1, model="v9")),
            Close.POLICY,
            "there is no model v9 here, there is fading",
        ),
    ],
    ids=lambda value: value.hex()[:16] if isinstance(value, bytes) else None,
)
@in_a_loop
async def test_what_is_no_message_closes_the_connection_and_others_notice_nothing(
    data: bytes | str, code: int, reason: str
) -> None:
    async with served() as (_, port), joined(port) as other, joined(port) as wrong:
        first = await playing(other)
        await playing(wrong)
        await wrong.socket.send(data)
        closed = await wrong.closed()
        assert closed[0] == code
        assert closed[1] == reason or (not reason and "64" in closed[1])
        assert (await other.frames(10))[-1].step >= first.step + 10
        assert {type(message) for message in other.seen} <= {Hello, Begin, Frame, Notice}


@in_a_loop
async def test_a_flood_closes_the_connection() -> None:
    async with served() as (_, port), joined(port) as player:
        await playing(player)
        for _ in range(200):
            await player.socket.send(encode(Ack(serial=1)))
        assert await player.closed() == (Close.POLICY, "too many messages")


@in_a_loop
async def test_what_makes_work_counts_as_ten_messages() -> None:
    async with served() as (_, port), joined(port) as player:
        await playing(player)
        for seed in range(12):
            await player.socket.send(encode(Reset(seed=seed)))
        assert await player.closed() == (Close.POLICY, "too many messages")


@in_a_loop
async def test_ninety_messages_a_second_are_not_too_many() -> None:
    async with served() as (_, port), joined(port) as player:
        await playing(player)
        for i in range(45):
            await player.send(Keys(action=i % 12))
            await player.next(Frame)  # which is acknowledged, about thirty times a second
        assert player.socket.close_code is None


@in_a_loop
async def test_more_waiting_steps_than_are_planned_close_the_connection() -> None:
    limits = Limits(messages_per_second=1000)
    async with served(limits) as (_, port), joined(port) as player:
        await player.send(PAUSED)
        for _ in range(300):
            await player.socket.send(encode(Step(action=1)))
        code, reason = await player.closed()
        assert (code, reason) == (Close.POLICY, "more than 256 steps are waiting to be played")


@in_a_loop
async def test_a_client_that_starts_nothing_is_sent_away() -> None:
    async with served(Limits(start_seconds=0.5)) as (_, port), joined(port) as player:
        await player.send(Keys(action=1), Ping(token=1))
        assert await player.closed() == (Close.POLICY, "nothing was started within 0.5 seconds")


@in_a_loop
async def test_a_server_without_models_has_mode_real_alone() -> None:
    async with served(models={}) as (server, port):
        assert server.hello.models == ()
        async with joined(port) as player:
            assert len((await playing(player)).worlds) == 1
            await player.send(Start(mode=Mode.BOTH, seed=1))
            assert await player.closed() == (
                Close.POLICY,
                "this server has no dream: mode real alone",
            )


@in_a_loop
async def test_a_model_that_fails_closes_its_players_with_1011() -> None:
    models = {"fading": DreamLanes(Fading()), "failing": DreamLanes(Failing())}
    async with served(models=models) as (_, port), joined(port) as ada, joined(port) as bob:
        await playing(bob, Mode.BOTH)
        await playing(ada, Mode.DREAM, model="failing")
        await ada.send(Keys(action=11))
        assert (await ada.closed())[0] == Close.MISTAKE
        assert len(await bob.frames(5)) == 5


# Idle


@in_a_loop
async def test_who_presses_nothing_is_paused_and_then_sent_away() -> None:
    async with served(Limits(idle_pause=1, idle_close=3)) as (_, port), joined(port) as player:
        await playing(player)
        while (frame := await player.next(Frame)).state != State.IDLE:
            await player.send(Keys(action=0), Ping(token=1))  # and acknowledging is not playing
        assert frame.step < 90
        assert await player.closed() == (Close.IDLE, "no key was pressed for 3 seconds")


@in_a_loop
async def test_who_presses_keys_is_not_idle_and_who_comes_back_plays_on() -> None:
    async with served(Limits(idle_pause=2, idle_close=60)) as (_, port), joined(port) as player:
        await playing(player)
        for i in range(75):
            await player.send(Keys(action=i // 10 % 2))
            assert (await player.next(Frame)).state == State.RUNNING
        while (await player.next(Frame)).state != State.IDLE:
            pass
        await player.send(Pause(paused=False))
        assert (await player.next(Frame)).state == State.RUNNING


# Slow and silent clients


@in_a_loop
async def test_frames_on_the_way_are_few_and_the_next_is_the_newest() -> None:
    async with served() as (_, port), joined(port) as player:
        await player.send(Start(mode=Mode.REAL, seed=0))
        first, second = [await player.next(Frame, acknowledge=False) for _ in range(2)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(player.next(Frame, acknowledge=False), 1)
        await player.send(Ack(serial=second.serial))
        third = await player.next(Frame)
        assert second.serial < first.serial + 5
        assert third.serial > second.serial + 10, "those in between were left out"


@in_a_loop
async def test_an_acknowledgement_of_what_was_never_sent_is_no_matter() -> None:
    async with served() as (_, port), joined(port) as player:
        await player.send(Start(mode=Mode.REAL, seed=0), Ack(serial=2**32 - 1), Ack(serial=0))
        for _ in range(2):
            await player.next(Frame, acknowledge=False)
        await player.send(Ack(serial=77))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(player.next(Frame, acknowledge=False), 0.5)


@in_a_loop
async def test_a_client_that_acknowledges_nothing_is_paused_and_may_go_on() -> None:
    async with served(Limits(stalled_seconds=0.5)) as (_, port), joined(port) as player:
        await player.send(Start(mode=Mode.REAL, seed=0))
        step = 0
        for _ in range(2):
            frames = [await player.next(Frame, acknowledge=False) for _ in range(2)]
            await asyncio.sleep(2)
            await player.send(Ack(serial=frames[-1].serial))
            frame = await player.next(Frame)
            assert frame.state == State.UNACKNOWLEDGED
            assert step < frame.step < step + 90
            step = frame.step
            await player.send(Pause(paused=False))
        assert (await player.next(Frame)).step > step


@in_a_loop
async def test_a_client_that_stops_reading_slows_nobody_and_piles_nothing_up() -> None:
    async with served() as (server, port), joined(port) as player:
        stuck = await connect_to(port)
        await stuck.send(Start(mode=Mode.BOTH, seed=1))
        await stuck.next(Frame)
        stuck.socket.transport.pause_reading()
        await playing(player)
        before, frames = server.engine.ticks, await player.frames(90)
        assert server.engine.ticks - before < 300, "it was never left out for long"
        assert frames[-1].step >= 90
        for other in server._live:
            assert len(other._outbox) == 0
            assert len(other._window._on_the_way) <= MOST
        stuck.socket.transport.abort()


@in_a_loop
async def test_a_client_that_reads_no_answers_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_UNREAD", 2)
    limits = Limits(messages_per_second=10_000)
    async with served(limits) as (server, port), joined(port) as player:
        await playing(player)
        player.socket.transport.pause_reading()
        for _ in range(400):
            await player.socket.send(encode(Record()))
        async with asyncio.timeout(20):
            while server._live:
                await asyncio.sleep(0.05)
