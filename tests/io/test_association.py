"""Pairs of images by their times."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from glrender.io.association import associate

START = 1305033527.0


def test_the_nearest_within_20_ms_is_taken():
    times = START + np.array([0.000, 0.033, 0.066, 0.500])
    others = START + np.array([0.069, 0.003, 0.030, 0.520001])
    np.testing.assert_array_equal(associate(times, others), [1, 2, 0, 3])
    np.testing.assert_array_equal(associate([START], [START + 0.0201]), [-1])


def test_a_partner_is_given_once_and_to_the_closest():
    np.testing.assert_array_equal(associate([0.000, 0.010], [0.011]), [-1, 0])
    np.testing.assert_array_equal(associate([0.000, 0.010], [0.011, 0.015]), [1, 0])


def test_nothing_matches_nothing():
    np.testing.assert_array_equal(associate([0.0, 1.0], []), [-1, -1])
    assert associate([], [1.0]).shape == (0,)


milliseconds = st.lists(st.integers(0, 300), max_size=12)


@given(milliseconds, milliseconds)
def test_pairs_are_one_to_one_within_tolerance_and_none_is_left_that_could_be_joined(a, b):
    times, others = np.array(a) / 1000, np.array(b) / 1000
    partner = associate(times, others)
    joined = partner[partner >= 0]
    assert len(set(joined)) == len(joined)
    assert (np.abs(times[partner >= 0] - others[joined]) < 0.0201).all()
    free = np.setdiff1d(np.arange(len(others)), joined)
    if len(free) and (partner < 0).any():
        assert np.abs(times[partner < 0][:, None] - others[free]).min() > 0.0199
