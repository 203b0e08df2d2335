"""The server over real sockets: what it refuses, who waits, and that nobody slows another."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

pytest.importorskip("websockets")

from web_players import Fading, Failing, Player, in_a_loop, joined, playing, served
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

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
    Queue,
    Record,
    Recording,
    Reset,
    Start,
    Step,
    encode,
)
from mirage_web.recording import from_runs
from mirage_web.site import SAFETY, Doors
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


# Full


@in_a_loop
async def test_who_finds_no_place_waits_is_told_where_and_plays_when_one_is_free() -> None:
    async with served(Limits(games=1, dreams=1)) as (_, port), joined(port) as ada:
        await playing(ada, Mode.DREAM)
        async with joined(port) as bob, joined(port) as cleo, joined(port) as dora:
            await bob.send(Start(mode=Mode.BOTH, seed=1))
            assert await bob.next(Queue) == Queue(position=1, waiting=1)
            await cleo.send(Start(mode=Mode.DREAM, seed=2), Keys(action=3))
            assert await cleo.next(Queue) == Queue(position=2, waiting=2)
            assert await bob.next(Queue) == Queue(position=1, waiting=2)
            await playing(dora)  # the real game has places of its own
            await ada.socket.close()
            assert (await bob.next(Begin)).mode == Mode.BOTH
            assert await cleo.next(Queue) == Queue(position=1, waiting=1)
            await bob.send(Start(mode=Mode.REAL, seed=1))  # gives its place to the next
            assert (await cleo.next(Begin)).seed == 2
            assert await bob.next(Queue) == Queue(position=1, waiting=1)
            await dora.socket.close()
            assert (await bob.next(Begin)).mode == Mode.REAL


@in_a_loop
async def test_when_the_queue_is_full_the_next_is_sent_away_to_try_again_later() -> None:
    async with served(Limits(games=1, dreams=0, waiting=0)) as (_, port), joined(port) as ada:
        await playing(ada)
        address = f"ws://127.0.0.1:{port}/socket"
        async with connect(address, subprotocols=["mirage.v1"], proxy=None) as bob:
            code, _ = await Player(bob).closed()
            assert code == Close.FULL
    async with served(Limits(games=1, dreams=5, waiting=0)) as (_, port), joined(port) as ada:
        await playing(ada)
        async with joined(port) as bob:
            await bob.send(Start(mode=Mode.REAL, seed=1))
            assert await bob.closed() == (
                Close.FULL,
                "all places are taken: please try again later",
            )


@in_a_loop
async def test_one_address_has_so_many_connections_and_no_more() -> None:
    async with served(Limits(per_address=2)) as (_, port), joined(port) as ada:
        async with joined(port):
            address = f"ws://127.0.0.1:{port}/socket"
            async with connect(address, subprotocols=["mirage.v1"], proxy=None) as third:
                assert await Player(third).closed() == (
                    Close.FULL,
                    "too many connections from this address",
                )
        async with joined(port) as again:
            await playing(again)
        await playing(ada)


@in_a_loop
async def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw() -> None:
    async with served(Limits(per_address=1), behind_proxy=True) as (server, port):
        told = [{"X-Forwarded-For": f"9.9.9.9, 10.0.0.{i}"} for i in range(2)]
        async with (
            joined(port, additional_headers=told[0]) as ada,
            joined(port, additional_headers=told[1]) as bob,
        ):
            await playing(ada)
            await playing(bob)
            assert set(server._connections) == {"10.0.0.0", "10.0.0.1"}


# Restarting


@in_a_loop
async def test_a_restart_tells_everybody_and_a_new_server_takes_them_back() -> None:
    async with served() as (_, port):
        players = [await connect_to(port) for _ in range(3)]
        for player in players:
            await playing(player, Mode.BOTH)
    for player in players:
        assert await player.closed() == (
            Close.RESTART,
            "the server restarts: the page comes back by itself",
        )
    async with served() as (_, port), joined(port) as player:
        await playing(player)


async def connect_to(port: int) -> Player:
    address = f"ws://127.0.0.1:{port}/socket"
    return Player(await connect(address, subprotocols=["mirage.v1"], proxy=None))


@in_a_loop
async def test_a_server_stops_soon_though_a_client_does_not_answer() -> None:
    async with served() as (_, port):
        player = await connect_to(port)
        await playing(player)
        player.socket.transport.pause_reading()
        start = time.monotonic()
    assert time.monotonic() - start < 10
    player.socket.transport.abort()


# HTTP


async def get(port: int, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, str]:
    """Ask as no browser would refuse to; return status and everything that came."""
    fields = {"Host": f"127.0.0.1:{port}", **headers}
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{k.replace('_', '-')}: {v}" for k, v in fields.items()),
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
    told = (await asyncio.wait_for(reader.read(), 20)).decode("latin-1")
    writer.close()
    return int(told.split(" ", 2)[1]) if told else 0, told


@in_a_loop
async def test_the_page_and_its_files_come_with_what_keeps_browsers_safe() -> None:
    async with served() as (server, port):
        paths = server._site.paths
        assert "/" in paths
        for path in paths:
            status, told = await get(port, path)
            assert status == 200
            for name, value in SAFETY.items():
                assert f"\r\n{name}: {value}\r\n" in told
            assert "Cache-Control: no-cache" in told
        status, told = await get(port, "/?mode=both&seed=7")
        assert status == 200
        assert "Content-Type: text/html; charset=utf-8" in told


@in_a_loop
async def test_what_the_browser_has_is_not_sent_again() -> None:
    async with served() as (_, port):
        _, told = await get(port)
        tag = told.partition("ETag: ")[2].partition("\r\n")[0]
        status, again = await get(port, If_None_Match=tag)
        assert status == 304
        assert again.endswith("\r\n\r\n")
        assert (await get(port, If_None_Match='"other"'))[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/nothing",
        "/../server.py",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/wire.py",
        "//etc/passwd",
        "/page/index.html",
        "/main.js/",
        "/.",
        "/main.js%00.html",
        "http://127.0.0.1/",
        "/healthz/",
    ],
)
@in_a_loop
async def test_there_is_no_way_to_a_file_but_the_table(path: str) -> None:
    async with served() as (_, port):
        assert (await get(port, path))[0] == 404


@in_a_loop
async def test_only_get_is_answered() -> None:
    async with served() as (_, port):
        for method in ("POST", "HEAD", "DELETE", "BREW"):
            assert (await get(port, method=method))[0] in (400, 405)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "a:b:c"])
@in_a_loop
async def test_a_request_for_another_host_is_refused(host: str) -> None:
    async with served() as (_, port):
        for path in ("/", "/socket", "/healthz"):
            assert (await get(port, path, Host=host))[0] == 421


UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec_WebSocket_Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
    "Sec_WebSocket_Version": "13",
}


@in_a_loop
async def test_a_page_of_another_origin_may_not_play() -> None:
    doors = Doors(frozenset({"127.0.0.1"}), frozenset({"https://friend.example"}))
    async with served(doors=doors) as (_, port):
        address = f"ws://127.0.0.1:{port}/socket"
        for origin in (
            "http://evil.example",
            f"http://localhost:{port}",
            "http://127.0.0.1:1",
            "http://127.0.0.1",
            "null",
            f"https://127.0.0.1:{port}.evil.example",
            f"file://127.0.0.1:{port}",
        ):
            with pytest.raises(InvalidStatus) as refused:
                await connect(address, subprotocols=["mirage.v1"], origin=origin, proxy=None)
            assert refused.value.response.status_code == 403
        for origin in (f"http://127.0.0.1:{port}", "https://friend.example", None):
            async with joined(port, origin=origin) as player:
                await playing(player)


@in_a_loop
async def test_a_websocket_needs_its_path_the_protocol_and_an_upgrade() -> None:
    async with served() as (_, port):
        assert (await get(port, "/socket"))[0] == 426
        assert (await get(port, "/socket", **UPGRADE))[0] == 400
        assert (await get(port, "/socket", **UPGRADE, Sec_WebSocket_Protocol="chat"))[0] == 400
        assert (await get(port, "/other", **UPGRADE, Sec_WebSocket_Protocol="mirage.v1"))[0] == 404


@in_a_loop
async def test_noise_on_the_port_and_half_open_connections_hurt_nobody() -> None:
    async with served() as (_, port), joined(port) as player:
        await playing(player)
        noise = [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n", b"\r\n\r\n", b"A" * 20_000, b""]
        writers = []
        for data in noise:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(data)
            writers.append(writer)
        assert len(await player.frames(20)) == 20
        for writer in writers:
            writer.transport.abort()


@in_a_loop
async def test_a_player_whose_line_is_cut_frees_the_place() -> None:
    async with served(Limits(games=1)) as (_, port):
        ada = await connect_to(port)
        await playing(ada)
        async with joined(port) as bob:
            await bob.send(Start(mode=Mode.REAL, seed=1))
            await bob.next(Queue)
            ada.socket.transport.abort()
            assert (await bob.next(Begin)).seed == 1


@in_a_loop
async def test_health_says_who_plays_and_when_ticks_have_halted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with served(Limits(games=1, dreams=1)) as (server, port), joined(port) as player:
        await playing(player)
        status, told = await get(port, "/healthz")
        health = json.loads(told.partition("\r\n\r\n")[2])
        assert status == 200
        assert (health["status"], health["playing"], health["waiting"]) == ("playing", 1, 0)
        assert health["models"] == ["fading"]
        monkeypatch.setattr(server.engine, "_finished", -1000.0)
        monkeypatch.setattr(server.engine, "tick", lambda late: None)
        status, told = await get(port, "/healthz")
        assert (status, '"halted"' in told) == (503, True)
