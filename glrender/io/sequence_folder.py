"""A sequence's folder, in the TUM RGB-D format with a `camera.yaml`.

`rgb.txt` and/or `depth.txt` list the images (`timestamp file`), `groundtruth.txt` the poses where there
are any, `T_world_map.txt` places the height map where it is not to be found from the data, `crs.txt` says in one
line which reference system the poses are in (such as EPSG:32632) where they are in one.
"""

import math
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import InputError, UsageError
from glrender.geometry.camera import Camera
from glrender.io.association import TOLERANCE, associate
from glrender.io.camera_file import OWN_SIZE, CameraFile, read_camera
from glrender.io.files import data_lines
from glrender.io.georeference import projected_system
from glrender.io.images import FrameError, read_color, read_depth
from glrender.io.optional import is_installed
from glrender.io.resampling import Resampling
from glrender.io.sequence import FrameEntry, Sequence, Skipped, sized
from glrender.io.time_units import check_same_unit, read_seconds
from glrender.io.trajectory import read_pose, read_trajectory

KINDS = ("depth", "rgb")
"""The lists of a sequence: where there is depth, its lines number the frames."""

_MISSING = "no such file"


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


def open_sequence(
    folder: str | Path, trajectory: str | Path | None = None, *, only: Literal["rgb", "depth"] | None = None
) -> Sequence:
    """Read the lists, the camera and the poses, where there are any, of a sequence; images are read frame by frame.

    `trajectory` is a file that replaces the folder's `groundtruth.txt`. `only` leaves the other list aside, whatever it
    holds: with "rgb" the frames are the lines of `rgb.txt`, undistorted to the pinhole of the colour camera, as one
    camera alone would have recorded them; with "depth" frames have no photographs. InputError says which part of the
    folder is missing, malformed, of another image size than `camera.yaml` or counts times in another unit, and where no
    photograph was taken within 20 ms of a depth image; UsageError, that `only` is neither.
    """
    if only is not None:
        check_choice("only", only, ("rgb", "depth"))
    folder = Path(folder)
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {what}; expected one with rgb.txt and/or depth.txt and camera.yaml")
    listed = _read_lists(folder, only)
    cameras = read_camera(folder / "camera.yaml")
    parted = {kind: _usable(lines) for kind, lines in listed.items()}
    present = {kind: usable for kind, (usable, _) in parted.items()}
    missing = {kind: others for kind, (_, others) in parted.items()}
    refusals: list[FrameError | None] = []
    for kind, lines in present.items():
        if not lines:
            first = listed[kind][0].path
            raise InputError(
                f"{folder}: none of the {len(listed[kind])} images that {kind}.txt names is there, the first is {first}"
            )
        own = [line for line in lines if line.name not in cameras.photographs]
        refusals.append(_check_size(kind, own, cameras) if own else None)
    if all(refusals):
        raise InputError(f"{folder}: no image can be used, the first since {refusals[0]}")
    own_cameras = _own_cameras(folder, present, cameras)
    binning = _binning(cameras) if "depth" in listed else 1
    cameras = replace(cameras, color=cameras.color.binned(binning))
    camera, color_resampling, depth_resampling = _resamplings(cameras, "depth" in listed)
    poses = folder / "groundtruth.txt" if trajectory is None else Path(trajectory)
    given = read_trajectory(poses) if trajectory is not None or poses.exists() else None
    _check_units(folder, listed, {} if given is None else {str(poses): given.times})
    placement = folder / "T_world_map.txt"
    return Sequence(
        folder=folder,
        camera=camera,
        color_camera=cameras.color,
        depth_scale=cameras.depth_scale,
        line_count=len(listed["depth" if "depth" in listed else "rgb"]),
        frames=_frames(folder, present),
        trajectory=given,
        T_world_map=read_pose(placement) if placement.exists() else None,
        problems=sum(missing.values(), ()),
        missing_photographs=tuple(each for each in missing.get("rgb", ()) if each.reason == _MISSING),
        color_resampling=color_resampling,
        depth_resampling=depth_resampling,
        crs=read_crs(folder / "crs.txt"),
        own_cameras=own_cameras,
        binning=binning,
    )


