"""A recorded sequence: a folder in the TUM RGB-D format with a `camera.yaml`.

`rgb.txt` and/or `depth.txt` list the images (`timestamp file`), `groundtruth.txt` the poses where there
are any, `T_world_map.txt` places the height map where it is not to be found from the data, `crs.txt` says in one
line which reference system the poses are in (such as EPSG:32632) where they are in one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion
from glrender.io.association import TOLERANCE, associate
from glrender.io.camera_file import CameraFile, read_camera
from glrender.io.color import bytes_to_linear
from glrender.io.files import data_lines
from glrender.io.images import SATURATED, FrameError, read_color, read_depth
from glrender.io.resampling import Resampling
from glrender.io.selection import selected_lines
from glrender.io.trajectory import Trajectory, read_pose, read_trajectory

KINDS = ("depth", "rgb")
"""The lists of a sequence: where there is depth, its lines number the frames."""


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

    def with_poses(
        self, entries: tuple[FrameEntry, ...], time_offset: float = 0.0
    ) -> tuple[tuple[FrameEntry, ...], tuple[Skipped, ...]]:
        """Part `entries` into those whose time + `time_offset` (seconds) the trajectory covers, and the others.

        Nor does it cover what is in a gap of it, see `Trajectory.gap`. InputError if there is no trajectory, or none is
        covered.
        """
        if self.trajectory is None:
            raise InputError(f"{self.folder}: no groundtruth.txt; give a trajectory (lines of timestamp and pose)")
        gaps = [self.trajectory.gap(entry.time + time_offset) for entry in entries]
        reasons = {
            entry.index: f"no pose: in a gap of {gap:.2f} s of the trajectory"
            if gap
            else "no pose: outside the trajectory"
            for entry, gap in zip(entries, gaps, strict=True)
            if gap or not self.trajectory.covers(entry.time + time_offset)
        }
        posed = tuple(entry for entry in entries if entry.index not in reasons)
        if not posed:
            first, last = self.trajectory.times[[0, -1]]
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

    def with_row_motions(self, row_motions: Mapping[int, RowMotion]) -> "Sequence":
        """The same, with photographs as they would look had all their rows been exposed at once."""
        return replace(self, row_motions=row_motions)

    def read(self, entry: FrameEntry) -> Frame:
        """Decode one frame; FrameError if a file is damaged or has another size than the camera."""
        depth = image = None
        if entry.depth_path is not None:
            counts = _sized(entry.depth_path, read_depth(entry.depth_path), self.camera)
            depth = counts * np.float32(1 / self.depth_scale)
            depth[counts == SATURATED] = 0
            if self.depth_resampling is not None:
                depth = self.depth_resampling.depth(depth)
        if entry.color_path is not None:
            taken_by = self.own_cameras.get(entry.index)
            pixels = _sized(entry.color_path, read_color(entry.color_path), taken_by or self.camera, self.binning)
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


def open_sequence(
    folder: str | Path, trajectory: str | Path | None = None, *, only: Literal["rgb", "depth"] | None = None
) -> Sequence:
    """Read the lists, the camera and the poses, where there are any, of a sequence; images are read frame by frame.

    `trajectory` is a file that replaces the folder's `groundtruth.txt`. `only` leaves the other list aside, whatever it
    holds: with "rgb" the frames are the lines of `rgb.txt`, undistorted to the pinhole of the colour camera, as one
    camera alone would have recorded them; with "depth" frames have no photographs. InputError says which part of the
    folder is missing, malformed or of another image size than `camera.yaml`, and where no photograph was taken within
    20 ms of a depth image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; expected one with rgb.txt and/or depth.txt and camera.yaml")
    kinds = KINDS if only is None else (only,)
    listed = {kind: read_list(folder / f"{kind}.txt") for kind in kinds if (folder / f"{kind}.txt").exists()}
    if not listed:
        missing_lists = (
            "neither rgb.txt nor depth.txt" if only is None else f"no {only}.txt, whose images are asked for"
        )
        raise InputError(f"{folder}: {missing_lists}; expected a sequence in the TUM RGB-D format")
    cameras = read_camera(folder / "camera.yaml")
    parted = {kind: _usable(lines) for kind, lines in listed.items()}
    present = {kind: usable for kind, (usable, _) in parted.items()}
    missing = {kind: others for kind, (_, others) in parted.items()}
    for kind, lines in present.items():
        if not lines:
            raise InputError(f"{folder}: none of the {len(listed[kind])} images that {kind}.txt names is there")
        _check_size(kind, [line for line in lines if line.name not in cameras.photographs], cameras.color)
    own_cameras = {
        line.index: cameras.photographs[line.name]
        for line in present.get("rgb", ())
        if line.name in cameras.photographs
    }
    if own_cameras and "depth" in listed:
        raise InputError(
            f"{folder}: camera.yaml has photographs of other cameras, and there is a depth.txt; expected depth images "
            "beside photographs of one camera"
        )
    camera, color_resampling, depth_resampling = _resamplings(cameras, "depth" in listed)
    poses = folder / "groundtruth.txt" if trajectory is None else Path(trajectory)
    placement = folder / "T_world_map.txt"
    return Sequence(
        folder=folder,
        camera=camera,
        color_camera=cameras.color,
        depth_scale=cameras.depth_scale,
        line_count=len(listed["depth" if "depth" in listed else "rgb"]),
        frames=_frames(folder, present),
        trajectory=read_trajectory(poses) if trajectory is not None or poses.exists() else None,
        T_world_map=read_pose(placement) if placement.exists() else None,
        problems=sum(missing.values(), ()),
        missing_photographs=tuple(each for each in missing.get("rgb", ()) if not (folder / each.name).is_file()),
        color_resampling=color_resampling,
        depth_resampling=depth_resampling,
        crs=read_crs(folder / "crs.txt"),
        own_cameras=own_cameras,
    )


