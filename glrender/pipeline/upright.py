"""Which way is up for photographs whose poses do not say: the world of a reconstruction may have any orientation."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.pipeline.ground import ALIKE, ComparedPhotographs, Ground
from glrender.pipeline.misread import READINGS
from glrender.pipeline.placement import LEVEL_DEGREES, frame_on, tilt_of

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

BETTER = 0.1
"""Correlation by which photographs must agree better on a level of another frame than on one of the world's."""
_SURELY = 0.6
"""Correlation on a level that is no accident: by the right poses 0.77 and more, and always more than by others."""
_SPREAD = 0.1  # of the longest extent of where the cameras were: with less across it, they were on a line
_FLAT = 0.5  # of that: with less across both, they were on a plane


@dataclass(frozen=True, eq=False)
class UprightFrame:
    """A map frame, and the ground's level in it."""

    T_world_map: Float64
    """(4, 4)."""
    ground: Ground
    source: str
    """How the frame was found, in words."""


def find_upright(camera: Camera, poses: Sequence[Float64], read: Callable[[int], Float32 | None]) -> UprightFrame:
    """The world's own frame if the photographs agree on a level of it, else another one in which they do.

    The z of that one is across the plane, or the line, on which the cameras were, or against where they look on
    average; its x is along the world's, and its origin on the ground in the middle of them. Arguments and errors are
    those of `glrender.pipeline.ground.find_ground`.
    """
    compared = ComparedPhotographs.of(camera, poses, read)
    try:
        return _upright(compared)
    except InputError as error:
        raise InputError(f"{error}{_otherwise(compared)}") from None


def _otherwise(compared: ComparedPhotographs) -> str:
    """What to add where photographs agree on no level: by which other reading of their poses they do, if by any."""
    likeness: dict[str, float] = {}
    for words, reading in READINGS.items():
        with suppress(InputError):
            likeness[words] = _upright(replace(compared, poses=list(reading(np.stack(compared.poses))))).ground.likeness
    if max(likeness.values(), default=0.0) < _SURELY:
        return ""
    return f"; they agree where the poses are taken for {max(likeness, key=lambda words: likeness[words])}"


def _upright(compared: ComparedPhotographs) -> UprightFrame:
    """`find_upright` of what has been read."""
    poses = compared.poses
    centres = np.array([pose[:3, 3] for pose in poses])
    middle = centres.mean(axis=0)
    refusal, best = None, None
    try:
        best = UprightFrame(np.eye(4), compared.level(np.eye(4)), "the world's, whose z is taken to point up")
    except InputError as error:
        refusal = error
    least = ALIKE if best is None else best.ground.likeness + BETTER
    if best is not None and least > 1:
        return best  # no correlation is as much better
    for normal, words in _normals(centres - middle, np.mean([pose[:3, 2] for pose in poses], axis=0)):
        tilt = tilt_of(normal)
        if tilt <= LEVEL_DEGREES and best is not None:
            continue
        try:
            ground = compared.level(frame_on(normal, middle))
        except InputError:
            continue
        if ground.likeness >= least:
            turned = f"{words}, tilted by {tilt:.1f} degrees against the world's z, by which layers judge"
            T_world_map = frame_on(normal, middle + ground.height * normal)
            best, least = UprightFrame(T_world_map, replace(ground, height=0.0), turned), ground.likeness
    if best is None:
        assert refusal is not None
        raise refusal
    return best


def _normals(centres: Float64, looking: Float64) -> list[tuple[Float64, str]]:
    """Directions (3,) that may point up, the likeliest first, each with how it was found; of cameras at `centres` (n,
    3), about their middle, that look along `looking` (3,) on average."""
    if np.linalg.norm(looking) <= 0.1:  # all around: none is against all
        return []
    extents, axes = np.linalg.svd(centres, full_matrices=False)[1:]
    if len(extents) == 3 and extents[1] > _SPREAD * extents[0]:
        known = axes[2] if extents[2] < _FLAT * extents[1] else None
        words = "across the plane that the camera moved on"
    else:
        known = looking - (looking @ axes[0]) * axes[0]
        words = "across the line that the camera moved on"
    found = [] if known is None else [(known, words)]
    return [
        (-math.copysign(1.0, normal @ looking) * normal / np.linalg.norm(normal), words)
        for normal, words in [*found, (looking, "against where the camera looks on average")]
        if np.linalg.norm(normal) > 1e-6
    ]
