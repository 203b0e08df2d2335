"""Reading the keys back: does a dream do what it is told?

A small network, trained on the game alone, tells from two frames which keys were pressed between
them (inverse dynamics). Shown dreamt frames it should read the keys that the dream was given. What
it reads off the game itself, with the same keys, is printed beside: the best it can do.

    python -m mirage_wm.evaluation.keys      # trains it anew: some minutes on a CPU
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn
from tqdm import trange

from mirage_env.arena import Arenas
from mirage_env.rules import RULES_VERSION, UNIT, Rules
from mirage_env.whole_file import write_whole
from mirage_wm.evaluation.objects import KINDS, around, centre, kinds, within
from mirage_wm.evaluation.plays import ticks
from mirage_wm.evaluation.scenes import HISTORY
from mirage_wm.evaluation.worlds import SIZE, Contestant, Starts, along, new_game, parts
from mirage_wm.recorder import Recorder
from mirage_wm.scores import estimate
from mirage_wm.seeds import HELD_OUT

__all__ = ["KeyReader", "load_reader", "main", "reading_figures", "told"]

FILE = Path(__file__).parent / "keys.safetensors"

KEYS = ("turn", "thrust", "fire")
VIEW = 16
"""Pixels around the ship that are looked at."""
PAUSE = 9
"""Ticks from one shot to the next at least: the gun is ready again, so that each press is seen."""


class Told(NamedTuple):
    """Dreams, and the keys they will be told.

    Attributes:
        starts: Of the dreams: held-out play, the ship shielded so that no death hides a key.
        actions: int32 [n, frames].
    """

    starts: Starts
    actions: NDArray[np.int32]


class KeyReader(nn.Module):
    """Tells the keys from what two frames show around the ship."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * 6, 48, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(48, 48, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(48, 64, 2, stride=2),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(64 * (VIEW // 4) ** 2, 64),
            nn.SiLU(),
            nn.Linear(64, 5),
        )

    def forward(self, views: Tensor) -> Tensor:
        """Views uint8 [n, VIEW, VIEW, 6] -> logits [n, 5]: three of turn, thrust, fire."""
        return self.layers(views.permute(0, 3, 1, 2).float() / 127.5 - 0.2)

    @torch.no_grad()
    def read(self, before: Tensor, after: Tensor) -> Tensor:
        """Read the keys from two frames uint8 [n, 64, 64, 3]; int64 [n, 3]: turn, thrust, fire.

        The ship is found by its colour in the first of them. Where there is none, what is read is
        of no worth.
        """
        logits = self(views(before, after, ship_place(before).cpu().numpy()))
        return torch.cat([logits[:, :3].argmax(1, keepdim=True), (logits[:, 3:] > 0).long()], 1)


