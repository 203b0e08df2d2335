"""What training blames a model for, and what it does not."""

from __future__ import annotations

import pytest
import torch
from small_models import lively_diffusion, lively_model

from mirage_env.rules import Rules
from mirage_wm.diffusion import Diffusion
from mirage_wm.frame_model import CONTEXT_NOISE, Errors, to_context
from mirage_wm.objectives import KNEE, LOG_FLOOR, NEAR, NOISED, PIXELS, TINTED, Objective
from mirage_wm.recorder import Event
from mirage_wm.regression import Regression
from mirage_wm.unet_config import UNetConfig
from mirage_wm.windows import Windows

pytestmark = pytest.mark.usefixtures("_one_thread")


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def flat_windows(n: int, future: int, level: int = 128) -> Windows:
    """Return windows in which nothing is to be seen and nothing happens."""
    return Windows(
        torch.full((n, 4 + future, 64, 64, 3), level, dtype=torch.uint8),
        torch.zeros(n, 3 + future).long(),
        torch.zeros(n, future).long(),
        torch.zeros(n, future).bool(),
        torch.zeros(n, future, dtype=torch.uint8),
    )


class Constant(Regression):
    """Predicts one level everywhere, another at each call, whatever it sees."""

    def __init__(self) -> None:
        super().__init__(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
        self.levels = torch.nn.Parameter(torch.full((6,), 0.5))
        self.calls = 0

    def errors(self, *given: torch.Tensor) -> Errors:
        level, n = self.levels[self.calls], len(given[0])
        self.calls += 1
        frame = level.expand(n, 3, 64, 64)
        pixels = (frame - to_context(given[3][:, None])).square().mean((1, 2, 3))
        return Errors(pixels, torch.zeros(n), frame)


@pytest.mark.parametrize(
    ("far_off", "surprised", "learns"),
    [(False, False, True), (True, False, False), (False, True, False)],
)
def test_dreams_learn_nothing_after_what_could_not_be_foretold(
    far_off: bool, surprised: bool, learns: bool
) -> None:
    films, model = flat_windows(2, 6), Constant()
    if far_off:
        films.frames[:, 4] = 0
    if surprised:
        films.events[:, 0] = int(Event.WAVE)
    objective = Objective(model, generator(), unroll=3)
    dreams = objective.begin(films, 0)
    for _ in range(2):
        objective.along(dreams, flat_windows(2, 1)).total.backward()
    assert dreams.over
    assert model.calls == 6
    gradient = model.levels.grad
    assert gradient is not None
    assert gradient[0] != 0
    assert [bool(g != 0) for g in gradient[[1, 2, 4, 5]]] == [learns] * 4
    assert bool(dreams.off.isfinite().all()) is learns


@pytest.mark.parametrize(
    ("event", "rules", "surprised"),
    [
        (Event.LARGE, Rules(), False),
        (Event.MEDIUM, Rules(split="random"), True),
        (Event.WAVE, Rules(), True),
        (Event.WAVE, Rules(wave="ring"), True),
        (Event.WAVE, Rules(wave="ship"), False),
        (Event.BEGIN, Rules(wave="ship"), True),
    ],
)
def test_what_the_rules_draw_is_a_surprise(event: Event, rules: Rules, surprised: bool) -> None:
    films = flat_windows(2, 2)
    films.events[0, 0] = int(event)
    objective = Objective(Constant(), generator(), unroll=1, rules=rules)
    dreams = objective.begin(films, 0)
    objective.along(dreams, flat_windows(2, 1))
    assert dreams.off.isinf().tolist() == [surprised, False]


def test_dreams_see_their_own_frames_and_the_films_keys() -> None:
    seen: list[torch.Tensor] = []

    class Watched(Constant):
        def errors(self, *given: torch.Tensor) -> Errors:
            seen.append(given[0][:2].detach()), seen.append(given[2][:2])
            return super().errors(*given)

    films, model = flat_windows(2, 4), Watched()
    films.actions[:] = torch.arange(7)
    with torch.no_grad():
        model.levels[:] = torch.tensor([0.1, 0.2, 0.3, 0.4, 0, 0])
    objective = Objective(model, generator(), unroll=2)
    dreams = objective.begin(films, 0)
    while not dreams.over:
        objective.along(dreams, flat_windows(2, 1))
    contexts, actions = seen[0::2], seen[1::2]
    assert [a[0].tolist() for a in actions] == [list(range(t, t + 4)) for t in range(4)]
    shown = [(c[0, ::3, 0, 0] * 255).round().int().tolist() for c in contexts]
    assert shown == [[128] * 4, [128] * 3 + [26], [128, 128, 26, 51], [128, 26, 51, 76]]
    with pytest.raises(ValueError, match="as many windows as dreams are wanted, 2, got 4"):
        objective.along(objective.begin(films, 0), flat_windows(4, 1))


@pytest.mark.parametrize("tint", [0.0, 0.1])
def test_contexts_are_noised_and_tinted_and_the_model_is_told_of_noise(tint: float) -> None:
    told_levels: list[torch.Tensor] = []
    spread: list[torch.Tensor] = []

    class Watched(Constant):
        def errors(self, *given: torch.Tensor) -> Errors:
            spread.append(given[0].std((1, 2, 3)))
            told_levels.append(given[1])
            return super().errors(*given)

    model = Watched()
    object.__setattr__(model.config, "context_noise", True)
    Objective(model, generator(), tint=tint).single(flat_windows(32, 1))
    (told,), (std,) = told_levels, spread
    assert [i % 8 in NOISED for i in range(32)] == (told > 0).tolist()
    assert told.max() <= CONTEXT_NOISE
    noised, tinted = told > 0, torch.tensor([i % 8 in TINTED for i in range(32)]) & (tint > 0)
    torch.testing.assert_close(std[noised], told[noised], atol=2e-3, rtol=0)
    assert (std[tinted] > 0).all()
    assert (std[~noised & ~tinted] == 0).all()


def test_a_tint_changes_what_is_bright_alike_in_all_frames_and_smoothly_over_the_edges() -> None:
    objective, windows = Objective(Constant(), generator()), flat_windows(16, 1)
    seen = to_context(windows.frames[:, :4])
    seen[:, :, :, 20:30] = 0
    seen[:, 9:] /= 2
    tinted = objective._tinted(seen, torch.full((16,), 0.1))
    assert (tinted[:, :, :, 20:30] == 0).all()
    shift = (tinted - seen).unflatten(1, (4, 3))
    torch.testing.assert_close(shift[:, 0], shift[:, 1])
    torch.testing.assert_close(shift[:, 3] * 2, shift[:, 0])
    assert 0.02 < shift[:, 0].std() < 0.08
    over_edges = (shift[:, 0] - shift[:, 0].roll(1, 2)).abs().amax((0, 1, 3))
    assert over_edges[0] < 1.5 * over_edges[1:].max()
    assert not torch.equal(shift[0], shift[1])


@pytest.mark.parametrize("along", [False, True])
def test_noise_is_removed_by_the_squared_error_alone(along: bool) -> None:
    blamed = (3 * KNEE * torch.rand(8, generator=generator())).requires_grad_()

    class Blamed(Diffusion):
        def errors(self, *given: torch.Tensor) -> Errors:
            return Errors(blamed, torch.zeros(8), given[0][:, -3:])

    model = Blamed(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
    objective = Objective(model, generator())
    if along:
        loss = objective.along(objective.begin(flat_windows(4, 2), 0), flat_windows(4, 1))
    else:
        loss = objective.single(flat_windows(8, 1))
    (pull,) = torch.autograd.grad(loss.total, blamed)
    # Those at the highest level name the mean at once, as v1 does.
    knee = KNEE + LOG_FLOOR
    sharp = knee / (blamed[0::2].detach() + LOG_FLOOR).clamp(max=knee)
    assert 0 < (sharp > 1).sum() < 4
    torch.testing.assert_close(pull[1::2], torch.full((4,), PIXELS / 8))
    torch.testing.assert_close(pull[0::2], PIXELS * sharp / 8)


@pytest.mark.parametrize("kind", [Regression, Diffusion])
def test_the_further_dreams_are_off_the_less_they_count(kind: type) -> None:
    blamed = torch.ones(8, requires_grad=True)
    model = kind(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
    model.errors = lambda *given: Errors(blamed, torch.zeros(8), given[0][:, -3:])
    objective = Objective(model, generator(), unroll=1)
    dreams = objective.begin(flat_windows(4, 2), 0)
    dreams.off[:] = torch.tensor([9 * NEAR, 0, torch.inf, NEAR])
    loss = objective.along(dreams, flat_windows(4, 1))
    (pull,) = torch.autograd.grad(loss.total, blamed)
    torch.testing.assert_close(pull[:4] / pull[4:], torch.tensor([0.01, 1, 0, 0.25]))
    assert dreams.off.isinf().tolist() == [False, False, True, False]


@pytest.mark.parametrize("make", [lively_model, lively_diffusion])
def test_every_stage_gives_every_layer_a_gradient(make: type) -> None:
    model = make(UNetConfig(widths=(8, 8), blocks=1, embedding=8, context_noise=True)).train()
    objective = Objective(model, generator(), unroll=2)
    windows, films = flat_windows(8, 1), flat_windows(8, 2)
    for along in (False, True):
        model.zero_grad()
        if along:
            loss = objective.along(objective.begin(films, 1), windows)
        else:
            loss = objective.single(windows)
        loss.total.backward()
        assert loss.error > 0
        assert not loss.error.requires_grad
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
