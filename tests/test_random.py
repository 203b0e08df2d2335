"""The hash that stands for a generator: as good as chance, and the same for ever.

Every test computes the same numbers on every run, so that none can fail by bad luck. Limits are
five or six standard deviations of what true chance would give.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mirage_env.oracle.random import Site, below, draw, mix
from mirage_env.oracle.state import Arena

Words = NDArray[np.uint32]


def draws(
    seed: int | NDArray[np.uint64] = 0,
    episode: int | Words = 0,
    tick: int | Words = 0,
    site: int = 0,
    index: int | Words = 0,
) -> Words:
    """Return the draw of each row of its arguments: the oracle's, for arrays."""
    seeds = np.atleast_1d(np.asarray(seed, np.uint64))
    last = site * 256 + np.asarray(index, np.uint32)
    return chain(seeds & np.uint64(0xFFFFFFFF), seeds >> np.uint64(32), episode, tick, last)


def chain(*words: object) -> Words:
    u32 = np.uint32
    h = np.zeros(1, u32)
    for word in words:
        h = (h ^ np.asarray(word).astype(u32)) + u32(0x9E3779B9)
        h = (h ^ (h >> u32(16))) * u32(0x21F0AAAD)
        h = (h ^ (h >> u32(15))) * u32(0xD35A2D97)
        h = h ^ (h >> u32(15))
    return h


def test_draws_of_this_file_are_those_of_the_oracle():
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 2**64, 300, np.uint64)
    episodes, ticks = rng.integers(0, 2**32, (2, 300), np.uint32)
    indices = rng.integers(0, 256, 300, np.uint32)
    for site in Site:
        got = draws(seeds, episodes, ticks, site, indices)
        for i in range(300):
            arena = Arena(seed=int(seeds[i]), episode=int(episodes[i]), tick=int(ticks[i]))
            assert draw(arena, site, int(indices[i])) == got[i]


def test_draws_are_frozen():
    # Changing any of these changes every recorded game: raise the rules version.
    assert mix(0) == 0
    assert mix(1) == 0x06D3FA73
    assert draw(Arena(), Site.SHIP_X, 0) == 0x1B38C2BD
    assert draw(Arena(seed=2**63 + 5, episode=2, tick=3), Site.SPLIT_COURSE, 7) == 0x2FCE2E0B


def test_mix_is_one_to_one():
    first = np.arange(2**20, dtype=np.uint32)
    for start in (0, 2**31, 2**32 - 2**20):
        words = first + np.uint32(start)
        assert len(np.unique(chain(words))) == len(words)


@pytest.mark.parametrize(
    "place", range(5), ids=["seed_low", "seed_high", "episode", "tick", "call"]
)
def test_each_bit_in_flips_each_bit_out_half_of_the_time(place):
    count = 4096
    rng = np.random.default_rng(place)
    # Seeds may be anything, but counters are small numbers that go up by one.
    words = [rng.integers(0, 2**32, count, np.uint32) for _ in range(2)]
    words += [rng.integers(0, most, count, np.uint32) for most in (50, 4500, 9 * 256 + 24)]
    before = chain(*words)
    for bit in range(32 if place < 4 else 12):
        changed = list(words)
        changed[place] = changed[place] ^ np.uint32(1 << bit)
        flipped = before ^ chain(*changed)
        share = ((flipped[:, np.newaxis] >> np.arange(32, dtype=np.uint32)) & 1).mean(0)
        assert np.abs(share - 0.5).max() < 6 * 0.5 / np.sqrt(count), bit


