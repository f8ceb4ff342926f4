"""Semi-global aggregation against a slow twin, and what it is for."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.semi_global import Penalties, semi_global

PENALTIES = Penalties(0.1, 0.5, 0.05)
DIRECTIONS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]


def aggregated(image: NDArray[np.float64], scores: NDArray[np.float64], penalties: Penalties) -> NDArray[np.float64]:
    """(height, width, hypotheses): costs carried along eight directions and added, by the book."""
    height, width, count = scores.shape
    costs = 1 - np.maximum(scores, 0)
    changes = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    total = np.zeros_like(costs)
    for i, j in DIRECTIONS:
        carried = costs.copy()
        for v in range(height) if i >= 0 else range(height - 1, -1, -1):
            for u in range(width) if j >= 0 else range(width - 1, -1, -1):
                if 0 <= v - i < height and 0 <= u - j < width:
                    before = carried[v - i, u - j]
                    difference = abs(image[v, u] - image[v - i, u - j])
                    other = max(penalties.other / (1 + difference / penalties.edge), penalties.next)
                    price = np.where(changes == 0, 0, np.where(changes == 1, penalties.next, other))
                    carried[v, u] += (before[None] + price).min(axis=1) - before.min()
        total += carried
    return total


def test_choices_are_those_of_the_twin() -> None:
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 0.3, (9, 12)).astype(np.float32)
    scores = rng.uniform(-0.5, 1, (9, 12, 7)).astype(np.float32)
    chosen = semi_global(image, scores, PENALTIES)
    expected = aggregated(image.astype(np.float64), scores.astype(np.float64), PENALTIES)
    best = expected.argmin(axis=2)
    np.testing.assert_array_equal(chosen.hypothesis, best)
    away = np.abs(np.arange(7) - best[..., None]) > 1
    second = np.where(away, expected, np.inf).min(axis=2)
    np.testing.assert_allclose(chosen.margin, (second - expected.min(axis=2)) / 8, atol=1e-5)
    inner = (best > 0) & (best < 6)
    before, at, after = (
        np.take_along_axis(expected, np.clip(best + d, 0, 6)[..., None], 2)[..., 0] for d in (-1, 0, 1)
    )
    vertex = (before - after) / (2 * (before - 2 * at + after))
    np.testing.assert_allclose(chosen.offset, np.where(inner, vertex, 0), atol=1e-4)


def test_what_says_nothing_follows_its_neighbours_up_to_an_edge() -> None:
    image = np.zeros((20, 30), np.float32)
    image[:, 15:] = 0.5
    scores = np.full((20, 30, 8), 0.5, np.float32)
    scores[:, :10, 2] = 1
    scores[:, 20:, 5] = 1
    chosen = semi_global(image, scores, PENALTIES)
    np.testing.assert_array_equal(chosen.hypothesis[:, :15], 2)
    np.testing.assert_array_equal(chosen.hypothesis[:, 15:], 5)


def test_unknown_pixels_do_not_spoil_the_image() -> None:
    image = np.zeros((12, 16), np.float32)
    image[0] = image[:, 0] = np.nan
    scores = np.full((12, 16, 5), 0.2, np.float32)
    scores[..., 3] = 0.9
    chosen = semi_global(image, scores, PENALTIES)
    np.testing.assert_array_equal(chosen.hypothesis, 3)
    assert np.isfinite(chosen.margin).all()
