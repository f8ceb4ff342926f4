"""Places in an order in which neighbours are near."""

import numpy as np
import pytest

from glrender.geometry.visiting_order import visiting_order

LANES = np.array([(x, y, 70.0) for y in (0, 24, 48) for x in (range(0, 120, 17) if y != 24 else range(119, -1, -17))])
"""A flight to and fro, eight photographs a lane, 17 m apart."""


def longest_step(places: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(places, axis=0), axis=1).max())


def test_what_may_be_a_path_stays() -> None:
    np.testing.assert_array_equal(visiting_order(LANES), np.arange(len(LANES)))
    np.testing.assert_array_equal(visiting_order(LANES[:2]), [0, 1])
    np.testing.assert_array_equal(visiting_order(np.zeros((5, 3))), np.arange(5))


@pytest.mark.parametrize("seed", range(5))
def test_what_jumps_goes_from_one_to_the_next(seed: int) -> None:
    mixed = np.random.default_rng(seed).permutation(LANES)
    order = visiting_order(mixed)
    assert sorted(order) == list(range(len(LANES)))
    assert longest_step(mixed) > 70
    assert np.median(np.linalg.norm(np.diff(mixed[order], axis=0), axis=1)) == 17
