"""Where a camera is by the features that two photographs share, however far from each other they were taken.

Alignment needs a first guess, from which it goes downhill. After a gap there is none, nor where a photograph overlaps
with the one before by a half only. SIFT features (Lowe, *Distinctive Image Features from Scale-Invariant Keypoints*,
IJCV 2004) need no guess: pairs that are each other's best match, of which one is on a point of known depth, give the
pose on which most of them agree, or no pose if too few do.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from glrender.frontend.alignment import PosePrior
from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference
from glrender.geometry import se3

Float64 = NDArray[np.float64]

_MOST = 600  # features of a photograph
_WIDEST = 640  # pixels of the level on which they are looked for, at most
_CONTRAST = 50.0  # grey levels that the spread of a photograph is made: exposures and plain ground are all alike then
_RATIO = 0.8  # of the distance to the second best, that the best one is within
_TOLERANCE = 0.03  # radians, or of the depth: what rays and poses are off by where ground is not as level as assumed
_FEWEST = 15  # that agree on a pose


@dataclass(frozen=True, eq=False)
class Features:
    """Those of one photograph."""

    rays: Float64
    """(n, 2) (u-cx)/fx and (v-cy)/fy."""
    descriptors: NDArray[np.float32]
    """(n, 128) of unit length."""


def find_features(pyramid: tuple[Level, ...]) -> Features:
    """The strongest features of a photograph; where the lens saw nothing there are none."""
    level = next((each for each in pyramid if each.camera.width <= _WIDEST), pyramid[-1])
    camera, known = level.camera, np.isfinite(level.image)
    image = np.where(known, level.image, np.nanmean(level.image))
    grey = np.clip(128 + _CONTRAST * (image - image.mean()) / max(float(image.std()), 1e-6), 0, 255).astype(np.uint8)
    mask = cv2.erode(known.astype(np.uint8), np.ones((9, 9), np.uint8))
    keypoints, descriptors = cv2.SIFT.create(_MOST).detectAndCompute(grey, mask)
    if not keypoints:
        return Features(np.zeros((0, 2)), np.zeros((0, 128), np.float32))
    pixels = np.array([keypoint.pt for keypoint in keypoints])
    descriptors = descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6)
    return Features((pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy), descriptors)


def pose_by_features(reference: Reference, of_reference: Features, of_frame: Features) -> PosePrior | None:
    """The pose of a frame, by features that it shares with a reference; None where too few of them agree on one."""
    matched, others = _alike(of_reference.descriptors, of_frame.descriptors)
    if len(matched) < _FEWEST or not len(reference.levels[0].points):
        return None
    points, rays = _on_surface(reference, of_reference.rays[matched]), of_frame.rays[others]
    found, turn, shift, agreeing = cv2.solvePnPRansac(
        points,
        rays,
        np.eye(3),
        None,
        iterationsCount=300,
        reprojectionError=_TOLERANCE,
        confidence=0.999,
        flags=cv2.SOLVEPNP_AP3P,
    )
    if not found or agreeing is None or len(agreeing) < _FEWEST:
        return None
    which = agreeing[:, 0]
    turn, shift = cv2.solvePnPRefineLM(points[which], rays[which], np.eye(3), None, turn, shift)
    T_camera_reference = np.eye(4)
    T_camera_reference[:3, :3] = cv2.Rodrigues(turn)[0]
    T_camera_reference[:3, 3] = shift[:, 0]
    sigmas = np.repeat([_TOLERANCE * reference.distance, _TOLERANCE], 3)
    return PosePrior(reference.T_world_camera @ se3.inverse(T_camera_reference), np.diag(np.square(sigmas)))


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of pairs that are each other's best match, and clearly better than the second best."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros(0, np.intp), np.zeros(0, np.intp)
    cosines = a @ b.T
    best = cosines.argmax(axis=1)
    mutual = cosines.argmax(axis=0)[best] == np.arange(len(a))
    second, first = np.partition(cosines, -2, axis=1)[:, -2:].T
    clear = 1 - first < _RATIO**2 * (1 - second)  # half the squares of their distances
    pairs = np.flatnonzero(mutual & clear)
    return pairs, best[pairs]


def _on_surface(reference: Reference, rays: Float64) -> Float64:
    """(n, 3) in the reference's camera: where its rays (n, 2) meet the planes through the nearest of its points."""
    known = reference.levels[0]
    nearest = KDTree(known.points[:, :2] / known.points[:, 2:]).query(rays)[1]
    directions = np.column_stack([rays, np.ones(len(rays))])
    # On a plane D = (m·X) / (m·r), and m·X is the depth of X.
    facing = np.einsum("nk,nk->n", known.depth_slope[nearest], directions)
    depth = known.points[nearest, 2]
    return directions * np.divide(depth, facing, out=depth.copy(), where=facing > 0.1)[:, None]
