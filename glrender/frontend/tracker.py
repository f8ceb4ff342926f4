"""Where the camera is, frame by frame: each frame is aligned with keyframes whose depth a map, or a sensor, knows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glrender.checks import METRES, check_array, check_floats, check_pose
from glrender.errors import InputError, UsageError
from glrender.frontend.alignment import Alignment, PosePrior, align
from glrender.frontend.features import find_features
from glrender.frontend.focal import FocalError
from glrender.frontend.keyframes import Keyframe, KeyframeStore
from glrender.frontend.pyramid import Level, build_pyramid
from glrender.frontend.reference_store import DepthSource
from glrender.frontend.trajectory_log import TrajectoryLog
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.intensity import intensity

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

TrackingState = Literal["started", "tracking", "relocalised", "rejected", "lost"]


@dataclass(frozen=True)
class TrackerOptions:
    """When a frame is believed, and when it becomes a keyframe."""

    least_correlation: float = 0.45
    """Of its intensities with those of the keyframes. Parallax leaves no more than this over ground that is rougher
    than it is taken to be; another place has about 0."""
    least_correlation_lost: float = 0.7
    """The same of a frame by which a lost camera is found again: it is aligned with whatever looks most like it, so
    even another place of the same ground has more than 0."""
    least_inliers: float = 0.5
    """The share of the points that fit, see `Alignment.inliers`."""
    least_overlap: float = 0.3
    """The share of the keyframes' points that it shows, see `Alignment.overlap`."""
    least_contrast: float = 0.01
    """Standard deviation of its intensities; less is a black, white or covered picture."""
    least_sharpness: float = 0.6
    """Of the keyframes' sharpness, along the direction in which it is least sharp."""
    keyframe_overlap: float = 0.75
    """A sharp frame that shows less of the last keyframe becomes one."""
    keyframe_overlap_blurred: float = 0.5
    """The same of a blurred frame: a blurred keyframe is better than one that nothing shows any more."""
    keyframe_baseline: float = 0.15
    """A sharp frame that is farther away from the last keyframe than this share of the depth becomes one, too."""
    keyframe_angle: float = 0.25
    """So does one that is turned by more against it, radians."""
    keyframe_correlation: float = 0.85
    """So does one whose correlation is less than this part of the largest since the last keyframe: noise keeps all of
    them below 1."""
    most_points: int = 2500
    """Of each keyframe at each level."""
    capacity: int = 60
    """Keyframes that are remembered."""
    longest_prediction: float = 0.25
    """Seconds for which a camera is taken to move on as it did; after a longer gap other guesses are tried, too."""


@dataclass(frozen=True, eq=False)
class TrackedFrame:
    """What became of a frame."""

    time: float
    """Seconds."""
    state: TrackingState
    """"rejected": the frame itself is of no use, such as a black one; "lost": it fits no keyframe."""
    T_world_camera: Float64 | None
    """(4, 4); None where it is not known: rejected, lost."""
    covariance: Float64 | None
    """(6, 6) of the twist (v, omega) in the camera frame, given the keyframes."""
    keyframe: bool
    """Whether it became a keyframe."""
    usable: bool
    """Whether it is fit for depth and colour: found, and sharp."""
    reason: str
    """Why it has no pose, is not usable, or became a keyframe; empty where there is nothing to say."""
    alignment: Alignment | None
    """What the alignment said; None where none was made."""

    @staticmethod
    def without_pose(
        time: float, state: TrackingState, reason: str, alignment: Alignment | None = None
    ) -> "TrackedFrame":
        """A frame that is of no use: rejected or lost."""
        return TrackedFrame(time, state, None, None, False, False, reason, alignment)


