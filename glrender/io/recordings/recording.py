"""What every recording gives, whatever holds it: pictures one by one, and what is known beside them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.io.camera_file import CameraFile
from glrender.io.images import (
    JPEG_SIGNATURE,
    FrameError,
    decode_color,
    decode_depth,
    encode_png,
)
from glrender.io.png_decoder import PNG_SIGNATURE
from glrender.io.poses.reading import Poses

Kind = Literal["rgb", "depth"]


@dataclass(frozen=True)
class ImageFile:
    """An image as a file holds it."""

    data: bytes
    """The whole file."""
    suffix: str
    """.png or .jpg."""
    size: tuple[int, int]
    """(width, height), pixels."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One photograph or depth image of a recording, not decoded yet."""

    index: int
    """Its place among the pictures of its kind, from 0."""
    kind: Kind
    """A photograph or a depth image."""
    time: float
    """Seconds."""
    name: str
    """The file as the recording names it, or where in the recording it stands."""
    load: Callable[[], bytes | NDArray[np.uint8] | NDArray[np.uint16]]
    """Gives the bytes of an image file, or pixels: (height, width, 3) sRGB, red first, or (height, width) counts of
    depth; FrameError if that cannot be."""

    def pixels(self) -> NDArray[Any]:
        """(height, width, 3) sRGB bytes, red first, or (height, width) counts of depth; FrameError if damaged."""
        return self._decoded()[0]

    def as_file(self) -> ImageFile:
        """A PNG or JPEG of these very pixels; what is one already is not encoded again. FrameError if damaged."""
        pixels, data = self._decoded()
        if data is None:
            data = encode_png(pixels)
        return ImageFile(data, ".png" if data.startswith(PNG_SIGNATURE) else ".jpg", (pixels.shape[1], pixels.shape[0]))

    def _decoded(self) -> tuple[NDArray[Any], bytes | None]:
        """The pixels, and the PNG or JPEG that holds them where there is one."""
        data = self.load()
        if isinstance(data, np.ndarray):
            return data, None
        if self.kind == "depth":
            return decode_depth(self.name, data), data
        if data.startswith((PNG_SIGNATURE, JPEG_SIGNATURE)):
            return decode_color(self.name, data), data
        return _decode_other(self.name, data), None


class Recording(Protocol):
    """Pictures in the order of the recording, and what it tells beside them."""

    @property
    def description(self) -> str:
        """What it is, in words: 'video', 'ROS bag'."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What pictures it has."""

    @property
    def count(self) -> int | None:
        """How many pictures it has, as far as its head says; None: unknown."""

    @property
    def endless(self) -> bool:
        """Whether it goes on until somebody ends it."""

    @property
    def cameras(self) -> CameraFile | None:
        """What it says about its cameras; None: nothing."""

    @property
    def depth_scale(self) -> float | None:
        """Counts per metre of its depth images; None: it has none, or does not say."""

    @property
    def poses(self) -> Poses | None:
        """The poses in it; None: none."""

    @property
    def problems(self) -> list[str]:
        """What was found wrong so far, in words, beyond single pictures; it grows while pictures are read."""

    def pictures(self) -> Iterator[Picture]:
        """The pictures, photographs and depth images mixed, each kind nearly in the order of its times."""


@dataclass(eq=False, kw_only=True)
class PhotographsAlone:
    """What of `Recording` is the same for all recordings that hold photographs and know nothing else."""

    kinds: tuple[Kind, ...] = ("rgb",)
    endless: bool = False
    cameras: None = None
    depth_scale: None = None
    poses: None = None
    problems: list[str] = field(default_factory=list)


def _decode_other(name: str, data: bytes) -> NDArray[np.uint8]:
    """Photographs of the other formats that OpenCV reads: BMP, TIFF, WebP, PGM, …"""
    if not data:
        raise FrameError(f"{name}: the file is empty")
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if bgr is None:
        raise FrameError(f"{name}: no image that OpenCV reads; it is damaged, or of another kind")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
