"""Sources are far enough apart, near enough, and see what the others do not."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.sources import BEST_ANGLE, choose_sources
from glrender.geometry import se3
from glrender.geometry.camera import Camera

CAMERA = Camera(80, 60, 80.0, 80.0, 39.5, 29.5)


def above(x: float, y: float = 0.0, turn: float = 0.0) -> NDArray[np.float64]:
    """A camera 10 m above the plane z = 0 that looks down, or aside by `turn` radians."""
    return se3.look_at((x, y, 10.0), (x + 10 * np.tan(turn), y, 0.0))


def test_neither_the_nearest_nor_the_farthest() -> None:
    best = 10 * np.tan(BEST_ANGLE)
    assert choose_sources(above(0), [above(0.01), above(0.2), above(best), above(6), above(50)], CAMERA, 10, 1) == [2]


def test_what_sees_something_else_is_no_source() -> None:
    assert choose_sources(above(0), [above(30), above(2, turn=1.4)], CAMERA, 10) == []
    assert choose_sources(above(0), [], CAMERA, 10) == []


def test_the_second_comes_from_another_place() -> None:
    chosen = choose_sources(above(0), [above(2), above(2.01), above(-1.8), above(2.02)], CAMERA, 10, 2)
    assert chosen[0] == 2 or chosen[1] == 2


def test_a_side_that_nobody_sees_yet_counts_more() -> None:
    # All at the same angle; the first two share what they see, the third sees the rest.
    chosen = choose_sources(above(0), [above(5, 0.0), above(5, 1.0), above(-5, 0.0)], CAMERA, 10, 2)
    assert sorted(chosen) in ([0, 2], [1, 2])


def test_photographs_of_a_few_pixels_have_sources_too() -> None:
    tiny = Camera(7, 5, 7.0, 7.0, 3.0, 2.0)
    assert choose_sources(above(0), [above(2), above(50)], tiny, 10) == [0]
