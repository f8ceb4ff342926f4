"""The newest keyframes of a camera that is followed, adjusted together by the points that they share.

What `refine_poses` does for a recording, while it is made: the corners of a new keyframe are looked for in those of the
window that overlap with it, and theirs in it; all that the window has found is one bundle adjustment; and the oldest
keyframe leaves. The older half of the window is held where it was found to be, so that the scale goes on from there.

The world's level and scale are those of the ground under the first `FIRST` keyframes: until there are so many, with a
baseline, all of it is turned and scaled about the oldest camera until the plane through the points is z = 0, as far
below that camera as it was taken to be.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.bundle_adjustment import BundlePrior, BundleState, best_state
from glrender.frontend.level_ground import FARTHEST
from glrender.frontend.planes import inverse_depths_on, levelled, plane_through
from glrender.frontend.point_matches import Corners, Matches, find_corners, sightings, surface_through
from glrender.frontend.pose_pairs import choose_pairs
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.parallel import blas_on_one_core

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

SIZE = 8
"""Keyframes."""
FIRST = 5
"""Keyframes after which the world's level and scale are settled."""
CORNERS = 150
"""Of a keyframe."""
STEPS = 2
"""Gauss-Newton steps of each adjustment; most of the window has been adjusted before."""
FREE, HELD = 0.2, 1e-3
"""What poses that are adjusted, or held, are taken to be off by: shares of the distance to the ground, and radians."""
BASELINE = 0.1
"""Of the distance to the ground, at least: photographs from one place tell nothing of where they are."""
FEWEST = 12
"""Points that a surface is laid through."""


@dataclass(eq=False)
class _Keyframe:
    time: float
    pose: Float64
    """(4, 4) T_world_camera."""
    height: float
    """Metres above z = 0, as it was taken to be."""
    corners: Corners
    inverse_depths: Float64
    """(n,) 1/m of its corners."""
    seen: dict[float, tuple[Float64, NDArray[np.bool_]]] = field(default_factory=dict)
    """Where others, by their times, show its corners: pixels (n, 2), and which of them were found (n,)."""

    @property
    def points(self) -> Float64:
        """(n, 3) its corners, in its camera's coordinates."""
        return np.asarray(self.corners.rays / self.inverse_depths[:, None])

    @property
    def plane(self) -> Float64:
        """(3,) p with p·r = 1/depth on a pixel's ray r, through its corners."""
        return plane_through(self.corners.rays, self.inverse_depths)

    @property
    def told(self) -> NDArray[np.bool_]:
        """(n,) corners that another keyframe shows as well."""
        found = [each for _, each in self.seen.values()]
        return np.any(found, axis=0) if found else np.zeros(len(self.inverse_depths), bool)

    @property
    def near(self) -> NDArray[np.bool_]:
        """(n,) those of them that are near enough to tell the level: a single match that is wrong may seem to be a
        kilometre away."""
        return self.told & (self.inverse_depths * FARTHEST * self.height > 1)


