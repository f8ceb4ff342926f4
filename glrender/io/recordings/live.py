"""A camera that is plugged in, read by OpenCV, as a recording that is just being made."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.calibrations.calibration import Size
from glrender.io.recordings.recording import PhotographsAlone, Picture

_PREFIX = "camera:"


class Capture(Protocol):
    """What LiveCamera needs of a cv2.VideoCapture."""

    def grab(self) -> bool:
        """Wait for the next image and take it; False: there is none any more."""

    def retrieve(self) -> tuple[bool, Any]:
        """Decode the image that was taken, blue first; False: it is damaged."""

    def release(self) -> None:
        """Let go of the camera."""


@dataclass(eq=False)
class LiveCamera(PhotographsAlone):
    """Photographs as they come, until the camera stops, or whoever reads them does: then the camera is released."""

    capture: Capture
    """The camera, opened."""
    name: str
    """As messages have it."""
    clock: Callable[[], float] = time.time
    """Seconds; read when an image arrives."""
    count: None = None
    """Nobody knows."""
    endless: bool = field(default=True, kw_only=True)

    @property
    def description(self) -> str:
        return f"live camera {self.name}"

    def pictures(self) -> Iterator[Picture]:
        """Each image when it arrives; one that is damaged is left out, and counted among the problems."""
        index = damaged = 0
        try:
            while self.capture.grab():
                now = self.clock()
                whole, bgr = self.capture.retrieve()
                if not whole:
                    damaged += 1
                    continue
                yield Picture(index, "rgb", now, f"image {index}", partial(_to_rgb, bgr))
                index += 1
        finally:
            self.capture.release()
        if damaged:
            self.problems.append(f"{damaged} images of the camera are damaged")
        self.problems.append(f"the camera gives no more images after {index}")


def is_live_camera(path: Path) -> bool:
    """Whether this is no path but the name of a camera: camera:0, camera:/dev/video0."""
    return str(path).startswith(_PREFIX)


def open_live_camera(path: Path, size: Size | None = None, rate: float | None = None) -> LiveCamera:
    """The camera of an index, camera:0, or what else OpenCV opens: a device, or a file that stands in for one.

    `size` (width, height) and `rate` (images a second) are asked of it. InputError if it cannot be opened, or gives
    images of another size than asked.
    """
    source = str(path).removeprefix(_PREFIX)
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source)
    if not capture.isOpened():
        raise InputError(
            f"camera {source}: cannot be opened; expected the index of a camera that is plugged in and that nothing "
            "else uses (camera:0), or its device (camera:/dev/video0)"
        )
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # the latest image, not the oldest that waits
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        has = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if has != size:
            capture.release()
            raise InputError(
                f"camera {source}: asked for {size[0]} x {size[1]} pixels, but it gives {has[0]} x {has[1]}"
            )
    if rate is not None:
        capture.set(cv2.CAP_PROP_FPS, rate)
    return LiveCamera(capture, source)


def _to_rgb(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
