"""How high the ground is, from photographs with known poses: the level on which they agree."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.selection import spread

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_WIDTH = 96  # pixels of the images compared: a wrong level moves them by pixels, and relief blurs them by less
_REFERENCES, _FARTHER = 10, 8  # photographs, spread over the sequence; partners of each, every other twice as far off
_STRAIGHT = 0.1  # of the way that a pair lies apart
_STEP = 0.04  # from one level to the next, of the distance below the camera
_STILL = 1e-12  # of the distance from the map's origin: what rounding alone may move a camera by
_PARALLAX = (2.0, 0.6)  # pixels, and share of the width: less says nothing about the level, more leaves no overlap
_OVERLAP = 0.3  # of an image, that the other has to see of the ground for their likeness to count

ALIKE = 0.3
"""Correlation below which photographs of one ground do not agree on any level."""


@dataclass(frozen=True)
class Ground:
    """A level of the map frame."""

    height: float
    """Metres along the map's z."""
    likeness: float
    """Correlation of the photographs on this level, median of the pairs; at most 1."""
    pairs: int
    """Pairs of photographs that were compared."""

    def camera_height(self, T_world_camera: Float64, T_world_map: Float64) -> float:
        """Metres that a camera at a pose (4, 4) is above the ground, which is level in the map frame."""
        return float((T_world_camera[:3, 3] - T_world_map[:3, 3]) @ T_world_map[:3, 2]) - self.height

    def distance(self, T_world_camera: Float64, T_world_map: Float64) -> float:
        """Metres to the ground along a camera's axis, but no more than thrice its height over the ground: it may look
        far ahead."""
        descent = -float(T_world_camera[:3, 2] @ T_world_map[:3, 2])
        return self.camera_height(T_world_camera, T_world_map) / max(descent, 1 / 3)


LEVEL = Ground(0.0, 1.0, 0)
"""The plane z = 0, for a world that was put so, as that of a tracked camera is: nobody has to look for its ground."""


def find_ground(
    camera: Camera,
    poses: Sequence[Float64],
    read: Callable[[int], Float32 | None],
    T_world_map: Float64 | None = None,
) -> Ground:
    """The level z = height of the map frame on which photographs agree best, whatever relief stands out of it.

    `poses` are their T_world_camera (4, 4), in the order in which they were taken; `read` gives the intensity (height,
    width) of one, NaN where unknown, or None where it cannot be read. A plane sweep (Collins, *A Space-Sweep Approach
    to True Multi-Image Matching*, CVPR 1996) of whole images. Raises InputError where no two photographs are apart, or
    none agree on any level.
    """
    return ComparedPhotographs.of(camera, poses, read).level(np.eye(4) if T_world_map is None else T_world_map)