def read_crs(path: Path) -> str | None:
    """The reference system in a `crs.txt`; None: no such file. InputError unless it is one line."""
    if not path.exists():
        return None
    lines = [text for _, text in data_lines(path)]
    if len(lines) != 1:
        raise InputError(f"{path}: received {len(lines)} lines, expected one reference system such as EPSG:32632")
    return lines[0]


@dataclass(frozen=True)
class ListedImage:
    """A line of `rgb.txt` or `depth.txt`."""

    index: int
    """Its place among the data lines, from 0."""
    time: float
    """Seconds."""
    name: str
    """The file as the list names it."""
    path: Path
    """Where it is."""


def read_list(path: Path) -> list[ListedImage]:
    """The lines of `rgb.txt` or `depth.txt`; InputError if one is malformed or there is none."""
    lines: list[ListedImage] = []
    for number, text in data_lines(path):
        time, *names = text.split(maxsplit=1)
        name = "".join(names)
        try:
            seconds = float(time)
        except ValueError:
            seconds = math.nan
        if not math.isfinite(seconds) or not name:
            raise InputError(f"{path}:{number}: received {text!r}, expected: timestamp file")
        lines.append(ListedImage(len(lines), seconds, name, path.parent / name))
    if not lines:
        raise InputError(f"{path}: names no image; expected lines of: timestamp file")
    return lines


def _usable(lines: list[ListedImage]) -> tuple[list[ListedImage], tuple[Skipped, ...]]:
    """The images that are there, each once, and what is wrong with the other lines."""
    usable: dict[tuple[float, Path], ListedImage] = {}
    others: list[Skipped] = []
    for line in lines:
        if not line.path.is_file():
            others.append(Skipped(line.index, line.name, "no such file"))
        elif usable.setdefault((line.time, line.path), line) is not line:  # measured once, however often it is listed
            others.append(Skipped(line.index, line.name, "listed on an earlier line"))
    return list(usable.values()), tuple(others)


def _frames(folder: Path, present: dict[str, list[ListedImage]]) -> tuple[FrameEntry, ...]:
    photographs = present.get("rgb", [])
    if "depth" not in present:
        return tuple(FrameEntry(line.index, line.time, line.time, line.path, None) for line in photographs)
    depths = present["depth"]
    partners = associate([line.time for line in depths], [line.time for line in photographs])
    if photographs and (partners < 0).all():
        raise InputError(
            f"{folder}: no image of rgb.txt lies within {1000 * TOLERANCE:.0f} ms of one of depth.txt "
            f"(rgb from {photographs[0].time:.6f} s, depth from {depths[0].time:.6f} s); put their clocks right, or "
            "take one of them alone"
        )
    matched = [photographs[k] if k >= 0 else None for k in partners]
    return tuple(
        FrameEntry(depth.index, depth.time, photo and photo.time, photo and photo.path, depth.path)
        for depth, photo in zip(depths, matched, strict=True)
    )


def _resamplings(cameras: CameraFile, has_depth: bool) -> tuple[Camera, Resampling | None, Resampling | None]:
    """The camera of the frames, and how photographs and depth images get there."""
    if not has_depth or cameras.depth is None:
        camera = cameras.color.without_distortion()
        resampling = Resampling.between(cameras.color, camera)
        return camera, resampling, resampling
    if cameras.registered:
        return cameras.depth, None, None
    return cameras.depth, Resampling.between(cameras.color, cameras.depth), None


def _check_size(kind: str, lines: list[ListedImage], camera: Camera) -> None:
    """Refuse a sequence whose first whole image has another size than `camera`; damaged ones are told of later."""
    read = read_depth if kind == "depth" else read_color
    for line in lines:
        try:
            pixels = read(line.path)
        except FrameError:
            continue
        _sized(line.path, pixels, camera)
        return


def _binned(image: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    """Means of factor x factor pixels, of linear colours as a coarser sensor would have them."""
    height, width = (side // factor for side in image.shape[:2])
    whole = image[: factor * height, : factor * width]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _sized(path: Path, pixels: NDArray[Any], camera: Camera, binning: int = 1) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    if (height // binning, width // binning) != camera.shape:
        said = f"{camera.width * binning} x {camera.height * binning}"
        raise FrameError(f"{path}: {width} x {height} pixels, but camera.yaml says {said}")
    return pixels
