"""The network: what it must be able to know, and what it must not."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from small_models import SMALL, lively_diffusion, lively_model

from mirage_wm.evaluation.objects import ship_shown
from mirage_wm.regression import Regression, to_context, to_pixels
from mirage_wm.rewards import ENDS, REWARDS, reward_class
from mirage_wm.simulators import make_simulator
from mirage_wm.unet import change
from mirage_wm.unet_config import UNetConfig

pytestmark = pytest.mark.usefixtures("_one_thread")


def pictures(n: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 4, 64, 64, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize(("shift", "kernels"), [((8, 0), 0), ((0, -16), 1), ((24, 40), 4)])
def test_shifting_the_torus_shifts_the_prediction(shift: tuple[int, int], kernels: int) -> None:
    model = lively_model(UNetConfig(kernels=kernels))
    context, actions = to_context(pictures(2)), torch.tensor([[0, 1, 5, 11], [9, 2, 3, 6]])
    with torch.no_grad():
        here = model(context, actions)
        there = model(context.roll(shift, (2, 3)), actions)
    assert UNetConfig().cell == 8
    assert here.frame.std() > 0.1
    torch.testing.assert_close(there.frame, here.frame.roll(shift, (2, 3)), atol=1e-4, rtol=0)
    torch.testing.assert_close(there.reward, here.reward, atol=1e-4, rtol=0)
    torch.testing.assert_close(there.terminated, here.terminated, atol=1e-4, rtol=0)


def test_kernels_move_frames_by_whole_pixels_and_by_parts_of_one() -> None:
    context = to_context(pictures(1))
    last, frames = context[:, -3:], (context[:, -6:-3], context[:, -3:])
    places = [(y, x, frame) for y in (-1, 0, 1) for x in (-1, 0, 1) for frame in frames]
    assert UNetConfig(kernels=2).changes == 3 + len(places)
    for k, (y, x, frame) in enumerate(places):
        raw = torch.zeros(1, 3 + len(places), 64, 64)
        moved = frame.roll((-y, -x), (2, 3))
        raw[:, 3 + k] = 1.0
        torch.testing.assert_close(last + change(raw, context), moved)
        raw[:, 3 + k] = 0.25
        torch.testing.assert_close(last + change(raw, context), 0.75 * last + 0.25 * moved)
        raw[:, :3] = 0.5
        even = torch.ones_like(context)
        torch.testing.assert_close(change(raw, even), torch.full_like(last, 0.5))
    assert torch.equal(change(raw[:, :3], context), raw[:, :3])


def test_kernels_of_frames_that_a_net_does_not_see_are_refused() -> None:
    with pytest.raises(ValueError, match="kernels must be from 0 to 4, got 5"):
        UNetConfig(kernels=5)


def test_every_edge_is_joined_to_the_opposite_one() -> None:
    model = lively_model()
    context, actions = to_context(pictures(1)), torch.zeros(1, 4, dtype=torch.long)
    with torch.no_grad():
        before = model(context, actions).frame
        for row, column, far_row, far_column in ((0, 30, 63, 30), (30, 63, 30, 0)):
            touched = context.clone()
            touched[:, :, row, column] += 1.0
            change = (model(touched, actions).frame - before).abs().amax((0, 1))
            assert change[far_row, far_column] > 1e-4


def test_the_model_has_about_2_6_million_parameters() -> None:
    count = sum(parameter.numel() for parameter in Regression().parameters())
    assert 2_500_000 < count < 2_700_000


def test_gradients_reach_every_parameter() -> None:
    model = lively_model()
    frame, reward, terminated = model(to_context(pictures(2)), torch.tensor([[0, 1, 5, 11]] * 2))
    (frame.square().mean() + reward.square().mean() + terminated.square().mean()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.slow  # a minute of compiling
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # inside of the compiler
def test_compiled_gradients_in_mixed_precision_are_numbers() -> None:
    # A compiler may compute a maximum in one precision and look for it in another: with
    # Tensor.amax it found it nowhere, and divided by the number of places.
    model = lively_model(UNetConfig(widths=(16, 16, 16), blocks=1, embedding=16, kernels=2)).train()
    compiled = torch.compile(model, dynamic=False)
    actions = torch.randint(12, (4, 4), generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        prediction = compiled(to_context(pictures(4)), actions)
    sum(part.float().square().mean() for part in prediction).backward()
    bad = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert not bad


UNEVEN = UNetConfig(widths=(8, 24, 16), blocks=2, embedding=12, context=3, kernels=2)


def test_what_blocks_are_told_is_the_same_at_once_and_one_by_one() -> None:
    unet, condition = lively_model(UNEVEN).unet, torch.randn(3, 12)
    one_by_one = list(unet._modulations(condition, joined=False))
    at_once = list(unet._modulations(condition, joined=True))
    assert [len(part[0]) for part in one_by_one] == [16, 16, 48, 48, 32, 32, 48, 48, 16, 16]
    assert len({part.sum().item() for part in one_by_one}) == 10
    for one, other in zip(one_by_one, at_once, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("make", [lively_model, lively_diffusion])
def test_channels_that_are_made_up_change_nothing(make: Any) -> None:
    model = make(UNEVEN)
    for parameter in model.parameters():  # as in a file
        parameter.data = parameter.data.half().float()
    model.requires_grad_(False)
    seen = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    keys, noise = torch.randint(0, 12, (2, 3)), torch.randn(2, 3, 64, 64)
    before = model.outputs(seen, keys, noise).frame
    assert len(model.unet.out.weight) == 84
    halved = model.halve().float()
    assert len(model.unet.out.weight) == 88
    assert not any(parameter.requires_grad for parameter in halved.parameters())
    torch.testing.assert_close(halved.outputs(seen, keys, noise).frame, before)


def test_a_new_model_predicts_no_change_no_reward_and_no_end() -> None:
    frames = pictures(3)
    frame, reward, terminated = Regression(SMALL).predict(frames, torch.zeros(3, 4))
    assert torch.equal(frame, frames[:, -1])
    assert reward.tolist() == [0, 0, 0]
    assert terminated.tolist() == [False, False, False]


def test_every_key_of_every_one_of_the_last_four_actions_matters() -> None:
    model = lively_model()
    context = to_context(pictures(1))
    with torch.no_grad():
        idle = model(context, torch.zeros(1, 4, dtype=torch.long)).frame
        seen = [idle]
        for slot, action in itertools.product(range(4), (1, 2, 4, 8)):
            actions = torch.zeros(1, 4, dtype=torch.long)
            actions[0, slot] = action
            seen.append(model(context, actions).frame)
    for one, other in itertools.combinations(seen, 2):
        assert (one - other).abs().max() > 1e-5


def test_pixels_become_numbers_and_back_unchanged() -> None:
    frames = pictures(2)
    context = to_context(frames)
    assert context.shape == (2, 12, 64, 64)
    assert context.is_contiguous(memory_format=torch.channels_last)
    for t in range(4):
        assert torch.equal(to_pixels(context[:, 3 * t : 3 * t + 3]), frames[:, t])


def test_prediction_takes_the_likeliest_reward_and_ends_when_it_is_sure() -> None:
    model = Regression(SMALL)
    with torch.no_grad():
        model.unet.summary_second.weight.zero_()
        for k, points in enumerate(REWARDS):
            model.unet.summary_second.bias.fill_(-1.0)
            model.unet.summary_second.bias[k] = 1.0
            model.unet.summary_second.bias[-1] = ENDS + (0.1 if k % 2 else -0.1)
            _, reward, terminated = model.predict(pictures(1), torch.zeros(1, 4))
            assert reward.tolist() == [points]
            assert terminated.tolist() == [bool(k % 2)]


def test_rewards_are_told_apart_by_the_nearest_class() -> None:
    points = np.array([0, 20, 50, 100, 40, 70, 120, 150, 200, 300, 60, 9])
    told = np.array(REWARDS)[reward_class(points)]
    assert told.tolist() == [0, 20, 50, 100, 40, 70, 120, 150, 200, 200, 50, 0]


def test_the_ship_is_found_in_pictures_that_have_one() -> None:
    simulator = make_simulator(64, threads=1)
    simulator.reset(np.arange(64, dtype=np.uint64))
    rng = np.random.default_rng(0)
    for _ in range(100):
        simulator.step(rng.integers(0, 12, 64, dtype=np.int32))
    there = (simulator.arenas["dying"] == 0) & (simulator.arenas["lives"] > 0)
    assert there.sum() > 40
    assert ship_shown(torch.from_numpy(simulator.render(64)))[there].all()
    simulator.arenas["dying"], simulator.arenas["lives"] = 0, 0
    assert not ship_shown(torch.from_numpy(simulator.render(64))).any()