@dataclass(frozen=True, eq=False)
class ComparedPhotographs:
    """Photographs made small, of which pairs are compared on one level after the other."""

    camera: Camera
    """Of the small ones."""
    images: Mapping[int, Float32]
    """(height, width) intensity by their number."""
    poses: Sequence[Float64]
    """T_world_camera (4, 4) of all, by their number."""
    pairs: tuple[tuple[int, int], ...]

    @staticmethod
    def of(camera: Camera, poses: Sequence[Float64], read: Callable[[int], Float32 | None]) -> "ComparedPhotographs":
        """Read those that are to be compared; arguments and errors are those of `find_ground`."""
        pairs = _pairs(poses)
        if not pairs:
            where = f"the camera of all {len(poses)} stands in one place" if len(poses) > 1 else "received one"
            raise InputError(f"photographs: {where}; how far away the ground is shows only where the camera moves")
        step = max(1, round(camera.width / _WIDTH))
        numbers = sorted({k for pair in pairs for k in pair})
        small = {k: _shrunk(image, step) for k in numbers if (image := read(k)) is not None}
        readable = tuple(pair for pair in pairs if all(k in small for k in pair))
        if not readable:
            raise InputError(
                f"photographs: {len(small)} of the {len(numbers)} that are compared can be read, and no two that were "
                "taken apart from each other; expected whole PNG or JPEG files of the camera's size"
            )
        return ComparedPhotographs(camera.every_nth_pixel(step), small, poses, readable)

    def level(self, T_world_map: Float64) -> Ground:
        """See `find_ground`."""
        small, images = self.camera, self.images
        T_map_world = se3.inverse(T_world_map)
        in_map = [T_map_world @ T for T in self.poses]
        baselines = np.array([np.linalg.norm(in_map[a][:3, 3] - in_map[b][:3, 3]) for a, b in self.pairs])
        eye = float(np.median([in_map[a][2, 3] for a, _ in self.pairs]))
        if not baselines.min() > _STILL * max(float(np.linalg.norm(T[:3, 3])) for T in in_map):
            raise InputError("photographs: some that are compared were taken from one place; check their poses")
        least, most = _PARALLAX[0], _PARALLAX[1] * small.width
        nearest, farthest = small.fx * baselines.min() / most, small.fx * baselines.max() / least
        below = nearest * np.exp(_STEP * np.arange(math.ceil(math.log(farthest / nearest) / _STEP) + 1))
        curve = np.full(len(below), -1.0)
        counts = np.zeros(len(below), int)
        for level, distance in enumerate(below):
            parallax = small.fx * baselines / distance
            told = [
                _likeness(small, images[a], images[b], in_map[a], in_map[b], eye - distance)
                for a, b in (self.pairs[k] for k in np.flatnonzero((parallax >= least) & (parallax <= most)))
            ]
            known = [each for each in told if math.isfinite(each)]
            counts[level] = len(known)
            curve[level] = np.mean(known) if known else -1.0
        curve[counts < max(1, counts.max() // 3)] = -1.0
        best = int(np.argmax(curve))
        if curve[best] < ALIKE:
            raise InputError(
                f"photographs: {len(self.pairs)} pairs agree on no level of the ground (correlation {curve[best]:.2f} "
                f"at best, expected {ALIKE:g}); check poses (camera to world, the camera's z ahead and y down), the "
                "camera, the map frame, whose z must point up from the ground, and whether photographs show anything"
            )
        return Ground(eye - _peak(below, curve, best), float(curve[best]), int(counts[best]))


def _pairs(poses: Sequence[Float64]) -> list[tuple[int, int]]:
    """Pairs of photographs by how far the camera moved between them: all of the way, half of it, a quarter, …"""
    steps = np.linalg.norm(np.diff([T[:3, 3] for T in poses], axis=0), axis=1)
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    found = set()
    for a in spread(len(poses), _REFERENCES):
        for halvings in range(1, _FARTHER + 1):
            b = int(np.searchsorted(travelled, travelled[a] + travelled[-1] / 2**halvings))
            # What comes back to where it was has no baseline, however far it went.
            if b < len(poses) and np.linalg.norm(poses[b][:3, 3] - poses[a][:3, 3]) > _STRAIGHT * (
                travelled[b] - travelled[a]
            ):
                found.add((int(a), b))
    return sorted(found)


def _shrunk(image: Float32, step: int) -> Float32:
    """Every `step`-th pixel of the image blurred over as many; NaN becomes the mean, which says nothing."""
    filled = np.where(np.isnan(image), np.nanmean(image), image).astype(np.float32)
    return np.ascontiguousarray(cv2.blur(filled, (step, step))[::step, ::step])


def _likeness(camera: Camera, a: Float32, b: Float32, T_map_a: Float64, T_map_b: Float64, level: float) -> float:
    """Correlation of two images where both see the plane z = level; NaN where they share too little of it."""
    K, per_K = camera.matrix, np.linalg.inv(camera.matrix)
    # A pixel of `a` meets the plane at depth d: its place there, then in `b`. As a homography, up to scale.
    n, height = T_map_a[2, :3], level - T_map_a[2, 3]
    T_b_a = se3.inverse(T_map_b) @ T_map_a
    H = K @ (T_b_a[:3, :3] + np.outer(T_b_a[:3, 3], n) / height) @ per_K
    shared, correlation = _correlate(a, b, H, n @ per_K / height)
    return correlation if shared >= _OVERLAP * a.size else float("nan")


@njit(cache=True, nogil=True)
def _correlate(a: Float32, b: Float32, H: Float64, facing: Float64) -> tuple[int, float]:
    """How many pixels p = (u, v, 1) of `a` have a place H p in `b`, and the correlation of both there, or NaN.

    Only those with facing · p > 0 meet the plane before the camera.
    """
    height, width = a.shape
    count, sum_a, sum_b, sum_aa, sum_ab, sum_bb = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for v in range(height):
        for u in range(width):
            w = H[2, 0] * u + H[2, 1] * v + H[2, 2]
            if not (w > 0 and facing[0] * u + facing[1] * v + facing[2] > 0):
                continue
            x, y = (H[0, 0] * u + H[0, 1] * v + H[0, 2]) / w, (H[1, 0] * u + H[1, 1] * v + H[1, 2]) / w
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            j, i = np.uintp(x), np.uintp(y)
            right, below = min(j + np.uintp(1), np.uintp(width - 1)), min(i + np.uintp(1), np.uintp(height - 1))
            along_x, along_y = x - j, y - i
            upper = b[i, j] + along_x * (b[i, right] - b[i, j])
            lower = b[below, j] + along_x * (b[below, right] - b[below, j])
            own, seen = np.float64(a[v, u]), upper + along_y * (lower - upper)
            count += 1
            sum_a, sum_aa = sum_a + own, sum_aa + own * own
            sum_b, sum_bb = sum_b + seen, sum_bb + seen * seen
            sum_ab += own * seen
    if count == 0:
        return 0, np.nan
    mean_a, mean_b = sum_a / count, sum_b / count
    square = (sum_aa / count - mean_a * mean_a) * (sum_bb / count - mean_b * mean_b)
    return count, (sum_ab / count - mean_a * mean_b) / np.sqrt(square) if square > 1e-12 else np.nan


def _peak(below: Float64, curve: Float64, best: int) -> float:
    """Where the curve is highest, between the levels, by a parabola."""
    if not 0 < best < len(below) - 1:
        return float(below[best])
    low, top, high = curve[best - 1 : best + 2]
    bend = low - 2 * top + high
    shift = 0.5 * (low - high) / bend if bend < 0 else 0.0
    return float(below[best] * math.exp(_STEP * shift))
