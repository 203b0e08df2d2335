"""The server over HTTP: the page's files and no others, for whom it is there, its health."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("websockets")

from web_players import connect_to, in_a_loop, joined, playing, served
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from mirage_web.limits import Limits
from mirage_web.protocol import (
    Begin,
    Queue,
    Start,
)
from mirage_web.site import SAFETY, Doors
from mirage_web.wire import Mode

PAUSED = Start(mode=Mode.REAL, seed=0, paused=True)


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
