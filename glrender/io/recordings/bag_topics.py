"""The topics of a ROS bag: which are photographs, depth images, their cameras, and poses."""

from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.calibrations.calibration import check_lens, make_camera
from glrender.io.calibrations.ros import matrix_intrinsics
from glrender.io.recordings.bag_images import is_depth
from glrender.io.trajectory import Trajectory, collect_poses, make_pose

if TYPE_CHECKING:
    from rosbags.highlevel import AnyReader

IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
POSE_TYPES: Mapping[str, Callable[[Any], Any]] = {
    "geometry_msgs/msg/PoseStamped": lambda message: message.pose,
    "geometry_msgs/msg/PoseWithCovarianceStamped": lambda message: message.pose.pose,
    "nav_msgs/msg/Odometry": lambda message: message.pose.pose,
    "geometry_msgs/msg/TransformStamped": lambda message: message.transform,
}
"""Where each message has its pose."""

NONE = "none"
"""What a user says for no topic."""

TRANSPORTS = ("/compressed", "/compressedDepth")
"""What image_transport adds to the topic of an image."""


def stamp(message: Any, received: int) -> tuple[float, bool]:
    """The time of a message, seconds, as its header says, or where that says 0 the time at which it was recorded; and
    whether the header says one."""
    when = message.header.stamp
    nanoseconds = int(when.sec) * 1_000_000_000 + int(when.nanosec)
    return (nanoseconds or received) * 1e-9, nanoseconds != 0


def messages(reader: "AnyReader", *topics: str | None) -> Iterator[tuple[str, int, Any]]:
    """(topic, nanoseconds when it was recorded, message) of some topics."""
    connections = [connection for connection in reader.connections if connection.topic in topics]
    if connections:
        for connection, received, data in reader.messages(connections=connections):
            yield connection.topic, received, reader.deserialize(data, connection.msgtype)


def choose_images(
    reader: "AnyReader", path: Path, color: str | None, depth: str | None
) -> tuple[str | None, str | None]:
    """The topics of the photographs and of the depth images, as they are said or as the only ones; None: there is none.

    InputError lists the topics if one that is said is not there, if several could be meant, or if there is none.
    """
    images = [topic for topic, info in reader.topics.items() if info.msgtype in IMAGE_TYPES and info.msgcount]
    for topic in (color, depth):
        if topic is not None and topic != NONE and topic not in images:
            raise InputError(f"{path}: no images in a topic {topic!r}; {_describe_topics(reader)}")
    of_depth = {topic: is_depth(next(messages(reader, topic))[2]) for topic in images}
    chosen = (
        _only(path, color, [topic for topic in images if not of_depth[topic]], "photographs", "topic"),
        _only(path, depth, [topic for topic in images if of_depth[topic]], "depth images", "depth topic"),
    )
    if chosen == (None, None):
        raise InputError(f"{path}: no topic of images to take; {_describe_topics(reader)}")
    return chosen


def find_camera(reader: "AnyReader", path: Path, image_topic: str) -> Camera | None:
    """The camera that the CameraInfo beside an image topic describes; None: there is none, or it is not calibrated.

    InputError if its lens is not one that glrender has. Rectified images have the projection matrix and no lens.
    """
    base = next((image_topic.removesuffix(end) for end in TRANSPORTS if image_topic.endswith(end)), image_topic)
    topic = f"{base.rpartition('/')[0]}/camera_info"
    message = next((message for _, _, message in messages(reader, topic)), None)
    if message is None:
        return None
    where, size = f"{path}: {topic}", (int(message.width), int(message.height))
    # ROS 1 has them in capitals.
    K, D, P = (list(getattr(message, name if hasattr(message, name) else name.lower())) for name in "KDP")
    if K[0] == 0:  # how CameraInfo says that nobody has calibrated
        return None
    if "rect" in base.rpartition("/")[2]:
        return make_camera(where, size, matrix_intrinsics(where, P, 4), ())
    check_lens(where, str(message.distortion_model))
    return make_camera(where, size, matrix_intrinsics(where, K, 3), D)


def read_pose_topic(reader: "AnyReader", path: Path, topic: str) -> Trajectory:
    """The poses of a topic as they are, of the camera or of what carries it; InputError lists the topics with poses."""
    info = reader.topics.get(topic)
    if info is None or info.msgtype is None or info.msgtype not in POSE_TYPES or not info.msgcount:
        raise InputError(f"{path}: no poses in a topic {topic!r}; {_describe_topics(reader, POSE_TYPES)}")
    where_pose = POSE_TYPES[info.msgtype]
    trajectory = collect_poses(
        (f"{path}: {topic}", stamp(message, received)[0], _pose(f"{path}: {topic}", where_pose(message)))
        for _, received, message in messages(reader, topic)
    )
    assert trajectory is not None  # the topic has messages
    return trajectory


def pose_topics(reader: "AnyReader") -> list[str]:
    """The topics that have poses."""
    return [topic for topic, info in reader.topics.items() if info.msgtype in POSE_TYPES and info.msgcount]


def _describe_topics(reader: "AnyReader", types: Container[str] | None = None) -> str:
    """What topics there are, of some `types` or of all."""
    found = [
        f"{topic} ({info.msgtype}, {info.msgcount})"
        for topic, info in reader.topics.items()
        if types is None or info.msgtype in types
    ]
    return f"the topics are {', '.join(found)}" if found else "there is no such topic"


def _only(path: Path, said: str | None, topics: list[str], what: str, option: str) -> str | None:
    if said is not None:
        return None if said == NONE else said
    raw = [topic for topic in topics if not any(topic == other + end for other in topics for end in TRANSPORTS)]
    if len(raw) > 1:
        raise InputError(
            f"{path}: {len(raw)} topics have {what}: {', '.join(raw)}; say which (--{option.replace(' ', '-')})"
        )
    return raw[0] if raw else None


def _pose(where: str, pose: Any) -> NDArray[np.float64]:
    position, q = (pose.position, pose.orientation) if hasattr(pose, "position") else (pose.translation, pose.rotation)
    return make_pose(where, (position.x, position.y, position.z), (q.x, q.y, q.z, q.w), "orientation x y z w")
