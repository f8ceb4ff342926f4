"""What is known of heights: frames count at once, and for good as they speak last."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glrender.fusion.height_memory import HeightMemory
from glrender.solve.linear import DirectSolver
from glrender.solve.patch import LocalEquations, Patch
from glrender.solve.priors import SmoothnessPrior
from glrender.solve.systems import NormalEquations

SHAPE = 14, 19
WHOLE = Patch.whole(SHAPE)
PATCHES = Patch(0, 9, 2, 12), Patch(5, 14, 4, 19), Patch(3, 11, 8, 15)
PRIOR = SmoothnessPrior(0.01, 0.01)


def saying(patch: Patch, seed: int) -> LocalEquations:
    """Measurements of single heights of a patch, and of differences of neighbours along rows."""
    rng = np.random.default_rng(seed)
    told = NormalEquations.zeros(*patch.shape, 0)
    told.stencil.matrix[:, :, 0, 0] = rng.uniform(1e4, 1e8, patch.shape)
    told.stencil.matrix[:, :-1, 1, 0] = rng.uniform(-1e3, 1e3, (patch.shape[0], patch.shape[1] - 1))
    vector = told.stencil.matvec(rng.normal(size=(*patch.shape, 1)))
    return LocalEquations(patch, NormalEquations(told.stencil, vector, 1.0, patch.shape[0] * patch.shape[1]))


def silent(patch: Patch) -> LocalEquations:
    return LocalEquations(patch, NormalEquations.zeros(*patch.shape, 0))


@pytest.fixture
def memory() -> HeightMemory:
    return HeightMemory(SHAPE, PRIOR, 5.0)


def known(memory: HeightMemory) -> NormalEquations:
    return memory.equations(WHOLE, np.zeros(SHAPE))


def settled(memory: HeightMemory, patch: Patch, heights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Heights of the grid once those of a patch stay: what the prior says of steps follows them."""
    heights = heights.copy()
    for _ in range(60):
        heights[patch.slices] = memory.solved(patch, DirectSolver(), heights)
    return heights


def test_what_is_said_for_good_takes_the_place_of_what_was_said_before(memory: HeightMemory) -> None:
    first = [saying(patch, k) for k, patch in enumerate(PATCHES)]
    last = [saying(patch, k + 10) for k, patch in enumerate(PATCHES)]
    expected = HeightMemory(SHAPE, PRIOR, 5.0)
    for said in first:
        memory.add(said)
    for before, said in zip(first, last, strict=True):
        memory.relinearize(before, said)
        expected.add(said)
    np.testing.assert_allclose(known(memory).stencil.matrix, known(expected).stencil.matrix, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(known(memory).vector, known(expected).vector, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(memory.information(WHOLE), expected.information(WHOLE), rtol=1e-9, atol=1e-6)
    assert known(memory).count == known(expected).count


def test_whoever_falls_silent_leaves_nothing(memory: HeightMemory) -> None:
    first = [saying(patch, k) for k, patch in enumerate(PATCHES)]
    for said in first:
        memory.add(said)
    for said in first:
        memory.relinearize(said, silent(said.patch))
    assert known(memory).count == 0
    assert (memory.information(WHOLE) >= 0).all()
    assert memory.information(WHOLE).max() < 1e-6
    assert not memory.observed(WHOLE, 1e-6).any()
    assert memory.is_new(WHOLE).all()


def test_cells_are_new_until_something_is_said_for_good(memory: HeightMemory) -> None:
    said = saying(PATCHES[0], 0)
    memory.add(said)
    assert memory.is_new(WHOLE).all()
    memory.relinearize(said, said)
    assert not memory.is_new(PATCHES[0]).any()
    assert np.count_nonzero(memory.is_new(WHOLE)) == np.prod(SHAPE) - np.prod(PATCHES[0].shape)


def test_a_patch_is_solved_between_the_heights_around_it() -> None:
    memory = HeightMemory(SHAPE, SmoothnessPrior(0.01), 5.0)
    for k, patch in enumerate(PATCHES):
        memory.add(saying(patch, k))
    whole = memory.solved(WHOLE, DirectSolver(), np.zeros(SHAPE))
    patch = Patch(2, 10, 3, 16)
    wrong = whole.copy()
    wrong[patch.slices] += np.random.default_rng(0).normal(size=patch.shape)
    np.testing.assert_allclose(memory.solved(patch, DirectSolver(), wrong), whole[patch.slices], atol=1e-9)
    assert (wrong[patch.slices] != whole[patch.slices]).all(), "it is left as it is"


def test_beside_steps_a_patch_settles_where_the_whole_does(memory: HeightMemory) -> None:
    for k, patch in enumerate(PATCHES):
        memory.add(saying(patch, k))
    whole, patch = settled(memory, WHOLE, np.zeros(SHAPE)), Patch(2, 10, 3, 16)
    wrong = whole.copy()
    wrong[patch.slices] += np.random.default_rng(0).normal(size=patch.shape)
    np.testing.assert_allclose(settled(memory, patch, wrong)[patch.slices], whole[patch.slices], atol=1e-6)


def test_nothing_moves_where_nothing_was_said(memory: HeightMemory) -> None:
    heights = np.random.default_rng(0).normal(size=SHAPE)
    np.testing.assert_array_equal(memory.solved(WHOLE, DirectSolver(), heights), heights)


def test_a_copy_goes_its_own_way(memory: HeightMemory) -> None:
    other = memory.copy()
    other.add(saying(PATCHES[1], 0))
    assert known(memory).count == 0
    assert memory.information(WHOLE).max() == 0
