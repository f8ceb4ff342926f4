"""Times of another unit are told, and no others are taken for such."""

import numpy as np
import pytest

from glrender.errors import InputError
from glrender.io.time_units import check_same_unit, read_seconds


@pytest.mark.parametrize(
    "poses",
    [
        np.linspace(0, 10800, 100_000),  # of hours, beside images of the first seconds
        np.arange(7200.0),  # a receiver's, once a second
        np.array([0.0, 10.0]),  # a slider's ends
        np.linspace(0, 10, 2000),
        np.array([3.0]),
        1e9 + np.linspace(0, 10, 300),  # another clock
        np.zeros(0),
    ],
)
@pytest.mark.parametrize("images", [np.arange(300) / 30, np.arange(11.0), np.array([5.0])])
def test_what_could_be_seconds_is(poses, images):
    check_same_unit("poses", poses, "images", images)


def test_lists_need_not_be_sorted_nor_quite_the_same():
    images = np.random.default_rng(0).permutation(1.7e9 + np.arange(300) / 30)
    poses = 1e3 * (1.7e9 + np.arange(-200, 1200) / 100)
    with pytest.raises(InputError, match=r"poses: its times, .* look like milliseconds beside those of images"):
        check_same_unit("poses", poses, "images", images)


@pytest.mark.parametrize("begin", [0.0, 1.7e9])
@pytest.mark.parametrize("rate", [30, 100, 400])
def test_many_poses_beside_few_images_are_told_too(begin, rate):
    with pytest.raises(InputError, match="poses: its times, .* look like milliseconds"):
        check_same_unit("poses", 1e3 * (begin + np.arange(20 * rate) / rate), "images", begin + np.arange(40) / 2)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1403636579763", 1403636579.763),
        ("1403636579763555", 1403636579.763555),
        ("1403636579763555584", 1403636579.763555584),
        ("1403636579.763555", 1403636579.763555),
        ("1403636579", 1403636579.0),
        ("123456789", 123456789.0),  # of a clock that began with the machine, in whatever unit
        ("1.4e3", 1400.0),
    ],
)
def test_what_is_a_unix_time_says_its_unit_by_its_digits(text, seconds):
    assert read_seconds(text) == pytest.approx(seconds, abs=1e-6)
