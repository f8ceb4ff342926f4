"""Semi-global matching: of each pixel's hypotheses the one that its neighbours agree with, edges kept.

Hirschmüller, *Stereo Processing by Semiglobal Matching and Mutual Information* (PAMI 2008): the cost of a pixel's
hypothesis is carried along eight directions, with a small penalty for a neighbour's next hypothesis and a larger one
for any other, less where the image has an edge. Here hypotheses are levels between two surfaces, so that what costs
nothing is a surface parallel to them: level ground, or the ground that the map predicts.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.parallel import even_parts, run_parts
from glrender.recycle import Recycler

Float32 = NDArray[np.float32]

_recycler = Recycler()


class Penalties(NamedTuple):
    """What a pixel pays for a hypothesis that differs from its neighbour's. A match itself costs 1 - score, at most
    1."""

    next: float = 0.12
    """For the hypothesis next to the neighbour's."""
    other: float = 0.6
    """For any other hypothesis, where the image is even."""
    edge: float = 0.03
    """Difference of neighbouring pixels' intensity at which `other` is halved."""


class Chosen(NamedTuple):
    """What each pixel settled for."""

    hypothesis: NDArray[np.int32]
    """(height, width) its number."""
    offset: Float32
    """(height, width) of the minimum from it, in hypotheses, -0.5 … 0.5."""
    margin: Float32
    """(height, width) by how much more the best hypothesis that is two or more away costs, as a mean over the
    directions."""


def semi_global(image: Float32, scores: Float32, penalties: Penalties) -> Chosen:
    """`image` is (height, width) intensity, `scores` (height, width, hypotheses): below 0 counts as 0."""
    # An unknown pixel ends as an edge; NaN would be carried across the whole image.
    image = np.nan_to_num(image)
    sums = [_recycler.empty(scores.shape, np.float32) for _ in range(2)]
    steps = np.array(penalties, np.float32)
    # Two ways over the image of four directions each; what one core does, the other need not wait for.
    run_parts(_carry, [(0, 1), (1, 2)], image, scores, steps, (sums[0], sums[1]))
    shape = image.shape
    chosen = Chosen(np.empty(shape, np.int32), np.empty(shape, np.float32), np.empty(shape, np.float32))
    run_parts(_choose, even_parts(shape[0]), sums[0], sums[1], *chosen)
    return chosen


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "nnan"}, error_model="numpy")
def _carry(
    image: Float32, scores: Float32, penalties: Float32, sums: tuple[Float32, Float32], way: int, _: int
) -> None:
    """Costs carried along four directions: from the left and from above, or (way 1) from the right and from below."""
    height, width, count = scores.shape
    total = sums[way]
    ahead = 1 - 2 * way
    # Carried costs with a border of hypotheses that are never the least; per direction the row before, and this one.
    before, here = np.empty((3, width, count + 2), np.float32), np.empty((3, width, count + 2), np.float32)
    least_before, least_here = np.empty((3, width), np.float32), np.empty((3, width), np.float32)
    before[:] = np.inf
    here[:] = np.inf
    beside, fresh = np.full(count + 2, np.float32(np.inf)), np.full(count + 2, np.float32(np.inf))
    cost, one = np.empty(count, np.float32), np.empty(count, np.float32)
    for row in range(height):
        v = row if ahead > 0 else height - 1 - row
        least_beside = np.float32(0)
        for column in range(width):
            u = column if ahead > 0 else width - 1 - column
            for k in range(count):
                cost[k] = np.float32(1) - max(scores[v, u, k], np.float32(0))
                one[k] = np.float32(0)
            if column == 0:
                least_beside = _start(cost, fresh)
            else:
                least_beside = _step(cost, beside, least_beside, image[v, u] - image[v, u - ahead], penalties, fresh)
            beside, fresh = fresh, beside
            for k in range(count):
                one[k] += beside[k + 1]
            for direction in range(3):
                from_u = u + direction - 1
                if row == 0 or from_u < 0 or from_u >= width:
                    least_here[direction, u] = _start(cost, here[direction, u])
                else:
                    difference = image[v, u] - image[v - ahead, from_u]
                    least_here[direction, u] = _step(
                        cost, before[direction, from_u], least_before[direction, from_u], difference, penalties,
                        here[direction, u],
                    )  # fmt: skip
                for k in range(count):
                    one[k] += here[direction, u, k + 1]
            for k in range(count):
                total[v, u, k] = one[k]
        before, here = here, before
        least_before, least_here = least_here, least_before


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "nnan"}, inline="always")
def _start(cost: Float32, out: Float32) -> np.float32:
    least = np.float32(1e9)
    for k in range(cost.shape[0]):
        out[k + 1] = cost[k]
        least = min(least, cost[k])
    return least


@njit(cache=True, nogil=True, fastmath={"contract", "nsz", "nnan", "arcp"}, error_model="numpy", inline="always")
def _step(
    cost: Float32, before: Float32, least: np.float32, difference: np.float32, penalties: Float32, out: Float32
) -> np.float32:
    """One pixel further; returns the least of the carried costs."""
    step = penalties[0]
    other = max(penalties[1] / (np.float32(1) + abs(difference) / penalties[2]), step)
    new_least = np.float32(1e9)
    for k in range(cost.shape[0]):
        beside = min(before[k], before[k + 2]) + step
        carried = min(min(before[k + 1], beside), least + other)
        value = cost[k] + carried - least
        out[k + 1] = value
        new_least = min(new_least, value)
    return new_least


@njit(cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def _choose(
    forth: Float32,
    back: Float32,
    index: NDArray[np.int32],
    offset: Float32,
    margin: Float32,
    first: int,
    last: int,
) -> None:
    count = forth.shape[2]
    cost = np.empty(count, np.float32)
    for v in range(first, last):
        for u in range(forth.shape[1]):
            best, least = 0, np.float32(1e9)
            for k in range(count):
                cost[k] = forth[v, u, k] + back[v, u, k]
                if cost[k] < least:
                    best, least = k, cost[k]
            second = np.float32(1e9)
            for k in range(count):
                if abs(k - best) > 1:
                    second = min(second, cost[k])
            index[v, u] = best
            margin[v, u] = (second - least) / np.float32(8)
            offset[v, u] = 0
            if 0 < best < count - 1:
                bend = cost[best - 1] - 2 * least + cost[best + 1]
                if bend > 0:
                    offset[v, u] = np.float32(0.5) * (cost[best - 1] - cost[best + 1]) / bend
