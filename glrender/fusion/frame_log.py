"""A log of how each frame, as a whole, differs from the others: by how much higher it sees the ground.

Errors that all of a frame shares (those of its pose, of its sensor) displace everything it sees by a smooth field. So
the map is divided into blocks of vertices, of which a frame sees some fifty, and two numbers are kept of each frame
and block: the information that the frame brings about the block's height, and how much higher than the map it sees the
block. After 64 frames, neighbours in time are merged in pairs, so that memory and cost do not grow with their number.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.fusion.steps import beside_steps
from glrender.solve.losses import Loss
from glrender.solve.patch import LocalEquations

Float64 = NDArray[np.float64]

_ACROSS_VIEW = 9  # blocks along the longer side of what the first frame sees
_MOST_ACROSS = 64  # and along that of the map
_SMALLEST = 4  # vertices along the side of a block: fewer would log the noise of single cells
_MOST = 64  # entries before neighbours in time are merged; the estimate's time grows with their third power
_STEEPEST = 1.5  # slope over two cells that is level ground: rough ground has less
_BINS, _BINS_AN_OCTAVE, _LEAST_OCTAVE = 48, 4, -5  # of pulls: a 32nd to 128 times what noise makes of them
_SURELY_MORE = 2.0  # times what noise makes of it: independent readings and rough poses come to 1.0 to 1.7
_SURE = 5.0  # times what a frame says, known before: what it is compared with was put right by the frames after it
_FEWEST_PULLS = 30  # at a block's cells, which tell its noise from that of all
_SETTLED_SHARE = 0.2  # of a block's weight, below which the frame was hardly compared with others there


@dataclass(frozen=True, eq=False)
class Opinions:
    """What N frames, or groups of consecutive frames, say about the K blocks that have been seen."""

    T_map_camera: Float64
    """(N, 4, 4) camera to map; of a group, the last frame's."""
    weight: Float64
    """(N, K) 1/m²: the frame's information about the height of the block."""
    compared: Float64
    """(N, K) 1/m²: the part of it that could be compared with other frames, and that `rise` is made of."""
    rise: Float64
    """(N, K) metres: how much higher the frame sees the block than the first frame that saw it."""
    blocks: NDArray[np.intp]
    """(K,): numbers of the blocks, row by row over `FrameLog.shape`."""
    alone: Float64
    """(K,): the sum of the squares of single frames' weights, over that of groups'; 1 where each is a frame."""