def chi_square(counts: NDArray[np.int64]) -> float:
    """Return how far counts of equally likely outcomes are from even, in standard deviations."""
    expected, freedom = counts.sum() / counts.size, counts.size - 1
    return float((((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


@pytest.mark.parametrize("n", [2, 3, 5, 7, 32, 129, 256, 1000])
@pytest.mark.parametrize("along", ["seed", "episode", "tick", "index"])
def test_every_number_below_n_is_equally_likely(n, along):
    counter = np.arange(256 if along == "index" else 100_000, dtype=np.uint32)
    if along == "index":  # 256 indices are all there are: for many seeds
        bits = draws(seed=np.arange(400, dtype=np.uint64)[:, np.newaxis], index=counter).ravel()
    else:
        bits = draws(**{along: counter}, site=Site.ROCK_COURSE)  # type: ignore[arg-type]
    values = (bits.astype(np.uint64) * np.uint64(n)) >> np.uint64(32)
    assert [below(int(b), n) for b in bits[:100]] == values[:100].tolist()
    assert -5 < chi_square(np.bincount(values.astype(np.int64), minlength=n)) < 5


def unrelated(a: Words, b: Words) -> bool:
    """Return whether two series look independent: as numbers, as bits and as pairs of buckets."""
    a, b = a.ravel(), b.ravel()
    correlation = np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1]
    equal = (((a ^ b)[:, np.newaxis] >> np.arange(32, dtype=np.uint32)) & 1).mean(0)
    pairs = np.bincount((a >> 28) * np.uint32(16) + (b >> 28), minlength=256)
    limit = 6 / np.sqrt(len(a))
    return bool(
        abs(correlation) < limit
        and np.abs(equal - 0.5).max() < limit / 2
        and abs(chi_square(pairs)) < 6
    )


SEEDS = np.arange(40_000, dtype=np.uint64)


def test_related_series_are_told_from_unrelated_ones():
    series = draws(seed=SEEDS)
    assert not unrelated(series, series)
    assert not unrelated(series, series ^ np.uint32(0x0FFFFFFF))
    assert not unrelated(series, series + np.uint32(1 << 30))


def test_call_sites_are_unrelated():
    series = [draws(seed=SEEDS, site=site) for site in Site]
    for i, one in enumerate(series):
        assert all(unrelated(one, other) for other in series[:i])


@pytest.mark.parametrize("step", [1, 2, 16, 255])
def test_neighbouring_seeds_episodes_ticks_and_indices_are_unrelated(step):
    here = draws(seed=SEEDS, episode=3, tick=100, site=Site.ROCK_COURSE, index=0)
    neighbours = [
        draws(SEEDS + np.uint64(step), 3, 100, Site.ROCK_COURSE, 0),
        draws(SEEDS + np.uint64(step << 32), 3, 100, Site.ROCK_COURSE, 0),
        draws(SEEDS, 3 + step, 100, Site.ROCK_COURSE, 0),
        draws(SEEDS, 3, 100 + step, Site.ROCK_COURSE, 0),
        draws(SEEDS, 3, 100, Site.ROCK_COURSE, step),
    ]
    assert [unrelated(here, other) for other in neighbours] == [True] * 5


@pytest.mark.parametrize("step", [1, 2, 24])
def test_series_over_the_ticks_of_one_arena_is_unrelated_to_itself_later(step):
    series = draws(seed=7, tick=np.arange(40_000, dtype=np.uint32), site=Site.SPLIT_COURSE)
    assert unrelated(series[:-step], series[step:])


def test_swapping_seed_episode_and_tick_gives_other_numbers():
    small = np.arange(1, 200, dtype=np.uint32)
    pairs = small[:, np.newaxis], small[np.newaxis, :]
    forth, back = draws(episode=pairs[0], tick=pairs[1]), draws(episode=pairs[1], tick=pairs[0])
    assert ((forth == back) == np.eye(199, dtype=bool)).all()


def test_as_many_draws_coincide_as_chance_would_have_it():
    seeds = np.random.default_rng(0).integers(0, 2**64, 2**18, np.uint64)
    coincidences = len(seeds) - len(np.unique(draws(seeds, tick=24, site=Site.WAVE_BEARING)))
    assert 0 < coincidences < 25  # 2**18 draws of 2**32: 8 are expected