def _read_lists(folder: Path, only: Literal["rgb", "depth"] | None) -> dict[str, list[ListedImage]]:
    kinds = KINDS if only is None else (only,)
    listed = {kind: read_list(folder / f"{kind}.txt") for kind in kinds if (folder / f"{kind}.txt").exists()}
    if not listed:
        missing_lists = (
            "neither rgb.txt nor depth.txt" if only is None else f"no {only}.txt, whose images are asked for"
        )
        raise InputError(
            f"{folder}: {missing_lists}; expected a sequence in the TUM RGB-D format, such as `glrender convert` makes "
            "of images, videos and bags"
        )
    return listed


def _check_units(folder: Path, listed: dict[str, list[ListedImage]], poses: dict[str, NDArray[np.float64]]) -> None:
    """InputError where the times of the lists, or of the `poses` by the name of their file, are of several units."""
    times = {str(folder / f"{kind}.txt"): [line.time for line in lines] for kind, lines in listed.items()}
    for (name, each), (other_name, others) in combinations((times | poses).items(), 2):
        check_same_unit(name, each, other_name, others)


def _own_cameras(folder: Path, present: dict[str, list[ListedImage]], cameras: CameraFile) -> dict[int, Camera]:
    """Those of photographs that have one of their own, by the photographs' lines."""
    own_cameras = {
        line.index: cameras.photographs[line.name]
        for line in present.get("rgb", ())
        if line.name in cameras.photographs
    }
    if own_cameras and "depth" in present:
        raise InputError(
            f"{folder}: camera.yaml has photographs of other cameras, and there is a depth.txt; expected depth images "
            "beside photographs of one camera"
        )
    return own_cameras


def read_crs(path: Path) -> str | None:
    """The reference system in a `crs.txt`; None: no such file.

    InputError unless it is one line and, as far as rasterio is there to tell, a projected system in metres.
    """
    if not path.exists():
        return None
    lines = [text for _, text in data_lines(path)]
    if len(lines) != 1:
        raise InputError(f"{path}: received {len(lines)} lines, expected one reference system such as EPSG:32632")
    check_crs(str(path), lines[0])
    return lines[0]


def check_crs(where: str, crs: str) -> None:
    """InputError unless `crs`, which stands at `where`, is a projected system in metres as far as rasterio can tell."""
    if is_installed("rasterio"):
        try:
            projected_system(crs)
        except UsageError as error:
            raise InputError(f"{where}: {error}") from None


def read_list(path: Path) -> list[ListedImage]:
    """The lines of `rgb.txt` or `depth.txt`; InputError if one is malformed or there is none."""
    lines: list[ListedImage] = []
    for number, text in data_lines(path):
        time, *names = text.split(maxsplit=1)
        name = "".join(names)
        try:
            seconds = read_seconds(time)
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
            others.append(Skipped(line.index, line.name, _MISSING))
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


def _binning(cameras: CameraFile) -> int:
    """Pixels a side of a photograph that one of the depth camera's is as wide as: their mean is what it would see."""
    if cameras.depth is None or cameras.registered:
        return 1
    return max(1, round(cameras.color.fx / cameras.depth.fx))


def _resamplings(cameras: CameraFile, has_depth: bool) -> tuple[Camera, Resampling | None, Resampling | None]:
    """The camera of the frames, and how photographs and depth images get there."""
    if not has_depth or cameras.depth is None:
        camera = cameras.color.without_distortion()
        resampling = Resampling.between(cameras.color, camera)
        return camera, resampling, resampling
    if cameras.registered:
        return cameras.depth, None, None
    return cameras.depth, Resampling.between(cameras.color, cameras.depth), None


def _check_size(kind: str, lines: list[ListedImage], cameras: CameraFile) -> FrameError | None:
    """Refuse a sequence whose first whole image has another size than its camera.

    Where none of them is whole, returns what is wrong with the first; those that are damaged are told of later.
    """
    read = read_depth if kind == "depth" else read_color
    alike = cameras.depth is None or cameras.depth.shape == cameras.color.shape
    refusal = None
    for line in lines:
        try:
            pixels = read(line.path)
        except FrameError as error:
            refusal = refusal or error
            continue
        try:
            sized(line.path, pixels, cameras.of(kind))
        except FrameError as error:
            raise InputError(f"{error}{OWN_SIZE if kind == 'depth' and alike else ''}") from None
        return None
    return refusal