class FrameLog:
    """The opinions of all frames about a map of `map_shape` (rows, cols) vertices, `spacing` metres apart."""

    def __init__(self, map_shape: tuple[int, int], spacing: float) -> None:
        self.map_shape = map_shape
        self._spacing = spacing
        self._divide(max(map_shape))
        self._cells = np.zeros((*map_shape, 2))  # sums of the frames' weights, and of their squares
        self._poses = np.zeros((_MOST, 4, 4))
        self._entries, self._group_size, self._in_last = 0, 1, 0

    def _divide(self, view: int) -> None:
        """Make blocks for a view of so many vertices along its longer side."""
        self.side = max(_SMALLEST, -(-view // _ACROSS_VIEW), -(-max(self.map_shape) // _MOST_ACROSS))
        self.shape = -(-self.map_shape[0] // self.side), -(-self.map_shape[1] // self.side)
        count = self.shape[0] * self.shape[1]
        self._level, self._weight, self._squares = np.zeros(count), np.zeros(count), np.zeros(count)
        self._sums = np.zeros((_MOST, 3, count))  # weight, compared, compared * rise
        self._strays = np.zeros((count, _BINS))  # how many pulls are how large beside what noise makes of them

    def add(
        self,
        T_map_camera: Float64,
        said: LocalEquations,
        heights: Float64,
        settled: NDArray[np.bool_],
        attenuation: float = 1.0,
        independent: bool = True,
    ) -> None:
        """Log a frame's equations `said`, linearised at the map so far: `heights` (rows, cols) of their patch.

        `settled` (rows, cols) are the patch's cells whose height other frames have told; where the ground is level,
        the frame is compared with them. `attenuation` is that of its robust weights, see `attenuation`; `independent`
        says whether its readings are taken to err independently, see `noise_excess`.
        """
        matrix, vector, place = said.equations.stencil.matrix, said.equations.vector, said.patch
        if not self._entries:
            seen = matrix[:, :, 0, 0] > 0
            if not seen.any():
                return
            self._divide(max(int(np.ptp(np.flatnonzero(seen.any(axis=axis)))) + 1 for axis in (0, 1)))
        sums, pulls = np.zeros((3, self._weight.size)), np.zeros((*settled.shape, 3) if independent else (0, 0, 3))
        settled = settled & ~beside_steps(heights, self._spacing, _STEEPEST)
        _sum_blocks(
            matrix, vector, heights, settled, place.top, place.left, self.side, self.shape[1], sums, pulls, self._cells
        )
        weight, compared, pull = sums
        if not weight.any():
            return
        first = (self._weight == 0) & (weight > 0)
        compared[compared < _SETTLED_SHARE * weight] = 0
        above = np.divide(pull, compared, out=np.zeros_like(pull), where=compared > 0)
        rise = self._level + above / attenuation
        if independent:
            _count_strays(pulls, compared > 0, above, place.top, place.left, self.side, self.shape[1], self._strays)
        compared[first] = weight[first]
        rise[first] = 0
        # The map is the mean of what was said of it, whatever new cells a frame brings into a block.
        total = self._weight + weight
        self._level += np.divide(weight, total, out=np.zeros_like(total), where=total > 0) * above
        self._weight = total
        self._squares += np.square(weight)
        self._append(T_map_camera, np.stack([weight, compared, compared * rise]))

    def opinions(self) -> Opinions:
        """What was said so far."""
        seen = np.flatnonzero(self._weight > 0)
        weight, compared, pull = np.moveaxis(self._sums[: self._entries, :, seen], 1, 0)
        rise = np.divide(pull, compared, out=np.zeros_like(pull), where=compared > 0)
        alone = self._squares[seen] / np.square(weight).sum(axis=0)
        return Opinions(self._poses[: self._entries].copy(), weight, compared, rise, seen, alone)

    def block_means(self, values: Float64) -> Float64:
        """(blocks, …): means of `values` (rows, cols, …) over the vertices of each block."""
        starts = [np.arange(0, size, self.side) for size in self.map_shape]
        sums = np.add.reduceat(np.add.reduceat(values, starts[0], axis=0), starts[1], axis=1)
        counts = [np.diff(start, append=size) for start, size in zip(starts, self.map_shape, strict=True)]
        area = (counts[0][:, None] * counts[1]).reshape(*self.shape, *[1] * (values.ndim - 2))
        return (sums / area).reshape(-1, *values.shape[2:])

    def unevenness(self) -> Float64:
        """(rows, cols): how much more frames' independent errors scatter a vertex than the mean of its block.

        What a slope hides from some frames, or shows to a few at close range, averages fewer of them.
        """
        weight, squares = np.moveaxis(self._cells, -1, 0)
        rows, cols = (np.arange(size) // self.side for size in self.map_shape)
        block = rows[:, None] * self.shape[1] + cols
        seen = weight > 0
        result = np.ones(self.map_shape)
        mean = self._squares[block][seen] / np.square(self._weight[block][seen])
        result[seen] = squares[seen] / np.square(weight[seen]) / mean
        return result

    def noise_excess(self, loss: Loss) -> Float64:
        """(rows, cols), at least 1: the variance with which frames scatter about heights, over that of their noise.

        Over the variance, that is, which the noise of independent readings would give, once what frames have wrong as
        wholes is taken out; `loss` is that of their residuals. Neighbouring readings of a stereo camera err together,
        by as much as its windows have in common, and so do those that see the same seam, glint or step.
        """
        total = self._strays.sum(axis=0, keepdims=True)
        if not total.any() or _excess(total, loss)[0] < _SURELY_MORE:
            return np.ones(self.map_shape)
        # In single blocks few tell: as though 30 of all that were seen had been seen there, too.
        blocks = _excess(self._strays + _FEWEST_PULLS * total / total.sum(), loss).reshape(self.shape)
        rows, cols = (np.arange(size) // self.side for size in self.map_shape)
        return np.maximum(blocks[rows[:, None], cols], 1)

    def _append(self, T_map_camera: Float64, sums: Float64) -> None:
        if self._in_last % self._group_size == 0:
            if self._entries == _MOST:
                self._group_size *= 2
                self._entries //= 2
                self._poses[: self._entries] = self._poses[1::2]
                self._sums[: self._entries] = self._sums[::2] + self._sums[1::2]
            self._sums[self._entries] = 0
            self._entries += 1
            self._in_last = 0
        self._poses[self._entries - 1] = T_map_camera
        self._sums[self._entries - 1] += sums
        self._in_last += 1


def attenuation(loss: Loss) -> float:
    """What a robustly weighted mean of residuals shows of a small shift that all of them share, weights taken before.

    The larger residuals of those that are shifted weigh less, so the mean stays behind: for Cauchy's loss with k = 3.5
    by 12 %, where the residuals scatter by 1 about the shift.
    """
    residual = np.linspace(-8, 8, 2001)
    density, shift = np.exp(-0.5 * np.square(residual)), 0.1
    weight = density * loss.weight(residual + shift)
    return float(np.sum(weight * (residual + shift)) / (np.sum(weight) * shift))


def _excess(strays: Float64, loss: Loss) -> Float64:
    """(n,): how many times what noise makes of it the variance of pulls is, by the median of counts (n, bins)."""
    shares = np.cumsum(strays, axis=1)
    half = shares[:, -1:] / 2
    at = np.argmax(shares >= half, axis=1)[:, None]
    upto, before = (np.take_along_axis(array, at, axis=1) for array in (shares, shares - strays))
    octave = _LEAST_OCTAVE + (at + (half - before) / (upto - before)) / _BINS_AN_OCTAVE
    return np.square(SIGMA_PER_MEDIAN * 2 ** octave[:, 0]) / _kept_square(loss)


def _kept_square(loss: Loss) -> float:
    """What a robust loss leaves of the mean square of pulls whose residuals scatter by 1, beside that of weights."""
    residual = np.linspace(-8, 8, 2001)
    density, weight = np.exp(-0.5 * np.square(residual)), loss.weight(residual)
    return float(np.sum(density * np.square(weight * residual)) / np.sum(density * weight))


@njit(cache=True, nogil=True)
def _sum_blocks(
    matrix: Float64,
    vector: Float64,
    heights: Float64,
    settled: NDArray[np.bool_],
    top: int,
    left: int,
    side: int,
    across: int,
    sums: Float64,
    pulls: Float64,
    cells: Float64,
) -> None:
    """Sum, over each block, the rows of the matrix, those between settled cells, and what pulls at settled cells.

    A frame that sees all settled cells higher by t pulls at them by t times the rows between them: the others have
    moved with it. Adds the rows and their squares to `cells`, which are those of the map; vertex (0, 0) of all others
    is its vertex (top, left). Of settled cells that others know well, `pulls` (rows, cols, 3) becomes what pulls at
    them, the rows between them, and the variance that noise makes of what pulls, the map's own included; else it is 0.
    An empty one is left alone.
    """
    rows, cols = settled.shape
    for i in range(rows):
        for j in range(cols):
            own = matrix[i, j, 0, 0]
            if own == 0.0:
                continue
            row, settled_row, there = own, own, own * heights[i, j]
            for axis in range(1, 4):
                for sign in (1, -1):
                    s = i + sign * (axis >= 2)
                    t = j + sign * ((axis == 1) - (axis == 3))
                    if s < 0 or s >= rows or t < 0 or t >= cols:
                        continue
                    coupling = matrix[i, j, axis, 0] if sign == 1 else matrix[s, t, axis, 0]
                    row += coupling
                    settled_row += coupling * settled[s, t]
                    there += coupling * heights[s, t]
            block = ((top + i) // side) * across + (left + j) // side
            sums[0, block] += row
            before = cells[top + i, left + j, 0]
            cells[top + i, left + j, 0] += row
            cells[top + i, left + j, 1] += row * row
            if settled[i, j]:
                sums[1, block] += settled_row
                pull = vector[i, j, 0] - there
                sums[2, block] += pull
                if pulls.size > 0 and before > _SURE * row:
                    pulls[i, j, 0], pulls[i, j, 1] = pull, settled_row
                    pulls[i, j, 2] = own * (1.0 + row / before)


@njit(cache=True, nogil=True)
def _count_strays(
    pulls: Float64,
    compared: NDArray[np.bool_],
    above: Float64,
    top: int,
    left: int,
    side: int,
    across: int,
    strays: Float64,
) -> None:
    """Count in `strays` (blocks, bins) how large `pulls`, see `_sum_blocks`, are beside what noise makes of them, once
    a block is seen as much higher as `above` (blocks,) says: those of every other row and column of the map, in blocks
    that were `compared` (blocks,), since of others nobody knows how much higher."""
    for i in range(top % 2, pulls.shape[0], 2):
        for j in range(left % 2, pulls.shape[1], 2):
            variance, block = pulls[i, j, 2], ((top + i) // side) * across + (left + j) // side
            if variance > 0.0 and compared[block]:
                off = abs(pulls[i, j, 0] - above[block] * pulls[i, j, 1]) / np.sqrt(variance)
                octave = np.log2(max(off, 1e-9)) - _LEAST_OCTAVE
                strays[block, min(max(int(np.floor(octave * _BINS_AN_OCTAVE)), 0), _BINS - 1)] += 1.0
