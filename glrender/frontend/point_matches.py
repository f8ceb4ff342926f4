"""Points of photographs found again in others: what a bundle adjustment is made of.

A point is a corner of one photograph, its anchor, on the ray of its pixel at an unknown inverse depth. The photograph
that it is looked for in is first seen from the anchor, over a plane through what the anchor shows, so that what is left
to find is how the ground stands out of that plane and how the poses are off; then by Lucas and Kanade's least squares
on pyramids (Bouguet, *Pyramidal Implementation of the Lucas Kanade Feature Tracker*, 2000), each match directly with
the anchor, so that no drift adds up from photograph to photograph.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pose_pairs import choose_pairs
from glrender.geometry import se3
from glrender.geometry.camera import Camera

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

CORNERS = 300
"""Of a photograph, at most."""
_WINDOW = 15  # pixels to a side
_LEVELS = 3  # of the pyramid above the finest
_BACK = 0.5  # pixels: a match that leads back to farther than this from where it began is none


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
    """A photograph prepared for matching; one without corners is only looked through for those of others."""

    image: NDArray[np.uint8]
    """(height, width) intensity in grey levels."""
    pixels: Float64
    """(n, 2) of its corners, columns and rows."""
    rays: Float64
    """(n, 3)."""


def without_corners(photograph: Float32) -> Corners:
    """An intensity (height, width) in [0, 1] to be looked through; NaN is black."""
    image = np.rint(255 * np.where(np.isfinite(photograph), photograph, 0)).astype(np.uint8)
    return Corners(image, np.zeros((0, 2)), np.zeros((0, 3)))


def find_corners(camera: Camera, photograph: Float32) -> Corners:
    """The corners (Shi and Tomasi 1994) of an intensity (height, width) in [0, 1], spread over it; NaN has none."""
    known, image = np.isfinite(photograph), without_corners(photograph).image
    margin = _WINDOW // 2 + 1
    inside = cv2.erode(
        known.astype(np.uint8), np.ones((2 * margin + 1,) * 2), borderType=cv2.BORDER_CONSTANT, borderValue=0
    )
    apart = 0.7 * np.sqrt(image.size / CORNERS)
    found = cv2.goodFeaturesToTrack(image, CORNERS, 0.001, apart, mask=inside)
    pixels = np.zeros((0, 2)) if found is None else found[:, 0].astype(np.float64)
    # Corners are found at whole pixels.
    rays = np.column_stack([(pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy), np.ones(len(pixels))])
    return Corners(image, pixels, rays)


def match(
    camera: Camera,
    corners: Sequence[Corners],
    poses: Float64,
    inverse_depths: Sequence[Float64],
    planes: Float64,
) -> list[Matches]:
    """Every photograph's corners in those that overlap with it.

    One that has no corners itself is looked through for those of the last before it and the next after it that have.
    `poses` (N, 4, 4) are T_world_camera, about; `inverse_depths` (n,) of each photograph's corners, 1/m, and `planes`
    (N, 3) those p with p·r = 1/D on a plane through what it shows, in its camera's axes.
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
        sightings = []
        for j in frames:
            T = se3.inverse(poses[j]) @ poses[i]
            sightings.append(_sighting(camera, anchor, corners[j].image, T, inverse_depths[i], planes[i]))
        pixels, found = (np.stack(each) for each in zip(*sightings, strict=True))
        matches.append(Matches(i, frames, anchor.rays, pixels, found))
    return matches


def _sighting(
    camera: Camera, anchor: Corners, image: NDArray[np.uint8], T: Float64, w: Float64, plane: Float64
) -> tuple[Float64, NDArray[np.bool_]]:
    """(n, 2), (n,): the corners in another image, whose T_camera_anchor is about `T`; and which were found."""
    K = camera.matrix
    H = K @ (T[:3, :3] + np.outer(T[:3, 3], plane)) @ np.linalg.inv(K)
    rectified = cv2.warpPerspective(image, H, image.shape[::-1], flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP)
    seen = cv2.warpPerspective(
        np.full_like(image, 255), H, image.shape[::-1], flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    rectified = _exposed_as(anchor.image, np.asarray(rectified, np.uint8), np.asarray(seen) > 0)
    about = _projected(camera, anchor.rays @ T[:3, :3].T + w[:, None] * T[:3, 3])
    start = anchor.pixels.astype(np.float32).reshape(-1, 1, 2)
    guess = _through(np.linalg.inv(H), about).astype(np.float32).reshape(-1, 1, 2)
    there, found = _flow(anchor.image, rectified, start, guess)
    back, returned = _flow(rectified, anchor.image, there, start.copy())
    pixels = _through(H, there[:, 0].astype(np.float64))
    found &= returned & (np.linalg.norm(back - start, axis=2)[:, 0] < _BACK)
    return pixels, found & _inside(camera, about) & _inside(camera, pixels)


def _inside(camera: Camera, pixels: Float64) -> NDArray[np.bool_]:
    """(n,): whether the windows around pixels (n, 2) are in the image."""
    margin = _WINDOW / 2
    with np.errstate(invalid="ignore"):
        inside = (pixels >= margin) & (pixels <= (camera.width - 1 - margin, camera.height - 1 - margin))
    return np.asarray(inside.all(axis=1))


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
    own, other = anchor[seen], image[seen]
    gain = float(own.std()) / max(float(other.std()), 1.0)
    exposed = np.clip(np.rint(gain * (image - float(other.mean())) + float(own.mean())), 0, 255).astype(np.uint8)
    return np.where(seen, exposed, anchor)


def _projected(camera: Camera, points: Float64) -> Float64:
    with np.errstate(divide="ignore", invalid="ignore"):
        return points[:, :2] / points[:, 2:] * (camera.fx, camera.fy) + (camera.cx, camera.cy)


def _through(H: Float64, pixels: Float64) -> Float64:
    """Pixels (n, 2) through a homography."""
    x = np.column_stack([pixels, np.ones(len(pixels))]) @ H.T
    with np.errstate(divide="ignore", invalid="ignore"):
        return x[:, :2] / x[:, 2:]