def ship_place(frames: Tensor) -> Tensor:
    """Return where a hull's colour is densest, float [2, n] in pixels; anywhere without one."""
    hull = kinds(frames) == KINDS.index("ship")
    padded = F.pad(hull[:, None].float(), (2,) * 4, mode="circular")
    dense = F.avg_pool2d(padded, 5, 1).flatten(1).argmax(1)
    place = torch.stack([dense % SIZE, dense // SIZE]) + 0.5
    off = centre(hull & within(place.cpu(), 4, hull.device), place.cpu())
    return (place + off.nan_to_num()) % SIZE


def views(before: Tensor, after: Tensor, place: NDArray[Any]) -> Tensor:
    """Return what two frames show around places [2, n], uint8 [n, VIEW, VIEW, 6]."""
    both = [around(frames, place, VIEW // 2)[:, :VIEW, :VIEW] for frames in (before, after)]
    return torch.cat(both, -1)


def load_reader(device: torch.device | str = "cpu") -> KeyReader:
    """Return the reader that comes with the project."""
    reader = KeyReader()
    reader.load_state_dict({k: v.float() for k, v in load_file(FILE).items()})
    return reader.eval().requires_grad_(False).to(device)


def told(n: int, frames: int, rules: Rules, *, seed: int = HELD_OUT + 2**42) -> Told:
    """Return up to n dreams to be told random keys for some frames."""
    arenas = next(ticks(n, rules, seed)).arenas
    arenas["shield"] = Rules().shield_ticks
    return _told(arenas, frames, rules, np.random.default_rng(seed))


def _told(arenas: Arenas, frames: int, rules: Rules, rng: np.random.Generator) -> Told:
    """Play the past without a key; draw keys for what comes."""
    arenas = arenas[(arenas["dying"] == 0) & (arenas["ended"] == 0)]
    n = len(arenas)
    arenas["cooldown"] = 0
    game = new_game(n, rules)
    game.arenas[:] = arenas
    history = [game.arenas.copy()]
    for _ in range(HISTORY):
        game.step(np.zeros(n, np.int32))
        history.append(game.arenas.copy())
    game.close()
    starts = Starts.of(np.stack(history), np.zeros((n, HISTORY)), rules)
    return Told(starts, random_keys(n, frames, rng))


def random_keys(n: int, frames: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return actions int32 [n, frames]: held for some ticks, shots when the gun must be ready."""
    keys = np.zeros((n, frames), np.int32)
    turn, thrust = rng.integers(0, 3, n), rng.integers(0, 2, n)
    rest = np.zeros(n, int)
    for t in range(frames):
        turn = np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), turn)
        thrust = np.where(rng.random(n) < 0.2, rng.integers(0, 2, n), thrust)
        fire = (rest == 0) & (rng.random(n) < 0.3)
        rest = np.where(fire, PAUSE - 1, np.maximum(rest - 1, 0))
        keys[:, t] = turn * 4 + thrust * 2 + fire
    return keys


def pressed(actions: NDArray[Any]) -> NDArray[np.int64]:
    """Return turn, thrust and fire of actions [...], int64 [..., 3]."""
    return np.stack([actions // 4, actions // 2 % 2, actions % 2], -1).astype(np.int64)


def reading_figures(
    dreams: Told, contestants: Mapping[str, Contestant], batch: int
) -> dict[str, Any]:
    """Return how often the keys were read rightly off what each contestant shows.

    "all" is the share of frames in which all three were; intervals are over the n dreams.
    """
    figures = {}
    for name, contestant in contestants.items():
        right: list[NDArray[np.bool_]] = []
        for rows in parts(len(dreams.actions), batch):
            starts, actions = dreams.starts[rows], dreams.actions[rows]
            steps = along(contestant, starts, actions)
            right.append(_right(torch.from_numpy(starts.frames[:, -1]), steps, actions))
        each = np.concatenate(right)
        figures[name] = {
            **{key: estimate(each[..., i].mean(1))._asdict() for i, key in enumerate(KEYS)},
            "all": estimate(each.all(2).mean(1))._asdict(),
            "frames": each.shape[1],
        }
    return figures


def _right(before: Tensor, steps: Any, actions: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which keys were read rightly, [n, frames, 3]."""
    reader, right = None, []
    for t, step in enumerate(steps):
        reader = reader or load_reader(step.frames.device)
        read = reader.read(before.to(step.frames.device), step.frames).cpu().numpy()
        right.append(read == pressed(actions[:, t]))
        before = step.frames
    return np.stack(right, 1)


def examples(n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return views of the game in which the ship lives [m, VIEW, VIEW, 6], and the keys [m, 3]."""
    rules, frames = Rules(), 16
    arenas = Recorder(n, int(rng.integers(0, 2**61)), burn_in=400).simulator.arenas.copy()
    arenas["shield"] = rng.integers(0, 2, n) * rng.integers(1, rules.shield_ticks + 1, n)
    some = _told(arenas, frames, rules, rng)
    game = new_game(len(some.actions), rules)
    game.arenas[:] = some.starts.arenas
    seen, keys = [], []
    before, lived = torch.from_numpy(game.render(SIZE)), game.arenas["dying"] == 0
    for t in range(frames):
        place = np.stack([game.arenas["ship_x"], game.arenas["ship_y"]]) / UNIT
        place = place + rng.uniform(-1, 1, place.shape)  # Dreams show it less exactly.
        game.step(np.ascontiguousarray(some.actions[:, t]))
        after, lives = torch.from_numpy(game.render(SIZE)), game.arenas["dying"] == 0
        rows = np.flatnonzero(lived & lives & (game.arenas["ended"] == 0))
        seen.append(views(before[rows], after[rows], place[:, rows]))
        keys.append(torch.from_numpy(pressed(some.actions[rows, t])))
        before, lived = after, lives
    game.close()
    return torch.cat(seen), torch.cat(keys)


def train(steps: int = 8000, batch: int = 128, arenas: int = 1024) -> KeyReader:
    """Train a reader on play of seeds for training."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    reader = KeyReader()
    optimizer = torch.optim.AdamW(reader.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    seen, keys = torch.zeros(0), torch.zeros(0)
    with trange(steps, unit="step") as bar:
        for step in bar:
            if step % 200 == 0:
                seen, keys = examples(arenas, rng)
            rows = torch.from_numpy(rng.integers(0, len(seen), batch))
            logits, right = reader(seen[rows]), keys[rows]
            loss = F.cross_entropy(logits[:, :3], right[:, 0])
            loss = loss + F.binary_cross_entropy_with_logits(logits[:, 3:], right[:, 1:].float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 25 == 0:
                bar.set_postfix_str(f"loss {loss.item():.3f}")
    return reader.eval()


def main() -> int:
    """Train the reader and write it beside this file; return the exit code."""
    reader = train()
    tensors = {name: tensor.half().contiguous() for name, tensor in reader.state_dict().items()}
    write_whole(FILE, save(tensors, {"rules_version": str(RULES_VERSION)}))
    print(f"wrote {FILE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
