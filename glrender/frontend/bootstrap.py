"""Start from nothing: the first frames over a roughly level floor give its plane, the motions, and a world, z up.

What scale that world has, images do not say. It comes from the height of the camera, from the length of its way, or
from odometry; without any of them the height of the first camera is 1, and the result says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_pose, check_positive
from glrender.errors import UsageError
from glrender.frontend.alignment import Alignment, align
from glrender.frontend.features import find_features, pose_by_features
from glrender.frontend.plane_motion import PlaneMotion, follow_plane, on_plane, refine_plane
from glrender.frontend.planes import world_above
from glrender.frontend.pyramid import Level, build_pyramid
from glrender.frontend.reference import Reference, make_reference
from glrender.geometry.camera import Camera
from glrender.geometry.intensity import intensity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_TILTS = ((0.0, 0.0), (0.0, 0.6), (0.0, 1.2), (0.0, 2.5), (0.0, 5.0), (0.0, -0.6), (0.6, 0.0), (-0.6, 0.0))
"""First guesses (a, b): looking straight down, 59, 40, 22 and 11 degrees below the horizon, and otherwise tilted."""
_NEW_PLACE = 0.01  # of the depth: a frame that is closer to another one tells nothing new
_AS_GOOD = 1.1  # costs: of two planes that explain what is seen alike
_AS_MUCH = 0.8  # of what one plane explains, that another one has to, too: half of an image fits many
_CLEAR = 0.85  # correlation of a frame that was surely found
_LEVEL = 0.3  # b of a floor below a camera that looks straight down, or nearly so
_APART = 0.15  # radians between planes that are two
_WORKING_WIDTH = 200  # pixels at most of the level on which the frames are followed
_NORMAL_SIGMA = 0.02  # radians: how well the plane's normal is to be known
_BASELINE = 0.15  # of the depth: how far the camera is to have gone
_MOST_FRAMES = 10  # that are looked at together; more are thinned out
_LEAST_CORRELATION = 0.6  # of a frame with the first one; with less the start is made anew from it
_LEAST_CONTRAST = 0.01  # standard deviation of a frame's intensities


@dataclass(frozen=True)
class KnownScale:
    """What is known of the scale; at most one of these may be given. UsageError for more than one, InputError for one
    that is not greater than 0."""

    camera_height: float | None = None
    """Metres above the floor at the first frame."""
    baseline_metres: float | None = None
    """Metres from the first frame to the last one that the start is made of."""
    unit_metres: float | None = None
    """Metres that a length of 1 in a world of unknown scale is."""

    def __post_init__(self) -> None:
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name, value in given.items():
            check_positive(name, value)
        if len(given) > 1:
            raise UsageError(f"scale: received {' and '.join(given)}; one of them is the scale")


@dataclass(frozen=True, eq=False)
class Start:
    """A world with the floor at z = 0, below the first camera its origin, and x to the right of it."""

    poses: tuple[Float64, ...]
    """(4, 4) each: T_world_camera of `frames`."""
    frames: tuple[int, ...]
    """Which of the frames that were added these are, counted from 0."""
    scale: str
    """What made it metres: "camera height", "baseline", "scale" or "odometry". "unknown": the first camera is at 1."""
    normal_sigma: float
    """Radians."""
    camera_height: float
    """Of the first camera: metres, or 1."""
    scale_sigma: float
    """Standard deviation of all lengths, as a share of them: of the height above the plane in depths, whatever it is
    said to be in metres."""


@dataclass(frozen=True, eq=False)
class BootstrapProgress:
    """What is known after a frame."""

    start: Start | None
    """None as long as the frames have not told enough."""
    reason: str
    """What is still waited for, in words; empty once there is a start."""


@dataclass(frozen=True, eq=False)
class _Frame:
    number: int
    pyramid: tuple[Level, ...]
    T_odometry_camera: Float64 | None


class Bootstrap:
    """Takes frames one by one until they make a start."""

    def __init__(self, camera: Camera, known_scale: KnownScale | None = None) -> None:
        self._camera = camera.without_distortion()
        self._known_scale = known_scale or KnownScale()
        self._working = max(0, int(np.ceil(np.log2(self._camera.width / _WORKING_WIDTH))))
        self._count = 0
        self._first: _Frame | None = None
        self._flat: Reference | None = None
        self._others: list[_Frame] = []
        self._motion: PlaneMotion | None = None
        self._place: Float64 = np.eye(4)

    @property
    def frames(self) -> tuple[int, ...]:
        """Which of the frames that were added, counted from 0, a start would be made of now."""
        return () if self._first is None else (self._first.number, *(each.number for each in self._others))

    def add(self, image: Float32, T_odometry_camera: Float64 | None = None) -> BootstrapProgress:
        """Take the next linear image (height, width, 3 or 1), and what odometry, if there is any, says of its pose."""
        odometry = None if T_odometry_camera is None else check_pose("T_odometry_camera", T_odometry_camera)
        frame = _Frame(self._count, build_pyramid(self._camera, intensity(image)), odometry)
        self._count += 1
        contrast = float(np.nanstd(frame.pyramid[-1].image))
        if not contrast >= _LEAST_CONTRAST:
            return BootstrapProgress(None, f"frame left out: a contrast of {contrast:.4f} (black or covered?)")
        if self._first is None or self._flat is None:
            return self._begin(frame, "no baseline yet: this is the first frame")
        tilt = np.zeros(2) if self._motion is None else self._motion.tilt
        before = self._place
        aligned = self._aligned(frame, tilt, before)
        if aligned.correlation < _CLEAR:
            # Another tilt may lead further; without a motion there is none yet.
            guesses = [(self._aligned(frame, np.array(guess), before), np.array(guess)) for guess in _TILTS]
            best, guess = max(guesses, key=lambda found: found[0].correlation)
            if best.correlation > aligned.correlation:
                aligned, tilt = best, guess
        if aligned.correlation < _LEAST_CORRELATION:
            # Too far for any of these, as are a drone's photographs that overlap by a half.
            aligned, tilt = max([(aligned, tilt), *self._by_features(frame)], key=lambda found: found[0].correlation)
        if aligned.correlation < _LEAST_CORRELATION:
            return self._begin(frame, f"begun anew: a correlation of {aligned.correlation:.2f} with the first frame")
        self._place = aligned.T_world_camera
        poses = [] if self._motion is None else list(self._motion.poses)
        ways = [np.linalg.norm(self._place[:3, 3] - T[:3, 3]) for T in (np.eye(4), *poses)]
        if min(ways) < _NEW_PLACE:
            return BootstrapProgress(None, self._wanting(self._motion) if self._motion else _no_baseline(0.0))
        self._others.append(frame)
        poses.append(self._place)
        if len(self._others) > _MOST_FRAMES:
            closest = _closest(poses)
            del self._others[closest], poses[closest]
        pyramids = [each.pyramid for each in self._others]
        self._motion = refine_plane(self._flat, pyramids, tilt, poses, self._working)
        if problem := self._wanting(self._motion):
            return BootstrapProgress(None, problem)
        return self._decide(pyramids)

    def _aligned(self, frame: _Frame, tilt: Float64, start: Float64) -> Alignment:
        assert self._flat is not None
        return align([on_plane(self._flat, tilt)], frame.pyramid, start, finest=self._working)

    def _by_features(self, frame: _Frame) -> Iterator[tuple[Alignment, Float64]]:
        """Alignments from the poses that features shared with the first frame tell, for planes of every tilt in
        `_TILTS`, each with its tilt."""
        assert self._flat is not None
        assert self._first is not None
        seen, features = find_features(self._first.pyramid), find_features(frame.pyramid)
        for guess in _TILTS:
            tilt = np.array(guess)
            found = pose_by_features(on_plane(self._flat, tilt), seen, features)
            if found is not None:
                yield self._aligned(frame, tilt, found.T_world_camera), tilt

    def _begin(self, frame: _Frame, reason: str) -> BootstrapProgress:
        self._first, self._others, self._motion, self._place = frame, [], None, np.eye(4)
        self._flat = make_reference(frame.pyramid, np.ones(self._camera.shape, np.float32), np.eye(4))
        return BootstrapProgress(None, reason)

    def _wanting(self, motion: PlaneMotion) -> str:
        """What is not known well enough yet of a plane and the motions over it, in words; empty if all is."""
        if motion.baseline < _BASELINE:
            return _no_baseline(motion.baseline)
        if not motion.normal_sigma <= _NORMAL_SIGMA:
            return (
                f"the floor's tilt is known to {np.degrees(motion.normal_sigma):.1f} degrees, "
                f"expected {np.degrees(_NORMAL_SIGMA):.1f}: a longer way, or turning, would help"
            )
        return ""

    def _decide(self, pyramids: list[tuple[Level, ...]]) -> BootstrapProgress:
        """Choose the plane: two of them explain the same homography, and motion straight ahead keeps both
        (Longuet-Higgins 1986). The start, or why there is none yet."""
        assert self._flat is not None
        assert self._motion is not None
        few = slice(-1 - 2 * ((len(pyramids) - 1) // 2), None, 2)  # every second one, with the last
        level = min(self._working + 1, len(self._flat.levels) - 1)  # to tell planes apart; as fine as ever afterwards
        known = refine_plane(self._flat, pyramids[few], self._motion.tilt, self._motion.poses[few], level)
        found = [known, *(follow_plane(self._flat, pyramids[few], np.array(t), level) for t in _TILTS)]
        alike = likeliest(found)
        # The floor is below: it comes nearer towards the bottom of the image, or the camera looks straight down.
        floors = [motion for motion in alike if motion.tilt[1] > -_LEVEL] or alike
        floor = min(floors, key=lambda motion: motion.compared(alike[0]))
        others = [motion for motion in floors if motion.normal @ floor.normal < np.cos(_APART)]
        if others:
            apart = np.degrees(np.arccos(others[0].normal @ floor.normal))
            return BootstrapProgress(
                None, f"two floors, {apart:.0f} degrees apart, explain the motion: turning would help"
            )
        if floor.normal @ self._motion.normal < np.cos(_APART):
            self._motion = follow_plane(self._flat, pyramids, floor.tilt, self._working)
        motion = refine_plane(self._flat, pyramids, self._motion.tilt, self._motion.poses, finest=0)
        if problem := self._wanting(motion):
            return BootstrapProgress(None, problem)
        return BootstrapProgress(self._start(motion), "")

    def _start(self, motion: PlaneMotion) -> Start:
        T_world_first = world_above(motion.normal, motion.camera_height)
        scale, metres = self._scale(motion)
        poses = []
        for T in (np.eye(4), *motion.poses):
            pose = T_world_first @ T
            pose[:3, 3] *= metres
            poses.append(pose)
        height = metres * motion.camera_height
        return Start(tuple(poses), self.frames, scale, motion.normal_sigma, height, motion.height_sigma)

    def _scale(self, motion: PlaneMotion) -> tuple[str, float]:
        """What the scale comes from, and metres per depth."""
        known = self._known_scale
        if known.camera_height is not None:
            return "camera height", known.camera_height / motion.camera_height
        if known.baseline_metres is not None:
            return "baseline", known.baseline_metres / float(np.linalg.norm(motion.poses[-1][:3, 3]))
        if known.unit_metres is not None:
            return "scale", known.unit_metres / motion.camera_height
        driven = self._driven(motion)
        return ("unknown", 1 / motion.camera_height) if driven is None else ("odometry", driven)

    def _driven(self, motion: PlaneMotion) -> float | None:
        """Metres per depth by odometry; None where it says nothing."""
        assert self._first is not None
        covered = [
            (T[:3, 3], frame.T_odometry_camera[:3, 3])
            for T, frame in zip((np.eye(4), *motion.poses), (self._first, *self._others), strict=True)
            if frame.T_odometry_camera is not None
        ]
        # From the first frame that odometry covers: it may begin later than the photographs.
        ways = [
            [np.linalg.norm(place - first) for place, first in zip(each, covered[0], strict=True)] for each in covered
        ]
        squares = sum(float(seen * seen) for seen, _ in ways)
        driven = sum(float(seen * metres) for seen, metres in ways)
        return driven / squares if squares > 0 and driven > 0 else None


def likeliest(found: Sequence[PlaneMotion]) -> list[PlaneMotion]:
    """The planes that explain what is seen about as well as the best one does.

    The best plane is the one that explains most of the image, unless another one explains its own part of that better:
    then the rest is not of that plane, such as what is far away behind a floor.
    """
    best, *others = sorted(found, key=PlaneMotion.shown, reverse=True)
    for other in others:
        best = other if other.compared(best) * _AS_GOOD < 1 else best
    as_much = [motion for motion in found if motion.shown() >= _AS_MUCH * best.shown()]
    return [motion for motion in as_much if motion.compared(best) <= _AS_GOOD]


def _no_baseline(found: float) -> str:
    wanted = f"expected at least {_BASELINE:.0%}"
    return f"no baseline yet: the camera has moved by {found:.1%} of its distance, {wanted}"


def _closest(poses: list[Float64]) -> int:
    """Which of the poses, other than the last, is closest to another one. Without it the others are spread better over
    the way."""
    places = np.stack([pose[:3, 3] for pose in poses])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.where(np.eye(len(poses)), np.inf, 0)
    return int(apart[:-1].min(axis=1).argmin())