class Tracker:
    """Follows one camera; `start` gives it its first pose, `use_depths` what it looks at.

    Frames are linear images (height, width, 3 or 1) of `camera`, a pinhole. Where frames have a depth image, too, their
    depths are aligned with the keyframes' as well, and keyframes have the depths of the sensor; `use_depths` is then
    not needed.
    """

    def __init__(self, camera: Camera, options: TrackerOptions | None = None) -> None:
        self.camera = camera.without_distortion()
        self.options = options or TrackerOptions()
        self._keyframes = KeyframeStore(self.options.most_points, self.options.capacity)
        self._knows_depths = False
        self._log = TrajectoryLog()
        self._focal_errors: list[FocalError] = []
        self._last: tuple[float, Float64] | None = None
        self._velocity = np.zeros(6)
        self._most_alike = 0.0
        """The largest correlation of a frame with the keyframes since the last keyframe."""
        self._lost = False

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """Those that are remembered, oldest first."""
        return tuple(self._keyframes)

    def use_depths(self, source: DepthSource) -> None:
        """Take the depths of keyframes from `source` from now on."""
        self._keyframes.use_depths(source)
        self._knows_depths = True

    def trajectory(self) -> list[tuple[float, Float64]]:
        """(seconds, T_world_camera) of all frames that were found, by where their keyframes are now."""
        return self._log.poses()

    def keyframe_poses(self) -> dict[float, Float64]:
        """T_world_camera (4, 4) of all keyframes that there have been, by their times, as they are now."""
        return self._log.keyframes()

    @property
    def rate(self) -> float:
        """Radians a second by which what the camera sees moves past it, by its turning and by its moving on together; 0
        where that is not known, as of a camera that is lost. UsageError before `start`."""
        if self._last is None:
            raise UsageError("tracker: rate was asked for before start, which gives the first pose")
        if self._lost:
            return 0.0
        distance = self._keyframes.reference(self.keyframes[-1]).distance
        return float(np.linalg.norm(self._velocity[:3]) / distance + np.linalg.norm(self._velocity[3:]))

    def focal_error(self) -> FocalError:
        """What the frames that were aligned with the first keyframe alone say of the focal length: a share of 0.05 ±
        0.01 means that the camera's is too short by a twentieth.

        It needs a map and a first pose that are right: a world made with a wrong focal length agrees with itself.
        """
        return FocalError.combined(self._focal_errors)

    def start(self, time: float, image: Float32, T_world_camera: Float64, depth: Float32 | None = None) -> TrackedFrame:
        """Begin, or begin anew, at a known pose (4, 4): the frame becomes a keyframe.

        `time` is in seconds, `image` linear colour (height, width, 3 or 1), `depth` (height, width) metres, 0 or not
        finite where nothing was measured; all of them may be used again afterwards. InputError for others, and if the
        frame has no contrast; UsageError if nothing knows its depths.
        """
        if depth is None and not self._knows_depths:
            raise UsageError("tracker: received no depth image, expected one, or use_depths before")
        if not np.isfinite(time):
            raise InputError(f"tracker: received a frame of {time} s, expected a finite time")
        pose = check_pose("T_world_camera", T_world_camera)
        depth = self._checked(depth)
        pyramid = self._pyramid(image)
        if problem := self._problem(pyramid):
            raise InputError(f"tracker: the first frame {problem}")
        self._lost, self._velocity = False, np.zeros(6)
        self._last = (time, pose)
        self._add_keyframe(time, pose, pyramid, depth)
        self._log.add(time, pose)
        return TrackedFrame(time, "started", pose, np.zeros((6, 6)), True, True, "", None)

    def track(
        self, time: float, image: Float32, depth: Float32 | None = None, prior: PosePrior | None = None
    ) -> TrackedFrame:
        """Find the pose of the next frame, given as to `start`; `prior` is what odometry, say, knows of it.

        UsageError before `start`; InputError if time does not go on.
        """
        if self._last is None:
            raise UsageError("tracker: track was called before start, which gives the first pose")
        if not self._last[0] < time < np.inf:
            raise InputError(f"tracker: a frame of {time:.6f} s after one of {self._last[0]:.6f} s; time must go on")
        pyramid = self._pyramid(image)
        if problem := self._problem(pyramid):
            return TrackedFrame.without_pose(time, "rejected", f"the frame {problem}")
        depth = self._checked(depth)
        if self._lost:
            return self._relocalise(time, pyramid, depth)
        alignment = self._aligned(time, pyramid, depth, prior)
        doubt = self._doubt(alignment)
        if not doubt:
            return self._found(time, "tracking", pyramid, depth, alignment)
        self._lost = True
        return TrackedFrame.without_pose(time, "lost", doubt, alignment)

    def move(self, poses: Mapping[float, Float64]) -> None:
        """Put keyframes, known by their times, at other poses (4, 4); what is tracked follows, and `trajectory`.

        Their depths must not be a sensor's: these are kept with the pose that they were measured at.
        """
        self._keyframes.move(poses)
        self._log.move(poses)
        if self._last is not None:
            self._last = self._last[0], poses.get(*self._last)

    def _checked(self, depth: Float32 | None) -> Float32 | None:
        check_floats("depth", depth, METRES)
        return None if depth is None else check_array("depth", depth, self.camera.shape, np.float32)

    def _pyramid(self, image: Float32) -> tuple[Level, ...]:
        return build_pyramid(self.camera, intensity(image))

    def _problem(self, pyramid: tuple[Level, ...]) -> str:
        coarse = pyramid[-1].image
        seen = coarse[~np.isnan(coarse)]
        contrast = float(seen.std()) if len(seen) else 0.0
        if contrast >= self.options.least_contrast:
            return ""
        return (
            f"has a contrast of {contrast:.4f}, expected at least {self.options.least_contrast:g} (black or covered?)"
        )

    def _aligned(
        self, time: float, pyramid: tuple[Level, ...], depth: Float32 | None, prior: PosePrior | None
    ) -> Alignment:
        """The first alignment that is believed, of those that one guess after another leads to; else the best of all.

        After a gap, in which the camera may have done anything, one is only believed at once if its guess comes from
        features or a prior, or if its correlation is high.
        """
        assert self._last is not None
        gap = time - self._last[0]
        longest, alike = self.options.longest_prediction, self.options.keyframe_correlation
        best = None
        for guess, known in self._guesses(gap, pyramid, prior):
            references = [self._keyframes.reference(each) for each in self._keyframes.around(guess, self.camera, 0.5)]
            first = len(self._keyframes) == 1
            found = align(references, pyramid, guess, prior=known, depth=depth, focal=first)
            doubt = self._doubt(found)
            if best is None or (not doubt, found.correlation) > (not self._doubt(best), best.correlation):
                best = found
            if not doubt and (gap <= longest or known is not None or found.correlation > alike):
                break
        assert best is not None
        return best

    def _guesses(
        self, gap: float, pyramid: tuple[Level, ...], prior: PosePrior | None
    ) -> Iterator[tuple[Float64, PosePrior | None]]:
        """Where a frame may be, and what is known of that, the likeliest first."""
        assert self._last is not None
        longest = self.options.longest_prediction
        guesses: list[tuple[Float64, PosePrior | None]] = [(self._predicted(gap), None), (self._last[1], None)]
        if gap > longest:
            guesses.insert(1, (self._predicted(longest), None))
        if prior is not None:
            guesses = [(prior.T_world_camera, prior)]
        # Features take long, and come last; but after a gap nothing tells better where the camera is.
        likely = prior is not None or gap <= longest
        if likely:
            yield from guesses
        found = self._keyframes.by_features(self.keyframes[-1], find_features(pyramid))
        if found is not None:
            yield found.T_world_camera, prior or found
        if not likely:
            yield from guesses

    def _predicted(self, seconds: float) -> Float64:
        assert self._last is not None
        return self._last[1] @ se3.exp(seconds * self._velocity)

    def _doubt(self, alignment: Alignment, least_correlation: float | None = None) -> str:
        """Why an alignment is not to be believed; empty if it is."""
        options = self.options
        alike = options.least_correlation if least_correlation is None else least_correlation
        for name, found, least in (
            ("overlap with the keyframes", alignment.overlap, options.least_overlap),
            ("correlation with the keyframes", alignment.correlation, alike),
            ("share of points that fit", alignment.inliers, options.least_inliers),
        ):
            if not found >= least:
                return f"{name} {found:.2f}, expected at least {least:g}"
        return ""

    def _found(
        self, time: float, state: TrackingState, pyramid: tuple[Level, ...], depth: Float32 | None, alignment: Alignment
    ) -> TrackedFrame:
        pose = alignment.T_world_camera
        assert self._last is not None
        if state == "tracking":
            self._velocity = se3.log(se3.inverse(self._last[1]) @ pose) / (time - self._last[0])
        else:
            self._velocity = np.zeros(6)
        self._most_alike = max(self._most_alike, alignment.correlation)
        sharp = alignment.sharpness >= self.options.least_sharpness
        reason = "" if sharp else f"blurred: {alignment.sharpness:.2f} of the keyframes' sharpness"
        change = self._change(pose, alignment, sharp)
        if depth is None and alignment.focal_error is not None:
            self._focal_errors.append(alignment.focal_error)
        if change:
            self._add_keyframe(time, pose, pyramid, depth)
        self._last = (time, pose)
        self._log.add(time, pose)
        return TrackedFrame(time, state, pose, alignment.covariance, bool(change), sharp, reason or change, alignment)

    def _change(self, pose: Float64, alignment: Alignment, sharp: bool) -> str:
        """What makes a frame a new keyframe; empty if nothing does."""
        options, keyframe = self.options, self.keyframes[-1]
        reference = self._keyframes.reference(keyframe)
        share = reference.overlap(self.camera, pose)
        between = se3.log(se3.inverse(keyframe.T_world_camera) @ pose)
        baseline = float(np.linalg.norm(between[:3]) / reference.distance)
        angle = float(np.linalg.norm(between[3:]))
        if share < (options.keyframe_overlap if sharp else options.keyframe_overlap_blurred):
            return f"keyframe: shows {share:.0%} of the last one"
        if not sharp:
            return ""
        if baseline > options.keyframe_baseline:
            return f"keyframe: {baseline:.2f} of the depth away from the last one"
        if angle > options.keyframe_angle:
            return f"keyframe: turned by {np.degrees(angle):.0f} degrees from the last one"
        if alignment.correlation < options.keyframe_correlation * self._most_alike:
            return f"keyframe: has a correlation of {alignment.correlation:.2f} with the last ones"
        return ""

    def _relocalise(self, time: float, pyramid: tuple[Level, ...], depth: Float32 | None) -> TrackedFrame:
        best, least = None, self.options.least_correlation_lost
        for keyframe, known in self._places(pyramid):
            guess = keyframe.T_world_camera if known is None else known.T_world_camera
            alignment = align([self._keyframes.reference(keyframe)], pyramid, guess, prior=known, depth=depth)
            # Features do not agree by chance: with them, the correlation that is enough for tracking is enough.
            if not self._doubt(alignment, least if known is None else self.options.least_correlation):
                self._lost = False
                return self._found(time, "relocalised", pyramid, depth, alignment)
            if best is None or alignment.correlation > best.correlation:
                best = alignment
        assert best is not None
        return TrackedFrame.without_pose(time, "lost", f"no keyframe fits; best {self._doubt(best, least)}", best)

    def _places(self, pyramid: tuple[Level, ...]) -> Iterator[tuple[Keyframe, PosePrior | None]]:
        """Keyframes that a lost camera may be near: first with the pose that features tell, then without."""
        alike, features = self._keyframes.alike(pyramid, 3), find_features(pyramid)
        for keyframe in dict.fromkeys((self.keyframes[-1], *alike)):
            known = self._keyframes.by_features(keyframe, features)
            if known is not None:
                yield keyframe, known
        yield from ((keyframe, None) for keyframe in alike)

    def _add_keyframe(self, time: float, pose: Float64, pyramid: tuple[Level, ...], depth: Float32 | None) -> None:
        self._most_alike = 0.0
        self._keyframes.add(Keyframe(time, pose, pyramid, None if depth is None else depth.copy()))
        self._log.add_keyframe(time, pose)
