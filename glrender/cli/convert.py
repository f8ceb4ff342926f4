"""`glrender convert`: a recording of any format that is known becomes a sequence."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from tyro.conf import Positional, arg

from glrender.cli.options import check_above_0, option
from glrender.cli.progress import progress
from glrender.errors import InputError, UsageError
from glrender.geometry.visiting_order import visiting_order
from glrender.io.calibrations import reading as calibrations
from glrender.io.calibrations.calibration import Size
from glrender.io.camera_file import CameraFile
from glrender.io.conversion import Conversion, convert
from glrender.io.files import write_bytes
from glrender.io.poses.image_poses import ImagePoses
from glrender.io.poses.reading import FORMATS as POSE_FORMATS
from glrender.io.poses.reading import Poses, carried, pose_format, read_poses
from glrender.io.recordings.image_folder import ImageFolder
from glrender.io.recordings.opening import RecordingOptions, open_recording
from glrender.io.recordings.recording import Picture, Recording
from glrender.io.recordings.thinning import PictureSelection
from glrender.io.sequence_folder import check_crs, read_crs
from glrender.io.staged_folder import CONVERSION, StagedFolder
from glrender.io.trajectory import read_pose

PLACEMENT = "T_world_map.txt"
"""Where a sequence has its map, which a conversion of one keeps."""

CRS = "crs.txt"
"""The reference system of a sequence's poses, which a conversion keeps with them."""

TOLD = 5
"""Images that are named when they are left out; the record names all."""

COUNTING_RATE = 1.0
"""Images a second of a folder that does not tell its times, where poses belong to images and not to times."""


