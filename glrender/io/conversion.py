"""A recording becomes a sequence folder: its pictures as they are, its poses and its camera."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.advance import OpenEndedAdvance, silently
from glrender.errors import InputError
from glrender.interrupt import interruptible_after
from glrender.io.association import CLOCK_RESOLUTION
from glrender.io.calibrations.calibration import Size
from glrender.io.camera_file import OWN_SIZE, CameraFile
from glrender.io.images import FrameError, on_orientation
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.poses.reading import Poses
from glrender.io.recordings.recording import Kind, Picture, Recording
from glrender.io.recordings.thinning import PictureSelection, selected
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.time_units import check_same_unit
from glrender.io.trajectory import Trajectory, collect_poses


@dataclass(frozen=True)
class LeftOut:
    """A picture that is not taken over."""

    name: str
    """As the recording has it."""
    reason: str
    """In words."""


@dataclass(frozen=True, eq=False)
class Conversion:
    """What was written."""

    photographs: int
    """How many were taken over."""
    depth_images: int
    """How many were taken over."""
    first: float
    """Seconds: the earliest picture."""
    last: float
    """Seconds: the latest picture."""
    poses: int
    """How many the trajectory has; 0: there is none."""
    posed: int
    """Frames whose time the trajectory covers."""
    cameras: CameraFile
    """As written."""
    left_out: tuple[LeftOut, ...]
    """Pictures that were not taken over, in the order of the recording."""
    problems: tuple[str, ...]
    """What else was found wrong, in words."""
    partial: bool
    """Whether it was interrupted."""

    @property
    def frames(self) -> int:
        """Depth images, or photographs where there are none."""
        return self.depth_images or self.photographs


def convert(
    recording: Recording,
    folder: Path,
    cameras_for: Callable[[Size, str | None], CameraFile],
    poses: Poses | None,
    selection: PictureSelection,
    advance: OpenEndedAdvance = silently,
    camera_of: Callable[[Picture], str | None] = lambda picture: None,
) -> Conversion:
    """Write `recording` into `folder` as a sequence; PNG and JPEG stay what they are, all else becomes PNG.

    `cameras_for` gives the cameras of images of a size that a camera took, which `camera_of` names if there are
    several. That of the first picture is the sequence's; photographs of others keep theirs beside them (`camera.yaml`).
    Damaged pictures, those of another size, a second one of a kind at the same microsecond, and photographs without a
    pose where poses belong to images are left out, and told. `advance` is called with (pictures read, in all).
    KeyboardInterrupt ends the sequence after the pictures that are done, which makes it partial unless the recording is
    endless; before the first one it is passed on.
    InputError if no picture is left, or `poses` belong to none of them.
    """
    posed_kind: Kind = "rgb" if "rgb" in recording.kinds else "depth"
    writing = _Writing(folder, cache(cameras_for), camera_of, poses, posed_kind)
    partial = False
    try:
        for picture in selected(_counted(recording, advance), selection, "rgb" in recording.kinds):
            with interruptible_after():
                writing.take(picture)
    except KeyboardInterrupt:
        if not writing.has_pictures:
            raise
        partial = not recording.endless
    return writing.finish(recording, partial)


def _counted(recording: Recording, advance: OpenEndedAdvance) -> Iterator[Picture]:
    for done, picture in enumerate(recording.pictures(), start=1):
        yield picture
        advance(done, recording.count)


class _Writing:
    """A sequence that grows picture by picture."""

    def __init__(
        self,
        folder: Path,
        cameras_for: Callable[[Size, str | None], CameraFile],
        camera_of: Callable[[Picture], str | None],
        poses: Poses | None,
        posed_kind: Kind,
    ) -> None:
        self._folder = folder
        self._cameras_for, self._camera_of = cameras_for, camera_of
        self._poses = poses
        self._posed_kind = posed_kind
        self._found_poses: list[tuple[str, float, NDArray[np.float64]]] = []
        self._writer: SequenceWriter | None = None
        self._cameras: CameraFile | None = None
        self._first_camera: str | None = None
        self._left_out: list[LeftOut] = []
        self._times: dict[Kind, dict[float, None]] = {"rgb": {}, "depth": {}}  # dicts as ordered sets

    @property
    def has_pictures(self) -> bool:
        return any(self._times.values())

    def take(self, picture: Picture) -> None:
        """Write a picture, or note why not; InputError if it is the first of its kind and of a wrong size."""
        try:
            image = picture.as_file()
        except FrameError as error:
            self._leave_out(picture, str(error).removeprefix(f"{picture.name}: "))
            return
        pose = None
        if isinstance(self._poses, ImagePoses) and picture.kind == self._posed_kind:
            pose = self._poses.of(picture.index, picture.name)
            if pose is None:
                self._leave_out(picture, "no pose belongs to it")
                return
        name = self._camera_of(picture)
        if self._writer is None or self._cameras is None:
            self._cameras, self._first_camera = self._cameras_for(image.size, name), name
            self._writer = SequenceWriter(self._folder, self._cameras)
        times = self._times[picture.kind]
        other = name is not None and name != self._first_camera
        camera = (self._cameras_for(image.size, name) if other else self._cameras).of(picture.kind)
        expected = camera.width, camera.height
        if image.size != expected:
            reason = (
                f"{image.size[0]} x {image.size[1]} pixels, but the camera has {expected[0]} x {expected[1]}"
                f"{on_orientation(image.data, expected)}"
            )
            if not times:
                raise InputError(
                    f"{picture.name}: {reason}; photographs and depth images must have the size that the calibration "
                    f"is for: calibrate at this size, or resize the images{'' if picture.kind == 'rgb' else OWN_SIZE}"
                )
            self._leave_out(picture, reason)
        elif picture.time in times:
            self._leave_out(picture, f"there is another one of {picture.time:.6f} s")
        else:
            taken_by = camera if other and camera != self._cameras.color else None
            self._writer.add_file(picture.kind, picture.time, image.data, image.suffix, taken_by)
            times[picture.time] = None
            if pose is not None:
                self._found_poses.append((picture.name, picture.time, pose))

    def finish(self, recording: Recording, partial: bool) -> Conversion:
        """Write the poses and what makes it a sequence; InputError if nothing is left of the pictures or the poses."""
        problems = list(recording.problems)
        if self._writer is None or self._cameras is None or not self.has_pictures:
            why = [*problems, *(f"{left.name}: {left.reason}" for left in self._left_out[:1])]
            several = f" ({len(self._left_out)} left out)" if self._left_out else ""
            raise InputError(f"no picture can be taken over{several}: {'; '.join(why) or 'the selection holds none'}")
        for kind, times in self._times.items():
            backwards = int((np.diff(list(times)) < 0).sum())
            if backwards:
                problems.append(f"times of {kind} images run backwards {backwards} times; they are sorted now")
        trajectory = self._trajectory()
        frames = np.array(list(self._times["depth"] or self._times["rgb"]))
        posed = 0
        if trajectory is not None:
            check_same_unit("the poses", trajectory.times, "the pictures", frames)
            first, last = trajectory.times[[0, -1]]
            half = CLOCK_RESOLUTION / 2  # of what files hold
            posed = int(((frames >= first - half) & (frames <= last + half)).sum())
            if not posed:
                raise InputError(
                    f"the poses cover {first:.6f} to {last:.6f} s, but the pictures {frames.min():.6f} to "
                    f"{frames.max():.6f} s: none has a pose. If their clocks differ, give the time offset"
                )
        self._writer.finish(trajectory)
        everything = [*self._times["rgb"], *self._times["depth"]]
        return Conversion(
            photographs=len(self._times["rgb"]),
            depth_images=len(self._times["depth"]),
            first=min(everything),
            last=max(everything),
            poses=0 if trajectory is None else len(trajectory.times),
            posed=posed,
            cameras=self._writer.cameras,
            left_out=tuple(self._left_out),
            problems=tuple(problems),
            partial=partial,
        )

    def _leave_out(self, picture: Picture, reason: str) -> None:
        self._left_out.append(LeftOut(picture.name, reason))

    def _trajectory(self) -> Trajectory | None:
        """The poses at times as files hold them; of poses closer than that, the first."""
        if isinstance(self._poses, Trajectory):
            times, kept = np.unique(np.round(self._poses.times, 6), return_index=True)
            return Trajectory(times, self._poses.poses[kept])
        return collect_poses(self._found_poses)
