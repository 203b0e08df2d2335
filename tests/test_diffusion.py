"""The formulas of EDM: their limits, the sampler's schedule, and where a perfect denoiser leads."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from small_models import lively_diffusion

from mirage_wm.diffusion import Diffusion
from mirage_wm.noise import frame_noise, stream_keys
from mirage_wm.preconditioning import SIGMA_DATA, preconditioning
from mirage_wm.regression import to_context
from mirage_wm.sampler import SIGMA_MAX, Sampler
from mirage_wm.unet_config import UNetConfig

pytestmark = pytest.mark.usefixtures("_one_thread")


def pictures(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 4, 64, 64, 3), dtype=torch.uint8, generator=generator)


def test_without_noise_the_change_passes_and_in_noise_the_net_speaks_alone() -> None:
    c = preconditioning(torch.tensor([1e-6, 1e6], dtype=torch.float64), torch.log)
    torch.testing.assert_close(c.c_skip, torch.tensor([1.0, 0.0], dtype=torch.float64))
    assert c.c_out[0] == pytest.approx(1e-6)
    assert c.c_out[1] == pytest.approx(SIGMA_DATA)
    assert c.c_in[0] == pytest.approx(1 / SIGMA_DATA)
    assert c.c_in[1] == pytest.approx(1e-6)


def test_what_the_net_sees_and_what_it_is_to_say_have_unit_variance() -> None:
    # The requirements that Eq. 7's factors are derived from (Appendix B.6 of the paper).
    sigma = torch.logspace(-3, 1, 50, dtype=torch.float64)
    c = preconditioning(sigma, torch.log)
    torch.testing.assert_close(c.c_in**2 * (SIGMA_DATA**2 + sigma**2), torch.ones_like(sigma))
    # The net's target is ((1 - c_skip) y - c_skip sigma n) / c_out.
    variance = ((1 - c.c_skip) ** 2 * SIGMA_DATA**2 + (c.c_skip * sigma) ** 2) / c.c_out**2
    torch.testing.assert_close(variance, torch.ones_like(sigma))
    torch.testing.assert_close(c.c_noise, sigma.log() / 4)


def test_levels_fall_from_the_highest_to_the_lowest_and_then_to_none() -> None:
    levels = Sampler(steps=6, sigma_high=1.0, sigma_min=0.2).levels()
    assert levels[:2] == pytest.approx([SIGMA_MAX, 1.0])
    assert levels[5:] == pytest.approx([0.2, 0])
    assert all(a > b for a, b in pairwise(levels))
    roots = np.array(levels[1:6]) ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), np.diff(roots)[0])  # Eq. 5
    assert Sampler(steps=1).levels() == [SIGMA_MAX, 0]
    assert Sampler(steps=3).levels() == pytest.approx([SIGMA_MAX, 1.0, 0.25, 0])
    high, middle, low = Sampler(steps=4).levels()[1:4]
    assert Sampler(steps=2).levels() == pytest.approx([SIGMA_MAX, middle, 0])
    assert high > middle > low
    wrong: dict[str, Any]
    for wrong in ({"steps": 0}, {"steps": 65}, {"sigma_min": 0.0}, {"sigma_high": 5.0}):
        with pytest.raises(ValueError, match=r"whole number from 1 to 64|must rise from"):
            Sampler(**wrong)
    with pytest.raises(ValueError, match="decided must be at least 0, got -1"):
        Sampler(decided=-1)


def test_with_the_perfect_denoiser_of_a_dot_somewhere_few_steps_put_it_in_one_place() -> None:
    # A dot of length 3 in one of 1,500 directions: what is best is the mean over the places, each
    # as likely as the noise makes it.
    def denoise(x: np.ndarray, sigma: float) -> np.ndarray:
        odds = 3 * x / sigma**2
        odds = np.exp(odds - odds.max(1, keepdims=True))
        return 3 * odds / odds.sum(1, keepdims=True)

    noise = np.random.default_rng(0).normal(size=(200, 1500))
    drawn = Sampler(steps=3, decided=0).sample(denoise, noise).max(1) / 3
    assert (drawn > 0.9).mean() > 0.8
    assert np.median(Sampler(steps=1).sample(denoise, noise).max(1)) < 0.1


@pytest.mark.parametrize("heun", [False, True])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_with_a_perfect_denoiser_of_one_picture_the_sampler_lands_on_it(
    steps: int, heun: bool
) -> None:
    picture, noise = np.random.default_rng(0).normal(size=(2, 3, 8, 8))
    landed = Sampler(steps=steps, heun=heun).sample(lambda x, sigma: picture, noise)
    np.testing.assert_allclose(landed, picture, atol=1e-12)


def test_with_the_perfect_denoiser_of_two_points_the_sampler_commits_to_one() -> None:
    # Data at -1 and 1: D(x; sigma) = tanh(x / sigma^2).
    noise = np.random.default_rng(0).normal(size=20000)

    def ends(sampler: Sampler) -> np.ndarray:
        return sampler.sample(lambda x, sigma: np.tanh(x / sigma**2), noise)

    landed = ends(Sampler(steps=64, sigma_high=4.5, sigma_min=0.02, decided=0))
    assert (np.abs(np.abs(landed) - 1) < 0.01).mean() > 0.99
    assert (landed > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert np.abs(ends(Sampler(steps=1))).mean() < 0.2  # one evaluation gives the mean


def test_what_is_drawn_counts_where_chance_has_decided_and_the_mean_elsewhere() -> None:
    mean, drawn = np.zeros((2, 1, 3, 16, 16))
    drawn[0, :, 2, 0] = 1.0  # a bright pixel at the seam
    drawn[0, 0, 8, 8] = 0.1  # a faint error
    sampler = Sampler(steps=2, decided=0.005)

    def landed(as_array: Callable[[np.ndarray], Any]) -> Any:
        def denoise(x: Any, sigma: float) -> Any:
            return as_array(mean if sigma == SIGMA_MAX else drawn)

        return sampler.sample(denoise, as_array(mean))

    frame = landed(lambda a: a)
    wanted = drawn.copy()
    wanted[0, 0, 8, 8] = 0
    np.testing.assert_allclose(frame, wanted)
    # Twice the threshold is passed at all pixels of which one of five times five is the bright one.
    drawn[:] = 0.001
    drawn[0, :, 2, 0] = 1.0
    near = landed(lambda a: a)[0, 0] == 0.001
    expected = np.zeros((16, 16), bool)
    expected[np.ix_(range(5), (14, 15, 0, 1, 2))] = True
    expected[2, 0] = False
    np.testing.assert_array_equal(near, expected)
    same = landed(torch.from_numpy)
    np.testing.assert_array_equal(same.numpy(), landed(lambda a: a))


def test_heuns_correction_is_of_a_higher_order() -> None:
    # Normal data of deviation 1: D = x / (1 + sigma^2), and the path ends at x / sqrt(1 + sigma^2).
    noise = np.array([1.0])
    exact = SIGMA_MAX / math.sqrt(1 + SIGMA_MAX**2)

    def error(heun: bool) -> float:
        sampler = Sampler(steps=16, sigma_high=4.0, sigma_min=0.02, heun=heun, decided=0)
        return abs(sampler.sample(lambda x, sigma: x / (1 + sigma**2), noise)[0] - exact)

    assert error(True) < 0.2 * error(False)


def test_at_the_highest_level_the_noise_is_not_seen() -> None:
    model, context = lively_diffusion(), to_context(pictures(2))
    actions, sigma = torch.tensor([[0, 1, 5, 11]] * 2), torch.full((2,), SIGMA_MAX)
    with torch.no_grad():
        one = model(torch.zeros(2, 3, 64, 64), sigma, context, actions)
        other = model(torch.randn(2, 3, 64, 64), sigma, context, actions)
        lower = model(torch.randn(2, 3, 64, 64), sigma / 2, context, actions)
    for a, b in zip(one, other, strict=True):
        assert torch.equal(a, b)
    assert (one.change - lower.change).abs().max() > 1e-3


@pytest.mark.parametrize("shift", [(8, 0), (24, -40)])
def test_shifting_the_torus_shifts_what_is_drawn(shift: tuple[int, int]) -> None:
    model, context = lively_diffusion(UNetConfig()), to_context(pictures(1))
    actions, noise = torch.tensor([[0, 1, 5, 11]]), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        here = model.draw(context, actions, noise)
        there = model.draw(context.roll(shift, (2, 3)), actions, noise.roll(shift, (2, 3)))
    assert here.change.std() > 0.01
    torch.testing.assert_close(there.change, here.change.roll(shift, (2, 3)), atol=1e-4, rtol=0)
    torch.testing.assert_close(there.reward, here.reward, atol=1e-4, rtol=0)


def test_a_new_model_expects_that_nothing_changes() -> None:
    frames = pictures(2)
    model = Diffusion(UNetConfig(widths=(8, 8), blocks=1, embedding=8), Sampler(steps=1))
    frame, reward, terminated = model.predict(frames, torch.zeros(2, 4))
    assert torch.equal(frame, frames[:, -1])
    assert reward.tolist() == [0, 0]
    assert terminated.tolist() == [False, False]


def test_the_same_noise_draws_the_same_frame_and_other_noise_another() -> None:
    model, frames, actions = lively_diffusion(), pictures(2), torch.zeros(2, 4)
    noise = torch.randn(2, 3, 64, 64)
    first = model.predict(frames, actions, noise)[0]
    assert torch.equal(first, model.predict(frames, actions, noise)[0])
    assert not torch.equal(first, model.predict(frames, actions)[0])


def test_noise_is_normal_and_the_same_for_arrays_and_tensors() -> None:
    seed, tick = np.array([5, 5, 6, 2**62 + 1]), np.array([0, 1, 0, 0])
    index = np.arange(6144)
    keys = stream_keys(seed, np.zeros(4, np.int64), tick)
    assert len(set(keys.tolist())) == 4
    noise = frame_noise(keys, index, np)
    assert noise.dtype == np.float32
    assert noise.shape == (4, 12288)
    assert np.abs(noise.mean(1)).max() < 4 / math.sqrt(12288)
    assert np.abs(noise.std(1) - 1).max() < 0.03
    assert np.abs(np.corrcoef(noise) - np.eye(4)).max() < 4 / math.sqrt(12288)
    assert 3.5 < np.abs(noise).max() < 7
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.01
    tensors = [torch.from_numpy(a) for a in (seed, np.zeros(4, np.int64), tick)]
    assert torch.equal(stream_keys(*tensors), torch.from_numpy(keys))
    same = frame_noise(torch.from_numpy(keys), torch.from_numpy(index), torch)
    torch.testing.assert_close(same, torch.from_numpy(noise), atol=2e-6, rtol=0)
    # What one dream gets does not depend on the others of the batch.
    np.testing.assert_array_equal(frame_noise(keys[2:3], index, np)[0], noise[2])
