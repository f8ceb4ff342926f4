"""A video file, read by PyAV, with the times that it has itself."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.io.optional import require
from glrender.io.recordings.recording import PhotographsAlone, Picture

if TYPE_CHECKING:
    import av

SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v", ".ts", ".mts", ".mpg", ".mpeg", ".wmv", ".h264", ".h265")

INDEX_AT_END = (".mp4", ".mov", ".m4v")

MICROSECONDS = 1e6
"""A second in the units of a container's times."""

SHORTFALL = 1.75
"""Frames between the last frame and the end of a video that is whole, at most: the last lasts about one itself."""

SOUND_SHORTFALL = 1.0
"""Seconds between them, at most, where other streams, such as sound, may go on for longer."""


@dataclass(eq=False)
class Video(PhotographsAlone):
    """The first video stream of a file; made by `open_video`."""

    path: Path
    """The file."""
    count: int | None
    """Frames by the head of the file, where it counts them (MP4); None: it does not."""
    rate: float | None
    """Frames a second where the file has no times; None: it has its own."""

    @property
    def description(self) -> str:
        return "video" if self.rate is None else f"video, times from the rate of {self.rate:g} a second"

    def pictures(self) -> Iterator[Picture]:
        """Frames as they are decoded, as stored: a flag that asks a player to turn them is not followed.

        Damaged frames are left out; a file that is cut short ends with its last whole frame. `problems` tells.
        """
        import av

        times: list[float] = []
        damaged = turn = 0
        with av.open(str(self.path)) as container:
            end, alone = _end(container), len(container.streams) == 1
            for frame in self._decoded(container):
                if frame is None or frame.is_corrupt:
                    damaged += 1
                    continue
                turn = turn or int(frame.rotation)
                index = len(times)
                times.append(self._time(frame, index))
                yield Picture(index, "rgb", times[-1], f"frame {index}", partial(_pixels, frame))
        if damaged:
            self.problems.append(f"{damaged} frames of the video are damaged")
        if turn:
            self.problems.append(
                f"the video asks players to turn it by {turn} degrees; its frames stay as the sensor saw them, which "
                "the calibration must fit"
            )
        step = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 0.0
        shortfall = SHORTFALL * step if alone else max(SOUND_SHORTFALL, SHORTFALL * step)
        cut = "the video is cut short or damaged"
        if self.count is not None and len(times) + damaged < self.count:
            self.problems.append(f"{cut}: {len(times)} of {self.count} frames are there")
        elif not times:
            self.problems.append(f"{cut}: no frame is there")
        elif self.rate is None and times[-1] + shortfall < end:
            self.problems.append(f"{cut}: it ends at {times[-1]:.2f} s, its head says {end:.2f} s")

    def _decoded(self, container: "av.container.InputContainer") -> "Iterator[av.VideoFrame | None]":
        """Frame by frame; None in place of what cannot be decoded, and nothing after an end in the middle of it."""
        import av

        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError as error:
                self.problems.append(f"the video ends in the middle of a frame: {error.strerror}")
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except av.FFmpegError:
                yield None

    def _time(self, frame: Any, index: int) -> float:
        if self.rate is not None:
            return index / self.rate
        if frame.time is None:
            raise InputError(f"{self.path}: frame {index} has no time; give a rate in images a second")
        return float(frame.time)


def open_video(path: Path, rate: float | None = None) -> Video:
    """The first video stream of a file; `rate` (frames a second) replaces its times, for streams that have none.

    InputError if PyAV cannot open it or it has no video, and without PyAV.
    """
    av = require("av", "video", path)
    lost = "; one that was cut short has lost its index, which stands at its end"
    hint = lost if path.suffix.lower() in INDEX_AT_END else ""
    try:
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path}: holds no video stream{hint}")
            frames = container.streams.video[0].frames if "mp4" in container.format.name else 0
            return Video(path, frames or None, rate)
    except (OSError, av.FFmpegError) as error:
        raise InputError(f"{path}: cannot be opened as a video: {error.strerror or error}{hint}") from None


def _pixels(frame: "av.VideoFrame") -> NDArray[np.uint8]:
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


def _end(container: "av.container.InputContainer") -> float:
    """Seconds at which the file ends, as its head says; -inf: it does not say."""
    if container.duration is None:
        return -math.inf
    return ((container.start_time or 0) + container.duration) / MICROSECONDS
