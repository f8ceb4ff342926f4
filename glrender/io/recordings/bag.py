"""ROS bags, read by rosbags: ROS 1 (.bag), ROS 2 (.db3, or a folder with metadata.yaml), and .mcap."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.camera_file import CameraFile
from glrender.io.optional import require
from glrender.io.recordings.bag_images import MILLIMETRES, color_content, depth_counts, is_metric
from glrender.io.recordings.bag_topics import (
    choose_images,
    find_camera,
    messages,
    pose_topics,
    read_pose_topic,
    stamp,
)
from glrender.io.recordings.recording import Kind, Picture
from glrender.io.trajectory import Trajectory

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

MENDED_BY = {
    ".bag": "rosbag reindex",
    ".mcap": "mcap recover",
    ".db3": "the .recover of sqlite3",
}
"""What may mend a bag that was cut short, by the suffix of its file."""


@dataclass(eq=False)
class Bag:
    """The images of one or two topics; made by `open_bag`."""

    path: Path
    """The bag's file or folder."""
    topics: dict[str, Kind]
    """The topics that pictures come from. What follows is as in `Recording`."""
    count: int
    depth_scale: float | None
    poses: Trajectory | None
    problems: list[str] = field(default_factory=list)
    endless: bool = False

    @property
    def description(self) -> str:
        return f"ROS bag, {' and '.join(self.topics)}"

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return tuple(self.topics.values())

    @cached_property
    def cameras(self) -> CameraFile | None:
        """What the camera_info beside each topic says; InputError if that is of a lens that glrender does not have."""
        found: dict[Kind, Camera | None] = {"rgb": None, "depth": None}
        with _open(self.path) as reader:
            for topic, kind in self.topics.items():
                found[kind] = find_camera(reader, self.path, topic)
        color, depth = found["rgb"], found["depth"]
        main = color or (None if "rgb" in self.kinds else depth)
        if main is None:
            return None
        scale = self.depth_scale or CameraFile.depth_scale
        if depth is None or depth == main:
            return CameraFile(main, depth_scale=scale)
        lens = "" if depth.distortion is None else ", and so is its lens"
        self.problems.append(
            f"the depth camera is another one: the distance between it and the colour camera is taken for none{lens}"
        )
        return CameraFile(main, depth.without_distortion(), registered=False, depth_scale=scale)

    def pictures(self) -> Iterator[Picture]:
        """The images in the order in which they were recorded, at the times of their stamps."""
        counts: dict[Kind, int] = {"rgb": 0, "depth": 0}
        unstamped = 0
        try:
            with _open(self.path) as reader:
                for topic, received, message in messages(reader, *self.topics):
                    kind = self.topics[topic]
                    time, stamped = stamp(message, received)
                    unstamped += not stamped
                    name = f"{topic} {counts[kind]}"
                    if kind == "rgb":
                        yield Picture(counts[kind], kind, time, name, partial(color_content, message))
                    else:
                        scale = self.depth_scale or MILLIMETRES
                        yield Picture(counts[kind], kind, time, name, partial(depth_counts, message, scale))
                    counts[kind] += 1
        except InputError as error:  # of the bag: those of pictures come when they are loaded
            self.problems.append(f"the bag is cut short or damaged after {sum(counts.values())} images: {error}")
        if unstamped:
            self.problems.append(f"{unstamped} images have no time of their own: theirs is when they were recorded")


def is_bag(path: Path) -> bool:
    """Whether this is a bag, by its suffix or its metadata.yaml."""
    return path.suffix.lower() in MENDED_BY if path.is_file() else (path / "metadata.yaml").is_file()


def open_bag(
    path: Path, topic: str | None = None, depth_topic: str | None = None, pose_topic: str | None = None
) -> Bag:
    """The images in `topic` and `depth_topic`: each may be left out where only one could be meant, or be 'none'.

    Depth of 16 bits is in millimetres; metres become 5000 counts each. Cameras are those of the camera_info beside
    each image topic. Poses are those of `pose_topic` (PoseStamped, PoseWithCovarianceStamped, Odometry,
    TransformStamped), as they are: those of tf are not read. InputError if the bag is damaged, or a topic is not there.
    """
    if path.is_file() and path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty")
    with _open(path) as reader:
        color, depth = choose_images(reader, path, topic, depth_topic)
        topics: dict[str, Kind] = {}
        if color is not None:
            topics[color] = "rgb"
        scale = None
        if depth is not None:
            topics[depth] = "depth"
            metric = is_metric(next(messages(reader, depth))[2])
            scale = CameraFile.depth_scale if metric else MILLIMETRES
        problems = []
        if pose_topic is None and pose_topics(reader):
            problems.append(f"poses are there, and not asked for: {', '.join(pose_topics(reader))}")
        return Bag(
            path,
            topics,
            sum(reader.topics[name].msgcount for name in topics),
            scale,
            None if pose_topic is None else read_pose_topic(reader, path, pose_topic),
            problems,
        )


@contextmanager
def _open(path: Path) -> Iterator["AnyReader"]:
    """A reader of the bag; whatever rosbags finds wrong with it becomes an InputError."""
    require("apsw", "bags", path)
    require("rosbags.highlevel", "bags", path)
    from apsw import Error as DatabaseError
    from rosbags.highlevel import AnyReader, AnyReaderError
    from rosbags.rosbag1 import ReaderError as Bag1Error
    from rosbags.rosbag2 import ReaderError as Bag2Error
    from rosbags.typesys import Stores, get_typestore

    try:
        # Bags of ROS 2 before Iron do not describe their messages; images and poses have not changed since.
        with AnyReader([path], default_typestore=get_typestore(Stores.ROS2_HUMBLE)) as reader:
            yield reader
    except (AnyReaderError, Bag1Error, Bag2Error, DatabaseError, OSError, RuntimeError) as error:  # the last: lz4's
        mended = MENDED_BY.get(path.suffix.lower(), "ros2 bag reindex")
        raise InputError(
            f"{path}: cannot be read as a ROS bag: {error}; if it was cut short, {mended} may mend it"
        ) from None