@dataclass(frozen=True)
class Options:
    """Make a sequence folder, which every other verb reads, of a recording: its images, poses and calibration.

    SOURCE is a folder of images (times from times.txt, timestamps.txt or EuRoC's data.csv in it or beside it, from
    names that are Unix times, or from --rate; those of a reconstruction may lie in folders in it, as it names them), a
    folder with rgb.txt and/or depth.txt in the TUM RGB-D format, a video file (needs glrender[video]), a ROS 1 or 2
    bag, .mcap too (needs glrender[bags]), or a camera that is plugged in, camera:0, which is recorded until --end or
    Ctrl-C. PNG and JPEG are taken over byte by byte; all else becomes PNG. Nothing is turned, rescaled or undistorted.

    --poses is a trajectory of TUM lines, KITTI lines, or EuRoC csv, a COLMAP model (text or binary), a
    transforms.json, or OpenDroneMap's opensfm/reconstruction.json: camera to world, camera axes and orders of
    quaternions as each format has them. The world stays the file's. --calibration is a camera.yaml, Kalibr camchain,
    OpenCV YAML or XML, ROS camera_calibration YAML, EuRoC sensor.yaml, COLMAP model, transforms.json, or
    reconstruction.json.

    A video and a calibration, nothing else: glrender convert drive.mp4 --calibration camchain.yaml --out drive

    A robot's bag with its odometry: glrender convert drive.bag --pose-topic /odom --T-base-camera T.txt --out drive

    What cannot be used is left out, and told. Ctrl-C keeps the images that are done, as a shorter sequence; an earlier
    conversion in --out is replaced only by a whole one, and other files there are never touched.
    """

    source: Positional[Path]
    """The recording: a file or a folder, or camera:0."""
    out: Path
    """Folder to write: new, empty, or one that holds an earlier conversion."""
    source_format: Annotated[Literal["images", "tum", "video", "bag"] | None, option("FORMAT", "by content")] = None
    """images, tum, video or bag."""
    poses: Annotated[Path | None, option("FILE", "those in the recording, if any")] = None
    """Where the camera was: a file, or the folder of a COLMAP model."""
    pose_format: Annotated[
        Literal["tum", "kitti", "euroc", "colmap", "transforms", "opensfm"] | None, option("FORMAT", "by content")
    ] = None
    """tum, kitti, euroc, colmap, transforms or opensfm."""
    T_base_camera: Annotated[Path | None, arg(name="T-base-camera"), option("FILE", "the poses are the camera's")] = (
        None
    )
    """4 x 4 matrix that takes camera to base coordinates, where the poses are those of a base that carries the camera,
    such as a robot; EuRoC's poses are, and take it from the calibration if it has one."""
    calibration: Annotated[Path | None, option("FILE", "the recording's own, else that of --poses")] = None
    """The camera: a file, or the folder of a COLMAP model."""
    calibration_format: Annotated[
        Literal["camera", "kalibr", "opencv", "ros", "euroc", "colmap", "transforms", "opensfm"] | None,
        option("FORMAT", "by content"),
    ] = None
    """camera, kalibr, opencv, ros, euroc, colmap, transforms or opensfm."""
    camera: Annotated[str | None, option("NAME", "the only one, or each image's as its pose tells")] = None
    """Which of several cameras in the calibration: cam0, COLMAP's CAMERA_ID, or OpenSfM's name. Of a reconstruction,
    its images alone are taken."""
    depth_scale: Annotated[float | None, option("COUNTS", "the recording's own, else the calibration's")] = None
    """Counts of a depth image per metre."""
    times: Annotated[Path | None, option("FILE", "a list beside the images, else their names")] = None
    """For a folder of images: a line an image, its time (seconds, or a Unix time in whole milli-, micro- or
    nanoseconds), or time and file."""
    rate: Annotated[float | None, option("HZ", "the recording's own times")] = None
    """For a folder of images or a video: images a second, from 0 on; for a camera: those that are asked of it."""
    size: Annotated[tuple[int, int] | None, option("WIDTH HEIGHT", "the camera's own")] = None
    """For a camera: the pixels that are asked of it."""
    topic: Annotated[str | None, option("NAME", "the only one")] = None
    """For a bag: the topic of the photographs (Image or CompressedImage), or none."""
    depth_topic: Annotated[str | None, option("NAME", "the only one, if any")] = None
    """For a bag: the topic of the depth images, or none."""
    pose_topic: Annotated[str | None, option("NAME", "no poses")] = None
    """For a bag: a topic of poses (PoseStamped, PoseWithCovarianceStamped, Odometry, TransformStamped)."""
    start: Annotated[float | None, option("S", "the first")] = None
    """Seconds after the first image from which on images are taken."""
    end: Annotated[float | None, option("S", "the last")] = None
    """Seconds after the first image up to which images are taken."""
    every: Annotated[int, arg(metavar="N")] = 1
    """Take every N-th photograph, and the depth images within 20 ms of it."""
    time_offset: Annotated[float, arg(metavar="S")] = 0.0
    """Seconds added to the times of the images, to bring them to the clock of the poses."""


def run(options: Options) -> int:
    """Convert, and say what was written and what was left out."""
    _check(options)
    poses = _read_poses(options)
    given = RecordingOptions(
        times=options.times,
        rate=options.rate,
        size=options.size,
        default_rate=COUNTING_RATE if isinstance(poses, ImagePoses) else None,
        named=(poses.names or ()) if isinstance(poses, ImagePoses) else (),
        topic=options.topic,
        depth_topic=options.depth_topic,
        pose_topic=options.pose_topic,
    )
    with StagedFolder(options.out, CONVERSION) as folder:
        recording = open_recording(options.source, options.source_format, given)
        poses, carrier = _carried(options, poses or recording.poses)
        crs = _crs(options, poses)
        recording = _along_its_way(recording, poses)
        selection = PictureSelection(*_span(options), options.every, options.time_offset)
        with progress("converting") as advance:
            cameras_for, camera_of = _cameras(options, recording, poses)
            conversion = convert(recording, folder.stage, cameras_for, poses, selection, advance, camera_of)
        if conversion.partial and folder.replaces:
            print(f"interrupted: the earlier conversion in {options.out} is left as it was")
            return 1
        placement = options.source / PLACEMENT
        if placement.is_file():
            np.savetxt(folder.stage / PLACEMENT, read_pose(placement), fmt="%.12g")
        if crs is not None:
            write_bytes(folder.stage / CRS, f"{crs}\n".encode())
        folder.publish(_account(options, recording, conversion))
    _print_summary(options, recording, conversion, carrier, crs)
    return 1 if conversion.partial else 0


