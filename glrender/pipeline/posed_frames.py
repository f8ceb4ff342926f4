"""The frames of a sequence that many passes go through: in memory where they fit, else read again each time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from glrender.advance import Advance, silently
from glrender.errors import InputError
from glrender.fusion.posed_frame import PosedFrame
from glrender.interrupt import interruptible_after
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence, Skipped

MEMORY = 512 * 2**20
"""Bytes of images that are kept; 100 frames of 640 x 480 with colour and depth."""


@dataclass(frozen=True, eq=False)
class FramesOnDisk:
    """Frames that are read whenever they are walked through."""

    sequence: Sequence
    entries: tuple[FrameEntry, ...]
    time_offset: float
    """Seconds added to a frame's time before its pose is looked up."""

    def __iter__(self) -> Iterator[PosedFrame]:
        return map(self.read, self.entries)

    def read(self, entry: FrameEntry) -> PosedFrame:
        """One frame; FrameError if a file is damaged."""
        assert self.sequence.trajectory is not None
        frame = self.sequence.read(entry)
        return PosedFrame(self.sequence.trajectory.at(entry.time + self.time_offset), frame.depth, frame.image)

    def without_depth(self) -> "FramesOnDisk":
        """The same frames as photographs alone."""
        return replace(self, entries=tuple(replace(entry, depth_path=None) for entry in self.entries))


@dataclass(frozen=True, eq=False)
class LoadedFrames:
    """The frames that can be read."""

    entries: tuple[FrameEntry, ...]
    frames: Iterable[PosedFrame]
    """One for each entry."""
    skipped: tuple[Skipped, ...]
    """Those that cannot."""

    def without_depth(self) -> "LoadedFrames":
        """The same frames as photographs alone."""
        frames = self.frames
        stripped = (
            frames.without_depth() if isinstance(frames, FramesOnDisk) else [replace(f, depth=None) for f in frames]
        )
        return replace(self, frames=stripped)


def load_frames(
    sequence: Sequence,
    entries: tuple[FrameEntry, ...],
    time_offset: float = 0.0,
    *,
    strict: bool = False,
    memory: int = MEMORY,
    advance: Advance = silently,
) -> LoadedFrames:
    """Read all of `entries`, whose poses exist, and keep them if their images take no more than `memory` bytes.

    Damaged frames are skipped; with `strict` they raise their FrameError. InputError if none is left.
    `advance` is called with (frames read, frames in all).
    """
    source = FramesOnDisk(sequence, entries, time_offset)
    layers = sum((entry.depth_path is not None) + 3 * (entry.color_path is not None) for entry in entries)
    keep = 4 * layers * sequence.camera.width * sequence.camera.height <= memory
    used: list[FrameEntry] = []
    kept: list[PosedFrame] = []
    skipped: list[Skipped] = []
    for done, entry in enumerate(entries):
        with interruptible_after():
            try:
                frame = source.read(entry)
            except FrameError as error:
                if strict:
                    raise
                skipped.append(Skipped(entry.index, str(entry.depth_path or entry.color_path), str(error)))
            else:
                used.append(entry)
                if keep:
                    kept.append(frame)
        advance(done + 1, len(entries))
    if not used:
        raise InputError(f"{sequence.folder}: none of the {len(entries)} frames can be read: {skipped[0].reason}")
    return LoadedFrames(tuple(used), kept if keep else replace(source, entries=tuple(used)), tuple(skipped))
