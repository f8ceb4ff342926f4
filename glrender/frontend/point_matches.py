"""Points of photographs found again in others: what a bundle adjustment is made of.

A point is a corner of one photograph, its anchor, on the ray of its pixel at an unknown inverse depth. The photograph
that it is looked for in is first seen from the anchor, over a smooth surface through its corners as far as they are
known, so that what is left to find is how the ground stands out of that and how the poses are off; then by Lucas and
Kanade's least squares on pyramids (Bouguet, *Pyramidal Implementation of the Lucas Kanade Feature Tracker*, 2000), each
match directly with the anchor, so that no drift adds up from photograph to photograph.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.pose_pairs import choose_pairs
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.parallel import run_together

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CORNERS = 300
"""Of a photograph, at most."""
_APART = 0.7  # of the distance between corners that cover the image evenly: the least
_HELD = 0.1  # of a corner's weight: how firmly the ground is held to a plane where there are none
_WINDOW = 11  # pixels to a side: larger ones see more of the relief, and drives drift more
_LEVELS = 3  # of the pyramid above the finest
_BACK = 0.5  # pixels: a match that leads back to farther than this from where it began is none
_BY_CHANCE = 0.1  # of the corners that an image should show: where fewer are found, most of these are something else


@dataclass(frozen=True, eq=False)
class Matches:
    """The points of one anchor, and where other photographs show them."""

    anchor: int
    """Index of the photograph whose corners they are."""
    frames: tuple[int, ...]
    """Indices of the F others."""
    rays: Float64
    """(n, 3) r = ((u-cx)/fx, (v-cy)/fy, 1) in the anchor's camera."""
    pixels: Float64
    """(F, n, 2) columns and rows."""
    found: NDArray[np.bool_]
    """(F, n)."""


@dataclass(frozen=True, eq=False)
class Corners:
    """A photograph prepared for matching. One that has no corners is only searched for those of others."""

    image: NDArray[np.uint8]
    """(height, width) intensity in grey levels."""
    pixels: Float64
    """(n, 2) of its corners, columns and rows."""
    rays: Float64
    """(n, 3)."""


def without_corners(photograph: Float32) -> Corners:
    """A photograph that is only searched, of an intensity (height, width) in [0, 1]; NaN becomes black."""
    image = np.rint(255 * np.where(np.isfinite(photograph), photograph, 0)).astype(np.uint8)
    return Corners(image, np.zeros((0, 2)), np.zeros((0, 3)))


