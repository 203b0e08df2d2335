"""The messages of `mirage.v1`: bytes and back, what is refused, and mutants without a surprise."""

from __future__ import annotations

import json
import math
import random
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mirage_web.protocol import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    Ack,
    Begin,
    Frame,
    Hello,
    Keys,
    Notice,
    Pause,
    Ping,
    Pong,
    ProtocolError,
    Queue,
    Record,
    Recording,
    Reset,
    Rewind,
    Start,
    Step,
    Wake,
    WorldFrame,
    decode_client,
    decode_server,
    encode,
)
from mirage_web.wire import (
    MAX_CLIENT_BYTES,
    NO_ACTION,
    PIXEL_BYTES,
    SEEDS,
    UNKNOWN,
    Message,
    Mode,
    State,
)

ROOT = Path(__file__).resolve().parent.parent
VECTORS = ROOT / "tests" / "data" / "protocol-vectors.json"
LARGEST = 2**32 - 1


def pixels(salt: int) -> bytes:
    """Return a picture that can be written as one number: byte i is salt * i % 256."""
    return bytes(salt * i % 256 for i in range(PIXEL_BYTES))


def world(number: int, salt: int, **other: int) -> WorldFrame:
    fields = {"flags": 0, "lives": 3, "wave": 1, "reward": 0, "score": 0, **other}
    return WorldFrame(world=number, pixels=pixels(salt), **fields)


GAME = world(1, 3, lives=2, wave=7, reward=150, score=123_456)
DREAM = world(2, 5, flags=3, lives=UNKNOWN, wave=UNKNOWN, reward=-20, score=LARGEST)


def frame(*worlds: WorldFrame, **other: Any) -> Frame:
    where = {"serial": 70_000, "step": 4_321, "oldest": 4_021, "newest": 4_330, "generation": 9}
    how = {"sequence": 65_535, "made": 12_345.625, "psnr": 31.25, "action": 11, "state": 1}
    return Frame(worlds=worlds, **{**where, **how, **other})


CLIENT = {
    "start_real": Start(mode=Mode.REAL, seed=0),
    "start_dream_paused": Start(mode=Mode.DREAM, paused=True, seed=SEEDS - 1, model="v1"),
    "start_both": Start(mode=Mode.BOTH, seed=7, model="Name_16.chars-ok"),
    "start_both_by_the_first_model": Start(mode=Mode.BOTH, seed=2**32),
    "keys": Keys(action=11, sequence=65_535),
    "keys_none": Keys(action=0),
    "ack": Ack(serial=LARGEST),
    "pause": Pause(paused=True),
    "go_on": Pause(paused=False),
    "step": Step(action=5, sequence=258),
    "reset": Reset(seed=8),
    "reset_paused": Reset(paused=True, seed=SEEDS - 1),
    "wake": Wake(),
    "rewind": Rewind(step=300),
    "record": Record(),
    "ping": Ping(token=0x01020304),
}
SERVER = {
    "hello": Hello(rewind_steps=300, idle_pause=60, idle_close=600, models=("v1", "v2")),
    "hello_without_models": Hello(rewind_steps=1, idle_pause=2, idle_close=3, models=()),
    "frame_of_one_world": frame(GAME, psnr=math.nan),
    "frame_of_both": frame(GAME, DREAM),
    "frame_of_equals": frame(GAME, GAME, psnr=math.inf, action=NO_ACTION, state=State.RUNNING),
    "queue": Queue(position=3, waiting=258),
    "begin_real": Begin(mode=1, paused=False, generation=1, seed=7, model=""),
    "begin_both": Begin(mode=3, paused=True, generation=65_535, seed=SEEDS - 1, model="v2"),
    "notice": Notice(code=2, step=4_321),
    "recording": Recording(steps=19, generation=4, runs=bytes([0xF0, 0x0C, 0x13])),
    "recording_of_nothing": Recording(steps=0, generation=1, runs=b""),
    "pong": Pong(token=0x01020304, clock=98_765.5),
}
EXAMPLES = {**CLIENT, **SERVER}


def decode(message: Message) -> Message:
    data = encode(message)
    return (decode_client if message.TYPE in CLIENT_MESSAGES else decode_server)(data)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_message_comes_back_as_it_was(name: str) -> None:
    message = EXAMPLES[name]
    again = decode(message)
    assert type(again) is type(message)
    assert plain(again) == plain(message)
    assert encode(again) == encode(message)


def test_the_examples_show_every_type() -> None:
    assert {type(m) for m in CLIENT.values()} == set(CLIENT_MESSAGES.values())
    assert {type(m) for m in SERVER.values()} == set(SERVER_MESSAGES.values())


def test_no_client_message_is_longer_than_allowed() -> None:
    assert max(len(encode(message)) for message in CLIENT.values()) <= MAX_CLIENT_BYTES


def test_the_table_of_bytes_names_each_type_and_its_length() -> None:
    table = (ROOT / "docs" / "protocol.md").read_text()
    rows = re.findall(r"^\| ([0-9A-F]{2}) \| `([A-Z]+)` \| (\d+)", table, re.MULTILINE)
    told = {(int(kind, 16), name, int(length)) for kind, name, length in rows}
    known = {**CLIENT_MESSAGES, **SERVER_MESSAGES}
    assert told == {(t, m.__name__.upper(), m.LAYOUT.size) for t, m in known.items()}


# The same examples for the page's half of the protocol


