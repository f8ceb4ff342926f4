"""Memory is used again only when nobody holds it."""

import numpy as np

from glrender.recycle import Recycler


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_an_array_that_was_let_go_comes_back() -> None:
    recycler = Recycler()
    array = recycler.empty((30, 40), np.float32)
    first = address(array)
    del array
    assert address(recycler.empty((30, 40), np.float32)) == first


def test_an_array_that_is_held_does_not() -> None:
    recycler = Recycler()
    array = recycler.empty((30, 40), np.float32)
    array[:] = 7
    recycler.empty((30, 40), np.float32)[:] = 8
    assert (array == 7).all()


def test_a_view_holds_its_array() -> None:
    recycler = Recycler()
    view = recycler.empty((30, 40), np.float32).view(np.uint32)[3:5, ::2].T
    view[:] = 7
    for _ in range(5):
        recycler.empty((30, 40), np.float32)[:] = 8.0
    assert (view == 7).all()


def test_other_shapes_and_types_are_other_arrays() -> None:
    recycler = Recycler()
    recycler.empty((30, 40), np.float32)
    assert recycler.empty((40, 30), np.float32).shape == (40, 30)
    assert recycler.empty((30, 40), np.int32).dtype == np.int32


def test_it_keeps_no_more_than_it_was_told() -> None:
    recycler = Recycler(alike=2)
    held = [recycler.empty((30, 40), np.float32) for _ in range(6)]
    assert len({address(array) for array in held}) == 6
    assert len(recycler._arrays) == 2
    for side in range(1, 50):
        recycler.empty((side, side), np.float32)
    assert len(recycler._arrays) == 32


def test_zeros_are_zero_again() -> None:
    recycler = Recycler()
    recycler.zeros((30, 40), np.float64)[:] = 7
    assert not recycler.zeros((30, 40), np.float64).any()
