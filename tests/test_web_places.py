"""The server over real sockets: who waits, who is sent away, who comes back after a restart."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("websockets")

from web_players import Player, connect_to, in_a_loop, joined, playing, served
from websockets.asyncio.client import connect

from mirage_web.limits import Limits
from mirage_web.protocol import (
    Begin,
    Keys,
    Queue,
    Start,
)
from mirage_web.wire import Close, Mode

PAUSED = Start(mode=Mode.REAL, seed=0, paused=True)


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


@in_a_loop
async def test_a_server_stops_soon_though_a_client_does_not_answer() -> None:
    async with served() as (_, port):
        player = await connect_to(port)
        await playing(player)
        player.socket.transport.pause_reading()
        start = time.monotonic()
    assert time.monotonic() - start < 10
    player.socket.transport.abort()
