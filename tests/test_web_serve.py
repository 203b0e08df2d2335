"""The command `mirage serve`: what it says, what it refuses, how it ends."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("websockets")
pytest.importorskip("tyro")

from test_cli import mirage, one_line, without
from web_players import Player, in_a_loop, playing
from websockets.asyncio.client import connect

from mirage_env import Rules, cli
from mirage_web.models import load, load_available, model_name, places
from mirage_web.serve import Serve, main
from mirage_web.wire import Close, Mode
from mirage_wm.weights import available, read_card

ROOT = Path(__file__).resolve().parent.parent
QUICK = ("--port", "0", "--max-dreams", "2", "--threads", "1")


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """Run the command; yield the process, its port and the addresses that it prints."""
    hidden = ("DISPLAY", "WAYLAND_DISPLAY")
    process = subprocess.Popen(
        [sys.executable, "-m", "mirage_env.cli", "serve", *arguments],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in hidden},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.match(r"http://\S+?:(\d+)/", first)
        assert found, first + (process.stderr.read() if process.stderr else "")
        lines = [first.strip()]
        while "mode=dream" not in lines[-1]:
            lines.append(process.stdout.readline().strip())
        yield process, int(found[1]), lines
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@in_a_loop
async def test_a_signal_lets_everybody_come_back_and_ends_well(number: signal.Signals) -> None:
    with serving(*QUICK) as (process, port, lines):
        modes = ("both", "real", "dream")
        assert lines == [f"http://127.0.0.1:{port}/?mode={mode}" for mode in modes]
        address = f"ws://127.0.0.1:{port}/socket"
        async with connect(address, subprotocols=["mirage.v1"], proxy=None) as socket:
            player = Player(socket)
            await playing(player, Mode.BOTH)
            process.send_signal(number)
            assert (await player.closed())[0] == Close.RESTART
        said, trouble = await asyncio.to_thread(process.communicate, timeout=30)
        assert (process.returncode, said, trouble) == (0, "", "")


def test_a_port_in_use_is_said_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = mirage("serve", "--port", str(port))
    assert done.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in one_line(done.stderr)
    assert done.stdout == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_that_is_not_this_machine_s_is_said_in_a_line(host: str) -> None:
    done = mirage("serve", "--port", "0", "--host", host, "--allow-host", "a.example")
    assert done.returncode == 1
    told = f"mirage: cannot listen on {host}, port 0: this machine has no such address\n"
    assert one_line(done.stderr) == told


def test_a_port_that_is_not_allowed_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(address: tuple[str, int], **_: Any) -> None:
        raise PermissionError(errno.EACCES, f"Permission denied (while binding {address!r})")

    monkeypatch.setattr(socket, "create_server", refused)
    assert main(["--port", "80"]) == 1
    told = "mirage: cannot listen on 127.0.0.1, port 80: Permission denied\n"
    assert one_line(capsys.readouterr().err) == told


def test_an_unknown_model_is_said_in_a_line() -> None:
    done = mirage("serve", "--port", "0", "--models", "v99")
    assert done.returncode == 1
    assert "there is no model 'v99'" in one_line(done.stderr)


def test_a_device_that_there_is_not_is_said_in_a_line() -> None:
    pytest.importorskip("torch")
    done = mirage("serve", "--port", "0", "--device", "cuda:99")
    assert done.returncode == 1
    assert "'cuda:99'" in one_line(done.stderr)


def test_without_websockets_the_extra_is_named() -> None:
    done = mirage("serve", before=without("websockets"))
    assert done.returncode == 1
    assert "pip install 'mirage-env[web]'" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--device", "tpu"], "device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got 'tpu'"),
        (["--threads", "-1"], "--threads must be from 0 to 1024, got -1"),
        (["--port", "65536"], "--port must be from 0 to 65535, got 65536"),
        (["--host", "0.0.0.0"], "--host 0.0.0.0 lets others reach this server"),
        (["--host", "::"], "--host :: lets others reach this server"),
        (["--allow-host", "https://a.example"], "--allow-host takes a name without a port"),
        (["--allow-host", "a.example:80"], "--allow-host takes a name without a port"),
        (["--allow-origin", "a.example"], "--allow-origin takes https://name"),
        (["--allow-origin", "https://a.example/"], "--allow-origin takes https://name"),
        (["--max-per-address", "0"], "--max-per-address must be from 1"),
        (["--idle-pause", "0"], "--idle-pause must be from 1"),
        (["--idle-close", "59"], "--idle-close must be from 60"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_why(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", *arguments]) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert reason in said
    assert "Traceback" not in said


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "--help"]) == 0
    said = capsys.readouterr().out
    assert "Example: mirage serve" in said
    assert "--allow-host" in said


def test_by_default_no_other_machine_is_listened_to() -> None:
    with serving(*QUICK) as (_, port, _):
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", port))


def test_a_server_that_others_reach_says_by_which_name() -> None:
    settings = Serve(host="0.0.0.0", allow_host=("play.example.org",))
    assert settings.allow_host == ("play.example.org",)


# Models


def test_every_model_of_the_standard_rules_can_be_served_under_its_name() -> None:
    pytest.importorskip("safetensors")
    said: list[str] = []
    loaded = load_available("cpu", 1, said.append)
    standard = {name for name in available() if read_card(name).learned_rules() == Rules()}
    assert set(loaded) == standard < set(available())
    with pytest.raises(ValueError, match=r"v1-random learned Rules.* played by the standard rules"):
        load(["v1-random"], "cpu", 1)
    assert not said


def test_a_model_that_cannot_be_used_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirage_web.models.available", lambda: ["v98", "v99"])
    said: list[str] = []
    assert load_available("cpu", 1, said.append) == {}
    assert [line.partition(":")[0] for line in said] == [
        "v99 cannot be dreamt",
        "v98 cannot be dreamt",
    ]


def test_a_model_is_called_by_the_name_of_its_file() -> None:
    assert model_name("/somewhere/my-own_1.safetensors") == "my-own_1"
    assert model_name("v1") == "v1"
    for wrong in ("a name", "seventeen-letters", "/x/é.safetensors", "-a"):
        with pytest.raises(ValueError, match=r"1 to 16 of A-Z a-z 0-9 \. _ -"):
            model_name(wrong)


def test_two_models_of_one_name_are_refused() -> None:
    pytest.importorskip("safetensors")
    with pytest.raises(ValueError, match="two models are called 'v1'"):
        load(["v1", "v1"], "cpu", 1)


class Timed:
    """Lanes whose step takes so many seconds for each dream, by a clock of their own."""

    def __init__(self, seconds: float, always: float = 0.0) -> None:
        self.seconds, self.always, self.now = seconds, always, 0.0

    def begin(self, seed: int) -> list[int]:
        return [seed]

    def step(self, moments: list[int], actions: list[int]) -> None:
        self.now += self.always + self.seconds * len(moments)


@pytest.mark.parametrize(
    ("each", "always", "held"),
    [(0.02, 0, 1), (0.01, 0, 2), (0.0085, 0, 3), (0.001, 0.005, 16), (0.03, 0, 0), (0.0, 0, 88)],
)
def test_so_many_dreams_are_offered_as_the_machine_holds(
    each: float, always: float, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = Timed(each, always)
    monkeypatch.setattr("time.perf_counter", lambda: lanes.now)
    assert places(lanes) == held  # type: ignore[arg-type]