def plain(message: Any) -> dict[str, Any]:
    """Return the fields of a message as JSON can hold them.

    Numbers, texts, lists; bytes as hex, a picture by its number (see `pixels`), and what JSON has
    no number for by its name in Python: "nan", "inf".
    """
    return {name: _plain(value) for name, value in asdict(message).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex() if len(value) < PIXEL_BYTES else value[1]
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.real if isinstance(value, int) and not isinstance(value, bool) else value


def vectors() -> list[dict[str, Any]]:
    """Return each example as fields and as bytes: hex, after which the pictures of a frame come."""
    return [
        {
            "name": name,
            "direction": "client" if name in CLIENT else "server",
            "type": type(message).__name__,
            "fields": plain(message),
            "hex": encode(message)[: 64 if isinstance(message, Frame) else None].hex(),
        }
        for name, message in EXAMPLES.items()
    ]


def test_the_examples_for_the_page_are_up_to_date(tmp_path: Path) -> None:
    wanted = json.dumps(vectors(), indent=1) + "\n"
    if not VECTORS.is_file() or VECTORS.read_text() != wanted:
        fresh = tmp_path / VECTORS.name
        fresh.write_text(wanted)
        pytest.fail(f"{VECTORS} is stale: cp {fresh} {VECTORS}")


# What is refused


@pytest.mark.parametrize(
    ("hexes", "reason"),
    [
        ("", "begins with 4d 31, got nothing"),
        ("4d", "begins with 4d 31, got 4d"),
        ("4e310400", "begins with 4d 31, got 4e 31"),
        ("4d31", r"no message of the type \(none\)"),
        ("4d31ff00", "no message of the type ff"),
        ("4d318300 01000200", "no message of the type 83"),
        ("4d3104", "PAUSE has 4 bytes, got 3"),
        ("4d31040000", "PAUSE has 4 bytes, got 5"),
        ("4d310402", "PAUSE has a byte that should be 0, or a flag"),
        ("4d310701", "WAKE has a byte that should be 0"),
        ("4d31020c00000000", "KEYS: action must be from 0 to 11, got 12"),
        ("4d31020000000100", "KEYS has a byte that should be 0"),
        ("4d31050c00000000", "STEP: action must be from 0 to 11, got 12"),
        ("4d310600000000000000000000002000", "RESET: seed must be from 0 to 9007199254740991"),
        ("4d310100" + "00" * 28, "START: mode must be from 1 to 3, got 0"),
        ("4d310104" + "00" * 28, "START: mode must be from 1 to 3, got 4"),
        ("4d310103" + "02" + "00" * 27, "START has a byte that should be 0, or a flag"),
        ("4d310102" + "00" * 10 + "2000" + "00" * 16, "START: seed must be from 0 to 90071992547"),
        ("4d310101" + "00" * 12 + "7631" + "00" * 14, "START: mode real has no model, got 'v1'"),
        ("4d310103" + "00" * 12 + "2f65" + "00" * 14, "START: a model's name is .*, got '/e'"),
        ("4d310103" + "00" * 12 + "76003100" + "00" * 12, "START: a model's name is 1 to 16"),
        ("4d310103" + "00" * 12 + "ff" * 16, "START: a model's name is 1 to 16"),
    ],
)
def test_what_is_no_message_is_refused_with_the_reason(hexes: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        decode_client(bytes.fromhex(hexes))
    assert len(str(caught.value).encode()) <= 123, "it must fit into the reason of a close"


def test_what_a_client_sends_is_nothing_for_clients() -> None:
    with pytest.raises(ProtocolError, match="no message of the type 02"):
        decode_server(encode(Keys(action=1)))


@pytest.mark.parametrize("name", SERVER)
def test_the_server_s_messages_cut_short_or_lengthened_are_refused(name: str) -> None:
    data = encode(SERVER[name])
    for wrong in (data[:-1], data[:5], data + b"\0"):
        with pytest.raises(ProtocolError):
            decode_server(wrong)


def test_numbers_that_do_not_fit_are_not_written() -> None:
    for message in (Ack(serial=2**32), Ack(serial=-1), Queue(position=65_536, waiting=1)):
        with pytest.raises(ProtocolError, match="cannot be written"):
            encode(message)
    with pytest.raises(ProtocolError, match=r"a model.s name is 1 to 16"):
        encode(Start(mode=Mode.DREAM, seed=0, model="a name that is too long"))


def survives(data: bytes) -> bool:
    """Whether bytes are a message; that they are one means that it writes the same bytes."""
    try:
        message = decode_client(data)
    except ProtocolError as error:
        reason = str(error)
    else:
        assert encode(message) == data
        return True
    assert len(reason.encode()) <= 123
    return False


def test_a_hundred_thousand_random_and_mutated_messages_are_taken_or_refused() -> None:
    rng = random.Random(0)
    good = [encode(message) for message in CLIENT.values()]
    taken = 0
    for i in range(120_000):
        if i % 3 == 0:
            data = rng.randbytes(rng.randrange(MAX_CLIENT_BYTES + 1))
        elif i % 3 == 1:
            kind = rng.choice(list(CLIENT_MESSAGES.values()))
            data = b"M1" + bytes([kind.TYPE]) + rng.randbytes(kind.LAYOUT.size - 3)
        else:
            mutant = bytearray(rng.choice(good))
            for _ in range(rng.randrange(1, 4)):
                place = rng.randrange(len(mutant))
                change = rng.randrange(4)
                if change == 0:
                    mutant[place] ^= 1 << rng.randrange(8)
                elif change == 1:
                    mutant[place] = rng.randrange(256)
                elif change == 2 and len(mutant) > 1:
                    del mutant[place]
                else:
                    mutant.insert(place, rng.randrange(256))
            data = bytes(mutant)
        taken += survives(data)
    assert 1_000 < taken < 60_000, "some mutants are messages, most are not"