def _crs(options: Options, poses: Poses | None) -> str | None:
    """The reference system that poses are in; InputError where no sequence could be in it."""
    if isinstance(poses, ImagePoses) and poses.crs is not None:
        check_crs(str(options.poses or options.source), poses.crs)
        return poses.crs
    return read_crs(options.source / CRS) if options.poses is None else None


def _check(options: Options) -> None:
    if options.every < 1:
        raise UsageError(f"--every: received {options.every}, expected at least 1")
    check_above_0(options, "rate", "depth_scale")
    if options.size is not None and min(options.size) < 1:
        raise UsageError(f"--size: received {options.size[0]} {options.size[1]}, expected pixels across and down")
    start, end = _span(options)
    if not start <= end:
        raise UsageError(f"--start, --end: received {start:g} and {end:g}, expected a start before the end")
    if not math.isfinite(options.time_offset):
        raise UsageError(f"--time-offset: received {options.time_offset:g}, expected a finite number")
    if options.poses is None and options.pose_format is not None:
        raise UsageError("--pose-format: received it without --poses, whose format it is; give both")
    if options.poses is not None and options.pose_topic is not None:
        raise UsageError("--pose-topic: received it with --poses; give one of them")
    if options.calibration is None and options.calibration_format is not None:
        raise UsageError("--calibration-format: received it without --calibration, whose format it is; give both")


def _span(options: Options) -> tuple[float, float]:
    """Start and end, seconds; infinite where they are not said."""
    return -math.inf if options.start is None else options.start, math.inf if options.end is None else options.end


def _read_poses(options: Options) -> Poses | None:
    poses = None if options.poses is None else read_poses(options.poses, options.pose_format)
    return poses.taken_by(options.camera) if isinstance(poses, ImagePoses) and options.camera is not None else poses


def _carried(options: Options, poses: Poses | None) -> tuple[Poses | None, Path | None]:
    """The camera's poses, and the file that says where the camera sits on what the given poses are of; None if they are
    the camera's own."""
    if poses is None:
        if options.T_base_camera is not None:
            raise UsageError("--T-base-camera: received it, but there are no poses: give --poses or --pose-topic")
        return None, None
    if options.T_base_camera is not None:
        return carried(poses, read_pose(options.T_base_camera)), options.T_base_camera
    if options.poses is None or pose_format(options.poses, options.pose_format) != "euroc":
        return poses, None
    base = None
    if options.calibration is not None:
        # Of the formats that say where the camera sits, none needs to be told the images' size.
        format = calibrations.calibration_format(options.calibration, options.calibration_format)
        if format in calibrations.WITH_BASE:
            base = calibrations.read_calibration(options.calibration, format, camera=options.camera).T_base_camera
    if base is None:
        raise UsageError(
            f"--T-base-camera: {options.poses} has the poses of a body (EuRoC), and the calibration does not say where "
            "the camera sits on it; give the 4 x 4 matrix from camera to body, the identity if they are the camera's"
        )
    return carried(poses, base), options.calibration


def _along_its_way(recording: Recording, poses: Poses | None) -> Recording:
    """The recording, its photographs in the order of their poses where nothing but their names had put them in another
    one."""
    if not (isinstance(recording, ImageFolder) and recording.counted and isinstance(poses, ImagePoses) and poses.names):
        return recording
    found = [poses.of(k, path.relative_to(recording.folder).as_posix()) for k, path in enumerate(recording.files)]
    known = np.array([k for k, pose in enumerate(found) if pose is not None], np.int64)
    if not len(known):
        return recording  # which is told of once all are looked at
    order = visiting_order(np.stack([pose[:3, 3] for pose in found if pose is not None]))
    if (np.diff(order) > 0).all():
        return recording
    without = np.setdiff1d(np.arange(len(found)), known)
    return recording.in_order(np.r_[known[order], without], "from each camera to the nearest: by their names they jump")


