"""Recordings of any format that is known, by what the path holds."""

from dataclasses import dataclass
from pathlib import Path

from glrender.checks import check_choice
from glrender.errors import InputError, UsageError
from glrender.io.calibrations.calibration import Size
from glrender.io.recordings import video
from glrender.io.recordings.bag import is_bag, open_bag
from glrender.io.recordings.image_folder import open_image_folder
from glrender.io.recordings.listed_images import open_listed_images
from glrender.io.recordings.live import is_live_camera, open_live_camera
from glrender.io.recordings.recording import Recording

FORMATS = {
    "images": "folder of images",
    "tum": "folder with rgb.txt and/or depth.txt, in the TUM RGB-D format",
    "video": f"video file ({' '.join(video.SUFFIXES)}, or what else PyAV reads)",
    "camera": "camera that is plugged in (camera:0, or camera:/dev/video0)",
    "bag": "ROS 1 or 2 bag (.bag, .mcap, .db3, or a folder with metadata.yaml)",
}


@dataclass(frozen=True)
class RecordingOptions:
    """What a recording does not tell itself; None: it does, or it does not matter."""

    times: Path | None = None
    """A list of the times of an image folder."""
    rate: float | None = None
    """Images a second of an image folder, or of a video without times; or that a camera is asked for."""
    default_rate: float | None = None
    """Images a second of an image folder whose times nothing else tells."""
    named: tuple[str, ...] = ()
    """Images that poses name, relative to an image folder that may have them in folders of its own."""
    size: Size | None = None
    """(width, height), pixels that a camera is asked for."""
    topic: str | None = None
    """Of a bag: the topic of the photographs."""
    depth_topic: str | None = None
    """Of a bag: the topic of the depth images; 'none' for none."""
    pose_topic: str | None = None
    """Of a bag: the topic of the poses."""


APPLIES = {
    "times": ("images",),
    "rate": ("images", "video", "camera"),
    "size": ("camera",),
    "topic": ("bag",),
    "depth_topic": ("bag",),
    "pose_topic": ("bag",),
}
"""The formats that an option is for."""


def open_recording(path: str | Path, format: str | None = None, options: RecordingOptions | None = None) -> Recording:
    """Open a recording; nothing but its head is read. Without `format`, one of FORMATS, by its content.

    InputError if it is missing, empty, damaged from the start or of no known format, or if a package is needed that
    is not installed; UsageError for an option that does not belong to its format.
    """
    path = Path(path)
    options = options or RecordingOptions()
    format = recording_format(path, format)
    for name, formats in APPLIES.items():
        if getattr(options, name) is not None and format not in formats:
            valid = " or ".join(FORMATS[name] for name in formats)
            raise UsageError(f"{name.replace('_', '-')}: it is for a {valid}, but {path} is a {FORMATS[format]}")
    match format:
        case "images":
            return open_image_folder(path, options.times, options.rate, options.default_rate, options.named)
        case "tum":
            return open_listed_images(path)
        case "video":
            return video.open_video(path, options.rate)
        case "camera":
            return open_live_camera(path, options.size, options.rate)
        case _:
            return open_bag(path, options.topic, options.depth_topic, options.pose_topic)


def recording_format(path: Path, format: str | None = None) -> str:
    """The format of the recording at `path`: `format` if given, else by content; InputError if it is none."""
    if is_live_camera(path):
        return "camera"
    if not path.exists():
        raise InputError(f"{path}: no such file or folder; expected a recording: {_known()}")
    if format is not None:
        return check_choice("source format", format, FORMATS)
    if is_bag(path):
        return "bag"
    if path.is_dir():
        return "tum" if (path / "rgb.txt").exists() or (path / "depth.txt").exists() else "images"
    if path.suffix.lower() in video.SUFFIXES:
        return "video"
    raise InputError(f"{path}: its name does not tell what it is; expected {_known()}. If it is one, say its format")


def _known() -> str:
    return "; ".join(FORMATS.values())
