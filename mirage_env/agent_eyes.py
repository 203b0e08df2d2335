"""What an agent sees with: from pictures, or from vectors of the state, to what it decides by."""

from __future__ import annotations

from typing import Any

from mirage_env.errors import import_extra
from mirage_env.rules import Rules
from mirage_env.ship_view import RAYS, RINGS

torch = import_extra("torch", "wm", "an agent")
from torch import Tensor, nn  # noqa: E402

__all__ = ["PictureEyes", "StateEyes", "orthogonal"]

RULES = Rules()
"""Whose speeds and radii the eyes reckon with, by whichever rules is played."""

GAIN = 2**0.5
"""Of layers before a ReLU, so that signals keep their size."""


def orthogonal(layer: Any, gain: float = GAIN) -> Any:
    """Return a layer with orthogonal weights and without biases."""
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class PictureEyes(nn.Module):
    """Sees the last pictures as they are from the ship, see `mirage_env.ship_view`."""

    def __init__(self, frames: int, width: int, features: int) -> None:
        """Take `frames` pictures at once and give `features` numbers."""
        super().__init__()

        def conv(inputs: int, size: int, stride: tuple[int, int]) -> nn.Conv2d:
            # Rays go around: the first is beside the last. Rings do not.
            layer = nn.Conv2d(inputs, width, size, stride, (1, 0), padding_mode="circular")
            return orthogonal(layer)

        self.places = nn.Sequential(
            conv(3 * frames, 4, (2, 4)),  # [width, RAYS / 2, RINGS / 4]
            nn.ReLU(),
            conv(width, 3, (1, 1)),  # [width, RAYS / 2, RINGS / 4 - 2]
            nn.ReLU(),
            nn.Flatten(),
            orthogonal(nn.Linear(width * (RAYS // 2) * (RINGS // 4 - 2), features)),
            nn.ReLU(),
        )

    def forward(self, views: Tensor) -> Tensor:
        """Return features [B, features] of views uint8 [B, 64, 24, frames, 3]."""
        x = views.flatten(3).permute(0, 3, 1, 2)  # [B, frames * 3, 64, 24]
        return self.places(x.to(_precision(x)).div(255))


class StateEyes(nn.Module):
    """Sees vectors of the state as it is from the ship: what is ahead, what is to the left.

    Each rock and each bullet is seen for itself, whichever slot it is in; of what is seen in all of
    them only the strongest counts. Of a rock it is also told how near it will come and when, and
    where to aim at it: both are quotients, which layers of sums find hard.
    """

    def __init__(self, width: int, features: int) -> None:
        """See each rock as `width` numbers, a bullet as half as many; give `features` numbers."""
        super().__init__()
        self.rock = _layers(14, width, width)
        self.bullet = _layers(6, width // 2, width // 2)
        self.all = _layers(width + width // 2 + 9, features, features)

    def forward(self, states: Tensor) -> Tensor:
        """Return features [B, features] of states [B, 244], see `mirage_env.observations`."""
        ship = states[:, :12]
        rocks = states[:, 12:204].unflatten(1, (24, 8))
        bullets = states[:, 204:].unflatten(1, (8, 5))
        size, life = rocks[..., :1], bullets[..., :1]
        rock_seen = self.rock(_rock_features(size, *_from_the_ship(ship, rocks[..., 1:5])))
        place, drift = _from_the_ship(ship, bullets[..., 1:5])
        bullet_seen = self.bullet(
            torch.cat([life / 24, _length(place) / 32, place / 32, drift / 2], -1)
        )
        own = [
            _turned_to(ship[:, 4:6], ship[:, 2:4]),
            ship[:, 6:10] / ship.new_tensor([8.0, 60.0, 24.0, 3.0]),  # cooldown to lives
            (ship[:, 10:11] / 6).clip(max=1),  # the wave
            ship[:, 11:12] / 24,
            size.sum(1) / 20,
        ]
        seen = [(rock_seen * (size > 0)).amax(1), (bullet_seen * (life > 0)).amax(1)]
        return self.all(torch.cat([*seen, *own], -1))


def _layers(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Return two layers, each with a ReLU behind it."""
    return nn.Sequential(
        orthogonal(nn.Linear(inputs, width)),
        nn.ReLU(),
        orthogonal(nn.Linear(width, outputs)),
        nn.ReLU(),
    )


def _rock_features(size: Tensor, place: Tensor, drift: Tensor) -> Tensor:
    """Return what is seen of rocks, [..., 14], numbers of about 1.

    Args:
        size: [..., 1], 1 to 3.
        place: [..., 2], units ahead of the ship and to its left.
        drift: [..., 2], velocity relative to the ship, units/tick.
    """
    distance = _length(place)
    touching = RULES.ship_radius + RULES.rock_reach[0] * size  # about
    approach = -(place * drift).sum(-1, keepdim=True)
    ticks = (approach / (drift.square().sum(-1, keepdim=True) + 1e-3)).clip(0, 60)
    nearest = _length(place + ticks * drift) - touching
    ahead = place
    for _ in range(2):  # where it is when a bullet that is shot now gets there
        flight = (_length(ahead) - RULES.muzzle) / RULES.bullet_speed
        ahead = place + drift * flight.clip(0, 40)
    far = _length(ahead)
    parts = [size / 3, distance / 32, place / 32, place / (distance + 1), 2 * drift]
    parts += [ticks / 60, nearest / 16, ahead / (far + 1), far / 41, (distance - touching) / 16]
    return torch.cat(parts, -1)


def _from_the_ship(ship: Tensor, bodies: Tensor) -> tuple[Tensor, Tensor]:
    """Return places and velocities [B, n, 2] of bodies as they are from the ship.

    Args:
        ship: [B, 12], its part of the state.
        bodies: [B, n, 4], x, y, vx and vy in the arena.
    """
    apart = (bodies[..., :2] - ship[:, None, :2] + 32) % 64 - 32  # the short way around
    drift = bodies[..., 2:] - ship[:, None, 2:4]
    heading = ship[:, None, 4:6]
    return _turned_to(heading, apart), _turned_to(heading, drift)


def _length(vectors: Tensor) -> Tensor:
    """Return the lengths [..., 1] of vectors [..., 2]."""
    return vectors.norm(dim=-1, keepdim=True)


def _turned_to(heading: Tensor, vectors: Tensor) -> Tensor:
    """Return vectors [..., 2] as (ahead, to the left) of a ship that looks along (cos, -sin)."""
    x, y = vectors.unbind(-1)
    cosine, sine = heading.unbind(-1)
    return torch.stack([x * cosine - y * sine, -x * sine - y * cosine], -1)


def _precision(x: Tensor) -> Any:
    """Return what convolutions compute in on the device of x."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