class PointWindow:
    """Of a pinhole `camera`, over ground that is roughly z = 0 at first."""

    def __init__(self, camera: Camera) -> None:
        self._camera = camera
        self._keyframes: list[_Keyframe] = []
        self.settled = False
        """Whether the world's level and scale are what they will be."""

    def add(self, time: float, photograph: Float32, T_world_camera: Float64) -> dict[float, Float64]:
        """Take a keyframe, an intensity (height, width) in [0, 1], NaN where not known, and adjust all in the window;
        gives their T_world_camera (4, 4), by their times in seconds."""
        # On shared cores the threads of BLAS take five times as long for so few points.
        with blas_on_one_core():
            self._keyframes.append(self._prepared(time, photograph, T_world_camera))
            self._match_newest()
            if len(self._keyframes) > SIZE:
                gone = self._keyframes.pop(0)
                for each in self._keyframes:
                    each.seen.pop(gone.time, None)
            self._adjust()
        return {each.time: each.pose for each in self._keyframes}

    def _prepared(self, time: float, photograph: Float32, pose: Float64) -> _Keyframe:
        """A keyframe whose corners have the depths of a surface through the points that the keyframes before it know,
        or of the level ground where they know too few."""
        corners = find_corners(self._camera, photograph, CORNERS)
        points = self._known_points(pose)
        if len(points) < FEWEST:
            plane = -pose[2, :3] / pose[2, 3]
            return _Keyframe(time, pose, float(pose[2, 3]), corners, inverse_depths_on(plane, corners.rays))
        rays, w = points / points[:, 2:], 1 / points[:, 2]
        plane = plane_through(rays, w)
        surface = surface_through(self._camera, self._camera.project(points), rays, w, plane)
        columns, rows = np.rint(corners.pixels).astype(int).T
        depths = surface[rows, columns].astype(np.float64)
        return _Keyframe(time, pose, float(pose[2, 3]), corners, depths)

    def _known_points(self, pose: Float64) -> Float64:
        """(n, 3) in the coordinates of a camera at `pose` (4, 4): the points of the newest three keyframes that it
        shows."""
        found = [np.zeros((0, 3))]
        for each in self._keyframes[-3:]:
            found.append(se3.transformed(se3.inverse(pose) @ each.pose, each.points[each.told]))
        points = np.concatenate(found)
        points = points[points[:, 2] > 0]
        return points[self._camera.contains(self._camera.project(points))]

    def _match_newest(self) -> None:
        newest = len(self._keyframes) - 1
        poses = np.stack([each.pose for each in self._keyframes])
        chosen = choose_pairs(self._camera, poses, [each.points for each in self._keyframes])
        beside = {i + j - newest for i, j in chosen if newest in (i, j)}
        for anchor, frames in [(newest, sorted(beside)), *((k, [newest]) for k in sorted(beside))]:
            of = self._keyframes[anchor]
            others = [self._keyframes[k] for k in frames]
            if not others or not len(of.inverse_depths):
                continue
            views = [(each.corners.image, se3.inverse(each.pose) @ of.pose) for each in others]
            found = sightings(self._camera, of.corners, views, of.inverse_depths, of.plane)
            of.seen |= {each.time: seen for each, seen in zip(others, found, strict=True)}

    def _adjust(self) -> None:
        """Move poses and points to where they agree, and the world to its level while that is not settled."""
        matches, poses = self._matches(), np.stack([each.pose for each in self._keyframes])
        if not any(each.found.any() for each in matches):
            return
        distance = 1 / float(np.median(np.concatenate([each.inverse_depths for each in self._keyframes])))
        ways = np.linalg.norm(poses[:, None, :3, 3] - poses[None, :, :3, 3], axis=2)
        if ways.max() < BASELINE * distance:
            return
        sigmas = np.tile([FREE * distance, FREE], (len(poses), 1))
        sigmas[: SIZE // 2 if self.settled else 1] = HELD * distance, HELD
        information = np.stack([np.diag(each) for each in np.repeat(1 / np.square(sigmas), 3, axis=1)])
        depths = tuple(self._keyframes[each.anchor].inverse_depths for each in matches)
        start = BundleState(poses, np.zeros(6), depths)
        state = best_state(self._camera, matches, BundlePrior(poses, information, None), start, STEPS)
        for keyframe, pose in zip(self._keyframes, state.poses, strict=True):
            keyframe.pose = pose
        for each, w in zip(matches, state.inverse_depths, strict=True):
            self._keyframes[each.anchor].inverse_depths = w
        if not self.settled:
            self._level()

    def _matches(self) -> list[Matches]:
        numbers = {each.time: k for k, each in enumerate(self._keyframes)}
        matches = []
        for k, each in enumerate(self._keyframes):
            if each.seen:
                pixels, found = (np.stack(values) for values in zip(*each.seen.values(), strict=True))
                matches.append(Matches(k, tuple(numbers[t] for t in each.seen), each.corners.rays, pixels, found))
        return matches

    def _level(self) -> None:
        """Turn and scale the world about the oldest camera until the plane through all points is z = 0."""
        oldest = self._keyframes[0]
        points = np.concatenate([se3.transformed(each.pose, each.points[each.near]) for each in self._keyframes])
        if len(points) < FEWEST:
            return
        centre = oldest.pose[:3, 3].copy()
        turn, height = levelled(points, centre)
        if height <= 0:
            return
        scale = oldest.height / height
        for each in self._keyframes:
            each.pose = turn @ each.pose
            each.pose[:3, 3] = (*centre[:2], oldest.height) + scale * (each.pose[:3, 3] - centre)
            each.inverse_depths = each.inverse_depths / scale
        self.settled = len(self._keyframes) >= FIRST
