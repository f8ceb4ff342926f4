"""A recorded sequence: frames of photographs and depth images, with a camera and, where there are any, poses."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion
from glrender.io.color import bytes_to_linear
from glrender.io.images import SATURATED, FrameError, on_orientation, read_color, read_depth, read_file
from glrender.io.resampling import Resampling
from glrender.io.selection import selected_lines
from glrender.io.trajectory import Trajectory

MOST_PIXELS = 2_100_000
"""Of a photograph that is fused as it is: those of a video are, and larger ones take gigabytes and hours."""


@dataclass(frozen=True)
class FrameEntry:
    """One frame as the lists name it; nothing is read yet."""

    index: int
    """The data line, from 0, of `depth.txt` (of `rgb.txt` where there is no depth, or it is left aside)."""
    time: float
    """Seconds: the depth image's time, or the photograph's where there is no depth."""
    color_time: float | None
    """Seconds; None: no photograph within 20 ms."""
    color_path: Path | None
    """The photograph; None: none belongs to it."""
    depth_path: Path | None
    """The depth image; None: the sequence has none."""

    @property
    def name(self) -> str:
        """The file that makes it a frame, with its folder: the depth image, or the photograph where there is none."""
        path = self.depth_path or self.color_path
        return f"{path.parent.name}/{path.name}" if path else ""


FramePoses = Mapping[int, NDArray[np.float64]]
"""T_world_camera (4, 4) of frames by their index."""


def trajectory_of(entries: Iterable[FrameEntry], poses: FramePoses) -> Trajectory:
    """The poses of some frames, in the order of their times."""
    ordered = sorted(entries, key=lambda entry: entry.time)
    return Trajectory(np.array([each.time for each in ordered]), np.stack([poses[each.index] for each in ordered]))


@dataclass(frozen=True)
class Skipped:
    """An image or frame that is left out."""

    index: int
    """The data line, from 0, of the list that names it."""
    name: str
    """The file as the list names it."""
    reason: str
    """In words."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as `Sequence.camera` sees it."""

    index: int
    """As in `FrameEntry`, like the times."""
    time: float
    """Seconds."""
    color_time: float | None
    """Seconds; None: it has no photograph."""
    image: NDArray[np.float32] | None
    """(height, width, 3) linear colour; NaN where the lens saw nothing of this pixel's ray."""
    depth: NDArray[np.float32] | None
    """(height, width) camera z in metres; 0 where nothing was measured."""


