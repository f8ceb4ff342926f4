"""Small videos, ROS bags and photographs with known pixels and times."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_typestore

SIZE = 32, 24
"""(width, height), pixels."""
NOW = 1_700_000_000_123_456_789
"""Nanoseconds of the first message of a bag."""


def gray(level: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """(height, width, 3), with a bright spot in the top left corner."""
    image = np.full((size[1], size[0], 3), level, np.uint8)
    image[: size[1] // 4, : size[0] // 4] = 255
    return image


def write_video(path: Path, times_ms: list[int], codec: str = "ffv1", turn: int = 0, **options: str) -> Path:
    """Frame k is `gray(10 k)` at times_ms[k]; FFV1 keeps every pixel. Players shall turn it by `turn` degrees."""
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=10, options={"g": "5"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        if turn:
            stream.set_display_rotation(turn)
        stream.codec_context.time_base = Fraction(1, 1000)
        for k, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(gray(10 * k), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class BagWriter:
    """A bag of ROS 1 (.bag), or of ROS 2 as a folder in sqlite3 or mcap; use as a context manager."""

    def __init__(self, path: Path, kind: str) -> None:
        self.ros1 = kind == "ros1"
        self.store = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_HUMBLE)
        plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
        self.writer: Any = Writer1(path) if self.ros1 else Writer2(path, version=9, storage_plugin=plugin)
        self.connections: dict[str, Any] = {}
        self.sequence = 0

    def __enter__(self) -> "BagWriter":
        self.writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def type(self, name: str) -> Any:
        return self.store.types[name]

    def header(self, ns: int, frame: str = "camera") -> Any:
        stamp = self.type("builtin_interfaces/msg/Time")(sec=ns // 10**9, nanosec=ns % 10**9)
        if not self.ros1:
            return self.type("std_msgs/msg/Header")(stamp=stamp, frame_id=frame)
        self.sequence += 1
        return self.type("std_msgs/msg/Header")(seq=self.sequence, stamp=stamp, frame_id=frame)

    def write(self, topic: str, name: str, received: int, **values: Any) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, name, typestore=self.store)
        message = self.type(name)(**values)
        serialize = self.store.serialize_ros1 if self.ros1 else self.store.serialize_cdr
        self.writer.write(self.connections[topic], received, serialize(message, name))

    def image(
        self, topic: str, ns: int, pixels: NDArray[Any], encoding: str, padding: int = 0, received: int | None = None
    ) -> None:
        height, width = pixels.shape[:2]
        rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
        data = np.hstack([rows, np.full((height, padding), 77, np.uint8)])
        self.write(
            topic,
            "sensor_msgs/msg/Image",
            ns if received is None else received,
            header=self.header(ns),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=int(pixels.dtype.byteorder == ">"),
            step=data.shape[1],
            data=data.ravel(),
        )

    def compressed(self, topic: str, ns: int, data: bytes, format: str) -> None:
        pixels = np.frombuffer(data, np.uint8)
        header = self.header(ns)
        self.write(topic, "sensor_msgs/msg/CompressedImage", ns, header=header, format=format, data=pixels)

    def camera_info(
        self,
        topic: str,
        ns: int,
        focal: float,
        model: str = "plumb_bob",
        lens: tuple[float, ...] = (0.0,) * 5,
        size: tuple[int, int] = SIZE,
    ) -> None:
        width, height = size
        cx, cy = (width - 1) / 2, (height - 1) / 2
        K = np.array([focal, 0, cx, 0, focal, cy, 0, 0, 1.0])
        P = np.array([2 * focal, 0, cx, 0, 0, 2 * focal, cy, 0, 0, 0, 1, 0])
        names = {"D": np.array(lens), "K": K, "R": np.eye(3).ravel(), "P": P}
        roi = self.type("sensor_msgs/msg/RegionOfInterest")(x_offset=0, y_offset=0, height=0, width=0, do_rectify=False)
        self.write(
            topic,
            "sensor_msgs/msg/CameraInfo",
            ns,
            header=self.header(ns),
            height=height,
            width=width,
            distortion_model=model,
            binning_x=0,
            binning_y=0,
            roi=roi,
            **{name if self.ros1 else name.lower(): value for name, value in names.items()},
        )

    def pose(self, topic: str, kind: str, ns: int, position: Any, quaternion: Any) -> None:
        """`kind` is PoseStamped, PoseWithCovarianceStamped, Odometry or TransformStamped; quaternion x y z w."""
        x, y, z, w = quaternion
        orientation = self.type("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)
        header = self.header(ns, "world")
        vector = dict(zip("xyz", position, strict=True))
        if kind == "TransformStamped":
            translation = self.type("geometry_msgs/msg/Vector3")(**vector)
            transform = self.type("geometry_msgs/msg/Transform")(translation=translation, rotation=orientation)
            name = "geometry_msgs/msg/TransformStamped"
            self.write(topic, name, ns, header=header, child_frame_id="camera", transform=transform)
            return
        point = self.type("geometry_msgs/msg/Point")(**vector)
        pose = self.type("geometry_msgs/msg/Pose")(position=point, orientation=orientation)
        if kind == "PoseStamped":
            self.write(topic, "geometry_msgs/msg/PoseStamped", ns, header=header, pose=pose)
            return
        spread = self.type("geometry_msgs/msg/PoseWithCovariance")(pose=pose, covariance=np.zeros(36))
        if kind == "PoseWithCovarianceStamped":
            self.write(topic, f"geometry_msgs/msg/{kind}", ns, header=header, pose=spread)
            return
        zero = self.type("geometry_msgs/msg/Vector3")(x=0.0, y=0.0, z=0.0)
        twist = self.type("geometry_msgs/msg/Twist")(linear=zero, angular=zero)
        moving = self.type("geometry_msgs/msg/TwistWithCovariance")(twist=twist, covariance=np.zeros(36))
        name = "nav_msgs/msg/Odometry"
        self.write(topic, name, ns, header=header, child_frame_id="base", pose=spread, twist=moving)


def write_turned_jpeg(path: Path, image: NDArray[np.uint8], orientation: int = 6) -> Path:
    """A JPEG of (height, width, 3) pixels as stored, that an EXIF tag asks viewers to turn; 6: by a quarter."""
    directory = struct.pack("<HHHIII", 1, 0x112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<I", 8) + directory
    data = cv2.imencode(".jpg", image[..., ::-1])[1].tobytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:])
    return path