def _cameras(
    options: Options, recording: Recording, poses: Poses | None
) -> tuple[Callable[[Size, str | None], CameraFile], Callable[[Picture], str | None]]:
    """One function that gives the cameras of images of a size, and one that names the camera that took a picture, where
    there are several."""
    path: Path | None = options.calibration
    format: str | None = options.calibration_format
    # What the recording says is not looked at where nothing of it is needed: its lens may be one that is refused.
    own = recording.cameras if path is None or recording.kinds == ("rgb", "depth") else None
    if path is None and own is None and options.poses is not None:
        format = pose_format(options.poses, options.pose_format)
        path = options.poses if format in calibrations.FORMATS else None
    if options.camera is not None and path is None:
        raise UsageError(
            f"--camera: received {options.camera!r}, but there is nothing to choose from; give the --calibration, or "
            "the reconstruction as --poses, that has several, or leave it out"
        )

    def camera_of(picture: Picture) -> str | None:
        if isinstance(poses, ImagePoses) and path is not None and path == options.poses:
            return poses.camera_of(picture.index, picture.name)
        return picture.name if own is not None and picture.name in own.photographs else None

    def cameras_for(size: Size, name: str | None) -> CameraFile:
        if path is not None:
            cameras = calibrations.read_calibration(path, format, camera=options.camera or name, size=size).cameras
            if own is not None and own.depth is not None and cameras.depth is None:
                cameras = replace(cameras, depth=own.depth, registered=own.registered)
        elif own is not None:
            cameras = own if name is None else replace(own, color=own.photographs[name])
        else:
            known = "; ".join(calibrations.FORMATS.values())
            raise InputError(
                f"{options.source}: nothing says which camera took its images of {size[0]} x {size[1]} pixels; give "
                f"--calibration: {known}"
            )
        return replace(cameras, depth_scale=options.depth_scale or recording.depth_scale or cameras.depth_scale)

    return cameras_for, camera_of


def _account(options: Options, recording: Recording, conversion: Conversion) -> dict[str, object]:
    """What `conversion.json` tells beside the list of files."""
    return {
        "source": options.source if recording.endless else options.source.resolve(),
        "recording": recording.description,
        **{field.name: getattr(conversion, field.name) for field in fields(conversion)},
        "options": options,
    }


def _print_summary(
    options: Options, recording: Recording, conversion: Conversion, carrier: Path | None, crs: str | None
) -> None:
    camera, left_out = conversion.cameras.color, conversion.left_out
    kinds = {"photographs": conversion.photographs, "depth images": conversion.depth_images}
    counts = " and ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    duration = conversion.last - conversion.first
    interrupted = " (interrupted)" if conversion.partial else ""
    lens = "no lens" if camera.distortion is None else f"lens {' '.join(f'{k:.4g}' for k in camera.distortion)}"
    poses = "no poses"
    if conversion.poses:
        whose = "taken for the camera's" if carrier is None else f"of what carries the camera as {carrier} says"
        poses = f"{conversion.poses} poses, {whose}: {conversion.posed} of {conversion.frames} frames have one"
    print(
        f"{options.out}: {counts}{interrupted} of {duration:.2f} s, from {conversion.first:.6f} s on\n"
        f"  {options.source}: {recording.description}\n"
        f"  camera {camera.width} x {camera.height}: fx {camera.fx:.2f}, fy {camera.fy:.2f}, cx {camera.cx:.2f}, "
        f"cy {camera.cy:.2f}, {lens}\n"
        f"  {poses}"
    )
    others = conversion.cameras.photographs
    if others:
        print(
            f"  {len(others)} photographs of other cameras, or other zoom, keep theirs: they are read as that one sees"
        )
    if crs is not None:
        print(f"  the world is that of {crs}")
    elif options.poses is not None:
        format = pose_format(options.poses, options.pose_format)
        if POSE_FORMATS[format].caveat:
            print(f"  mind: the world is that of {options.poses}; {POSE_FORMATS[format].caveat}")
    for problem in conversion.problems:
        print(f"  mind: {problem}")
    for picture in left_out[:TOLD]:
        print(f"  left out {picture.name}: {picture.reason}")
    if len(left_out) > TOLD:
        print(f"  … and {len(left_out) - TOLD} more, see {CONVERSION.record}")
