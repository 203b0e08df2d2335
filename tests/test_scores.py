"""PSNR, its two means, and intervals: against numbers worked out elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mirage_wm.evaluation.likeness import error_shares
from mirage_wm.scores import (
    BEST_PSNR,
    estimate,
    frame_errors,
    psnr,
    rate,
    ratio,
    score,
    scores,
)


@pytest.mark.parametrize(
    ("passed", "n", "low", "high"),
    [
        # Newcombe (1998), table I, method 3 (Wilson's score without correction).
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0000),  # The mirror image of 0 of 20.
    ],
)
def test_the_interval_of_a_share_is_wilsons(passed: int, n: int, low: float, high: float) -> None:
    found = rate([True] * passed + [False] * (n - passed))
    assert (found.passed, found.n) == (passed, n)
    assert found.rate == passed / n
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


def test_a_share_of_nothing_may_be_anything() -> None:
    found = rate([])
    assert np.isnan(found.rate)
    assert found[1:] == (0.0, 1.0, 0, 0)


def test_errors_are_means_of_squares_in_levels() -> None:
    a = torch.zeros(2, 3, 64, 64, 3, dtype=torch.uint8)
    b = a.clone()
    b[1, 2] = 255
    b[0, 1, 0, 0, 0] = 4
    errors = frame_errors(a, b)
    assert errors.shape == (2, 3)
    assert errors[1, 2] == 255**2
    assert torch.isclose(errors[0, 1], torch.tensor(16 / (64 * 64 * 3)))
    assert errors.count_nonzero() == 2
    assert torch.equal(errors, frame_errors(b, a))


def test_psnr_is_of_255_levels_and_has_a_best() -> None:
    assert psnr(np.array([255.0**2])) == 0
    assert psnr(np.array([6.5025])) == pytest.approx(40)
    assert psnr(np.array([0.0])) == BEST_PSNR == pytest.approx(58.92, abs=0.01)


def test_the_two_means_differ_by_rare_large_errors() -> None:
    errors = np.array([1.0] * 99 + [1000.0])
    found = score(errors)
    assert found.mean_psnr == pytest.approx(psnr(np.array([1.0]))[0] - 0.3, abs=0.001)
    assert found.psnr_of_mean == pytest.approx(psnr(np.array([10.99]))[0])
    assert found.psnr_of_mean_ci[0] < found.psnr_of_mean < found.psnr_of_mean_ci[1]
    assert found.n == 100


def test_columns_are_scored_by_themselves_and_branches_are_averaged() -> None:
    rng = np.random.default_rng(0)
    errors = rng.gamma(2, 5, (40, 3, 5))
    found = scores(errors)
    assert [s.n for s in found] == [40] * 3
    for k in range(3):
        assert found[k].mean_psnr == pytest.approx(psnr(errors[:, k]).mean())
        assert found[k].psnr_of_mean == pytest.approx(psnr(errors[:, k].mean()))
    assert score(errors[:, 0, 0]) == scores(errors[:, :1, :1])[0]


def test_bootstrapped_intervals_hold_the_true_figure_as_often_as_they_say() -> None:
    rng = np.random.default_rng(1)
    samples = rng.exponential(3.0, (100, 60))
    held = [e.low <= 3.0 <= e.high for e in map(estimate, samples)]
    assert 0.85 <= np.mean(held)
    paired = [(a, a + rng.normal(0, 0.1, 60)) for a in samples]
    found = [ratio(a, b, paired=True) for a, b in paired]
    assert 0.85 <= np.mean([r.low <= 1.0 <= r.high for r in found])
    # Pairs know more.
    a, b = paired[0]
    tight, wide = ratio(a, b, paired=True), ratio(a, b)
    assert tight.value == wide.value == a.mean() / b.mean()
    assert tight.high - tight.low < 0.2 * (wide.high - wide.low)


def test_one_sample_has_a_figure_and_no_interval() -> None:
    (found,) = scores(np.array([[4.0]]))
    assert found.mean_psnr == found.psnr_of_mean == psnr(np.array([4.0]))[0]
    assert np.isnan([found.mean_psnr_ci, *found.psnr_of_mean_ci]).all()
    two, one = np.array([1.0, 3.0]), np.array([2.0])
    for alone, value in ((estimate(one), 2), (ratio(one, two), 1), (ratio(two, one), 1)):
        assert alone.value == value
        assert np.isnan([alone.low, alone.high]).all()
    assert rate([True]).low > 0.2  # Wilson's interval knows what one is worth.


def test_the_share_of_an_error_known_from_one_step_has_no_interval() -> None:
    one, some = error_shares([1, 3], [np.array([6.0]), np.array([1.0, 3.0])])
    assert (one.value, some.value) == (0.5, 0.5)
    assert np.isnan([one.low, one.high]).all()
    assert some.low < 0.5 < some.high


def test_estimates_of_nothing_are_no_numbers() -> None:
    assert np.isnan(estimate(np.zeros(0)).value)
    assert np.isnan(ratio(np.zeros(0), np.ones(3)).value)
    assert np.isnan(ratio(np.ones(3), np.zeros(3)).value)