@dataclass(frozen=True, eq=False)
class Sequence:
    """The frames of a folder and how to read them; made by `open_sequence`."""

    folder: Path
    camera: Camera
    """The pinhole camera of the frames that `read` gives: the depth camera where there is depth."""
    color_camera: Camera
    """The camera of the photographs on file, with its lens."""
    depth_scale: float
    """Counts of a depth image per metre."""
    line_count: int
    """Frames that the list names, present or not."""
    frames: tuple[FrameEntry, ...]
    """In the order of the list."""
    trajectory: Trajectory | None
    """The poses; None: not given."""
    T_world_map: NDArray[np.float64] | None
    """(4, 4) from `T_world_map.txt`; None: not given."""
    problems: tuple[Skipped, ...]
    """Lines of the lists that no frame is made of: their files are not there, or an earlier line names them too."""
    missing_photographs: tuple[Skipped, ...]
    """Those of `problems` that are photographs and not there; a depth image is then a frame without one."""
    color_resampling: Resampling | None
    """From the photographs on file to `camera`; None: they fit pixel by pixel."""
    depth_resampling: Resampling | None
    """From the depth images on file to `camera`; None: they fit pixel by pixel."""
    crs: str | None = None
    """The reference system of the poses, from `crs.txt`; None: not given."""
    own_cameras: Mapping[int, Camera] = field(default_factory=dict)
    """Those of the photographs that another camera than `color_camera` took, by the index of their frame."""
    binning: int = 1
    """Pixels a side of a photograph on file that become one of `color_camera`, their mean."""
    row_motions: Mapping[int, RowMotion] = field(default_factory=dict)
    """How the camera moved while the rows of a photograph were exposed, by the index of its frame: it is read as it
    would look had all been at once, and as it is where nothing is said."""

    def select(self, selection: str) -> tuple[FrameEntry, ...]:
        """The frames of even | odd | first | second | a:b:c, counted in lines of the list, those of missing files too.

        UsageError for a selection that is none of these or selects no line; InputError if every
        selected frame is missing.
        """
        lines = selected_lines(selection, self.line_count)
        entries = tuple(entry for entry in self.frames if entry.index in lines)
        if not entries:
            raise InputError(f"{self.folder}: none of the {len(lines)} frames of {selection!r} has its files")
        return entries

    def given_trajectory(self) -> Trajectory:
        """`trajectory`; InputError where there is none."""
        if self.trajectory is None:
            raise InputError(
                f"{self.folder}: no groundtruth.txt; give a trajectory (lines of timestamp and pose); `glrender "
                "fuse --track` makes one"
            )
        return self.trajectory

    def with_poses(
        self, entries: tuple[FrameEntry, ...], time_offset: float = 0.0
    ) -> tuple[tuple[FrameEntry, ...], tuple[Skipped, ...]]:
        """Part `entries` into those whose time + `time_offset` (seconds) the trajectory covers, and the others.

        Nor does it cover what is in a gap of it, see `Trajectory.gap`. InputError if there is no trajectory, or none is
        covered.
        """
        trajectory = self.given_trajectory()
        gaps = [trajectory.gap(entry.time + time_offset) for entry in entries]
        reasons = {
            entry.index: f"no pose: in a gap of {gap:.2f} s of the trajectory"
            if gap
            else "no pose: outside the trajectory"
            for entry, gap in zip(entries, gaps, strict=True)
            if gap or not trajectory.covers(entry.time + time_offset)
        }
        posed = tuple(entry for entry in entries if entry.index not in reasons)
        if not posed:
            first, last = trajectory.times[[0, -1]]
            times = [entry.time + time_offset for entry in entries]
            raise InputError(
                f"{self.folder}: no frame lies within the trajectory, which covers {first:.6f} to {last:.6f} s; "
                f"the frames {min(times):.6f} to {max(times):.6f} s. Check the trajectory and the time offset"
            )
        return posed, tuple(Skipped(e.index, e.name, reasons[e.index]) for e in entries if e.index in reasons)

    def with_camera(self, camera: Camera, depth_scale: float | None = None) -> "Sequence":
        """The same images, taken for those of another camera of their size, such as a calibrated one.

        Photographs of a camera of their own are resampled to it; those that fit the depth images pixel by pixel still
        do. `depth_scale` (counts per metre) replaces the sequence's own where it is given.
        """
        own = self.color_resampling is not None and self.depth_resampling is None
        return replace(
            self,
            camera=camera,
            depth_scale=self.depth_scale if depth_scale is None else depth_scale,
            color_resampling=Resampling.between(self.color_camera, camera) if own else self.color_resampling,
        )

    def with_lens(self, k1: float) -> "Sequence":
        """The same photographs, of lenses whose OpenCV coefficient k1 is larger by so much."""

        def bent(camera: Camera) -> Camera:
            coefficients = camera.distortion or (0.0, 0.0, 0.0, 0.0)
            return replace(camera, distortion=(coefficients[0] + k1, *coefficients[1:]))

        own = bent(self.color_camera)
        return replace(
            self,
            color_camera=own,
            color_resampling=Resampling.between(own, self.camera),
            own_cameras={index: bent(camera) for index, camera in self.own_cameras.items()},
        )

    def binned(self, factor: int) -> "Sequence":
        """The same photographs, made smaller `factor` times along each side; only where they are alone."""
        color = self.color_camera.binned(factor)
        camera = color.without_distortion()
        return replace(
            self,
            camera=camera,
            color_camera=color,
            color_resampling=Resampling.between(color, camera),
            own_cameras={index: own.binned(factor) for index, own in self.own_cameras.items()},
            binning=factor,
        )

    def reduced(self) -> "Sequence":
        """Photographs alone, `binned` so that at most MOST_PIXELS of each are left."""
        pixels = self.color_camera.width * self.color_camera.height
        return self.binned(math.ceil(math.sqrt(pixels / MOST_PIXELS)))

    def with_row_motions(self, row_motions: Mapping[int, RowMotion]) -> "Sequence":
        """The same, with photographs as they would look had all their rows been exposed at once."""
        return replace(self, row_motions=row_motions)

    def read(self, entry: FrameEntry) -> Frame:
        """Decode one frame; FrameError if a file is damaged or has another size than the camera."""
        depth = image = None
        if entry.depth_path is not None:
            counts = sized(entry.depth_path, read_depth(entry.depth_path), self.camera)
            depth = counts * np.float32(1 / self.depth_scale)
            depth[counts == SATURATED] = 0
            if self.depth_resampling is not None:
                depth = self.depth_resampling.depth(depth)
        if entry.color_path is not None:
            taken_by = self.own_cameras.get(entry.index)
            pixels = sized(entry.color_path, read_color(entry.color_path), taken_by or self.color_camera, self.binning)
            image = bytes_to_linear(pixels)
            if self.binning > 1:
                image = _binned(image, self.binning)
            resampling = self.color_resampling
            if taken_by is not None:
                resampling = Resampling.between(taken_by, self.camera)
            if entry.index in self.row_motions:
                resampling = Resampling.unrolled(self.camera, self.row_motions[entry.index], resampling)
            if resampling is not None:
                image = resampling.color(image)
        return Frame(entry.index, entry.time, entry.color_time, image, depth)

    def read_depth(self, entry: FrameEntry) -> NDArray[np.float32]:
        """The depth image alone, see `Frame.depth`, of a frame that has one; photographs take most of the time."""
        depth = self.read(replace(entry, color_path=None)).depth
        assert depth is not None
        return depth


def _binned(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of factor x factor pixels, of linear colours as a coarser sensor would have them."""
    height, width = (side // factor for side in image.shape[:2])
    whole = image[: factor * height, : factor * width]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def sized(path: Path, pixels: NDArray[Any], camera: Camera, binning: int = 1) -> NDArray[Any]:
    """The same pixels (height, width, …); FrameError unless they are `binning` times as many a side as the camera's."""
    height, width = pixels.shape[:2]
    if (height // binning, width // binning) != camera.shape:
        said = camera.width * binning, camera.height * binning
        raise FrameError(
            f"{path}: {width} x {height} pixels, but camera.yaml says {said[0]} x {said[1]}"
            f"{on_orientation(read_file(path), said)}"
        )
    return pixels