def find_corners(camera: Camera, photograph: Float32, most: int = CORNERS) -> Corners:
    """The corners (Shi and Tomasi 1994) of an intensity (height, width) in [0, 1], spread over it; there are none at
    NaN."""
    known, image = np.isfinite(photograph), without_corners(photograph).image
    margin = _WINDOW // 2 + 1
    inside = cv2.erode(
        known.astype(np.uint8), np.ones((2 * margin + 1,) * 2), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    apart = _APART * np.sqrt(image.size / most)
    found = cv2.goodFeaturesToTrack(image, most, 0.001, apart, mask=inside)
    pixels = np.zeros((0, 2)) if found is None else found[:, 0].astype(np.float64)
    return Corners(image, pixels, camera.rays_through(pixels))


def match(
    camera: Camera,
    corners: Sequence[Corners],
    poses: Float64,
    inverse_depths: Sequence[Float64],
    planes: Float64,
) -> list[Matches]:
    """Find every photograph's corners in the photographs that overlap with it.

    A photograph without corners is searched for those of the last one before it, and of the next one after it, that has
    some. `poses` (N, 4, 4) are T_world_camera, roughly; `inverse_depths` (n,) those of each photograph's corners, 1/m;
    and `planes` (N, 3) the p with p·r = 1/D on a plane through what each photograph shows, in its camera's axes.
    """
    anchors = [k for k, each in enumerate(corners) if len(each.pixels)]
    if not anchors:
        return []
    points = [corners[k].rays / inverse_depths[k][:, None] for k in anchors]
    pairs = [(anchors[a], anchors[b]) for a, b in choose_pairs(camera, poses[anchors], points)]
    for j in sorted(set(range(len(corners))) - set(anchors)):
        after = bisect(anchors, j)
        pairs += [(i, j) for i in anchors[max(after - 1, 0) : after + 1]]
    matches = []
    for i in anchors:
        anchor, frames = corners[i], tuple(b for a, b in pairs if a == i)
        if not frames:
            continue
        others = [(corners[j].image, se3.inverse(poses[j]) @ poses[i]) for j in frames]
        seen = sightings(camera, anchor, others, inverse_depths[i], planes[i])
        pixels, found = (np.stack(each) for each in zip(*seen, strict=True))
        matches.append(Matches(i, frames, anchor.rays, pixels, found))
    return matches


def sightings(
    camera: Camera, anchor: Corners, others: Sequence[tuple[NDArray[np.uint8], Float64]], w: Float64, plane: Float64
) -> list[tuple[Float64, NDArray[np.bool_]]]:
    """Find an anchor's n corners in other images, each with its T_camera_anchor (4, 4), roughly: pixels (n, 2) in each
    of the images, and which of them were found (n,).

    `w` (n,) are the inverse depths of the corners, 1/m, and `plane` (3,) is the p with p·r = 1/D on a plane through
    them, both roughly.
    """
    surface = surface_through(camera, anchor.pixels, anchor.rays, w, plane)
    return run_together(*(partial(_sighting, camera, anchor, image, T, w, surface) for image, T in others))


def surface_through(camera: Camera, pixels: Float64, rays: Float64, w: Float64, plane: Float64) -> Float32:
    """The inverse depths (height, width) of a smooth surface through a photograph's corners.

    It is the plane, and in addition how far the corners around stand out of it, with weights that fall with their
    distance. What a window shows beside its corner is at other depths, and moves otherwise.
    """
    height, width = camera.shape
    off = w - rays @ plane
    spread = 3 * SIGMA_PER_MEDIAN * float(np.median(np.abs(off)))
    off = np.clip(off, -spread, spread)
    step = _APART * np.sqrt(height * width / CORNERS)
    rows, cols = (np.linspace(0, size - 1, int(np.ceil(2 * size / step)) + 1) for size in (height, width))
    across = np.exp(-0.5 * np.square((cols[:, None] - pixels[:, 0]) / step))
    down = np.exp(-0.5 * np.square((rows[:, None] - pixels[:, 1]) / step))
    standing = (down * off) @ across.T / (down @ across.T + _HELD)
    along_u, along_v = plane[:2] / (camera.fx, camera.fy)
    of_pixels = np.array([along_u, along_v, plane[2] - along_u * camera.cx - along_v * camera.cy])
    surface = np.empty((height, width), np.float32)
    _fill(standing.astype(np.float32), of_pixels.astype(np.float32), np.float32(w.min()), surface)
    return surface


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(standing: Float32, plane: Float32, least: np.float32, surface: Float32) -> None:
    """Fill in the `plane` (3,) at each pixel, and in addition what stands out of it, interpolated between the knots of
    a grid over the image."""
    (height, width), (rows, cols) = surface.shape, standing.shape
    knots = np.empty(cols, np.float32)
    down, across = np.float32((rows - 1) / (height - 1)), np.float32((cols - 1) / (width - 1))
    for v in range(height):
        i = min(int(v * down), rows - 2)
        share = v * down - np.float32(i)
        for j in range(cols):
            knots[j] = standing[i, j] + share * (standing[i + 1, j] - standing[i, j])
        end = 0
        for j in range(cols - 1):
            rise = knots[j + 1] - knots[j]
            slope = rise * across + plane[0]
            at_0 = knots[j] - rise * np.float32(j) + plane[1] * np.float32(v) + plane[2]
            begin, end = end, width if j == cols - 2 else int(np.ceil(np.float32(j + 1) / across))
            for u in range(begin, end):
                surface[v, u] = max(at_0 + slope * np.float32(u), least)


def _sighting(
    camera: Camera, anchor: Corners, image: NDArray[np.uint8], T: Float64, w: Float64, surface: Float32
) -> tuple[Float64, NDArray[np.bool_]]:
    """(n, 2), (n,): the corners in another image, whose T_camera_anchor is about `T`; and which were found."""
    x, y, seen = _seen_from(camera, T, surface)
    rectified = cv2.remap(image, x, y, cv2.INTER_CUBIC)
    rectified = _exposed_as(anchor.image, np.asarray(rectified, np.uint8), seen)
    start = anchor.pixels.astype(np.float32).reshape(-1, 1, 2)
    there, found = _flow(anchor.image, rectified, start, start.copy())
    back, returned = _flow(rectified, anchor.image, there, start.copy())
    at = there[:, 0].astype(np.float64)
    depths = cv2.remap(surface, there[..., 0], there[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    pixels = camera.project(camera.rays_through(at) @ T[:3, :3].T + depths * T[:3, 3])
    about = camera.project(anchor.rays @ T[:3, :3].T + w[:, None] * T[:3, 3])
    whole = _WINDOW / 2  # so far from the border, the window around a pixel is in the image
    expected = camera.contains(about, whole)
    found &= returned & (np.linalg.norm(back - start, axis=2)[:, 0] < _BACK) & expected
    found &= camera.contains(pixels, whole)
    if found.sum() < _BY_CHANCE * expected.sum():
        found[:] = False
    return pixels, found


def _seen_from(camera: Camera, T: Float64, surface: Float32) -> tuple[Float32, Float32, NDArray[np.bool_]]:
    """Three times (height, width): columns and rows at which another camera, T_camera_anchor, sees what an anchor's
    pixels show, -1 behind it; and whether these are in its image."""
    K = camera.matrix
    turn, shift = (K @ T[:3, :3] @ np.linalg.inv(K)).astype(np.float32), (K @ T[:3, 3]).astype(np.float32)
    x, y, seen = np.empty_like(surface), np.empty_like(surface), np.empty(surface.shape, np.bool_)
    _look_from(turn, shift, surface, x, y, seen)
    return x, y, seen


@njit(cache=True, nogil=True, error_model="numpy")
def _look_from(
    turn: Float32, shift: Float32, surface: Float32, x: Float32, y: Float32, seen: NDArray[np.bool_]
) -> None:
    height, width = surface.shape
    right, bottom, zero, one = np.float32(width - 1), np.float32(height - 1), np.float32(0), np.float32(1)
    for v in range(height):
        row = np.float32(v)
        a, b, c = (
            turn[0, 1] * row + turn[0, 2],
            turn[1, 1] * row + turn[1, 2],
            turn[2, 1] * row + turn[2, 2],
        )
        for u in range(width):
            column, w = np.float32(u), surface[v, u]
            z = turn[2, 0] * column + c + shift[2] * w
            before = z > zero
            scale = one / z if before else zero
            at_x = (turn[0, 0] * column + a + shift[0] * w) * scale if before else -one
            at_y = (turn[1, 0] * column + b + shift[1] * w) * scale if before else -one
            x[v, u], y[v, u] = at_x, at_y
            seen[v, u] = (at_x >= zero) & (at_x <= right) & (at_y >= zero) & (at_y <= bottom)


def _flow(
    image: NDArray[np.uint8], other: NDArray[np.uint8], points: Float32, guess: Float32
) -> tuple[Float32, NDArray[np.bool_]]:
    """(n, 1, 2), (n,): points (n, 1, 2) of one image in the other, from a guess on; and which were found."""
    there, status, _ = cv2.calcOpticalFlowPyrLK(
        image,
        other,
        points,
        guess,
        winSize=(_WINDOW, _WINDOW),
        maxLevel=_LEVELS,
        criteria=(cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 30, 0.01),
        flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
    )
    return np.asarray(there, np.float32), np.asarray(status)[:, 0] > 0


def _exposed_as(anchor: NDArray[np.uint8], image: NDArray[np.uint8], seen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image with the mean and the spread of the anchor where both see the same, and the anchor beyond its border.

    There coarse windows would else see an edge that moves with the camera.
    """
    if not seen.any():
        return anchor
    mask = seen.view(np.uint8)
    (own, own_spread), (other, other_spread) = (
        (float(each[0, 0]) for each in cv2.meanStdDev(shown, mask=mask)) for shown in (anchor, image)
    )
    gain = own_spread / max(other_spread, 1.0)
    levels = np.clip(np.rint(gain * (np.arange(256) - other) + own), 0, 255).astype(np.uint8)
    return np.where(seen, cv2.LUT(image, levels), anchor)
