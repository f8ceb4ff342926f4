"""The references that photographs make, kept while their depths can be."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference
from glrender.frontend.texture import Texture, choose_texture
from glrender.geometry import se3

Float64 = NDArray[np.float64]

STALE = 2.0
"""How far, in pixels of the image, a camera may have moved before the depths of its reference are asked for anew. The
facets of a map that is no coarser than its images are about as wide."""


class DepthSource(Protocol):
    """What knows the depths of photographs: a map (`RenderedDepth`), or `LevelGround`."""

    def reference(self, textures: tuple[Texture, ...], T_world_camera: Float64) -> Reference:
        """A photograph, taken at a pose (4, 4), as a reference."""


@dataclass(eq=False)
class _Made:
    textures: tuple[Texture, ...]
    source: DepthSource | None = None
    first: Reference | None = None
    latest: Reference | None = None


class ReferenceStore:
    """The references of photographs, kept.

    Depths are asked for anew where they are to come from another source, or where the pose has moved by more than
    `STALE`. Until then the points of the reference move on the planes on which they lie.
    """

    def __init__(self, most_points: int) -> None:
        self._most_points = most_points
        self._made: dict[int, _Made] = {}

    def reference(self, pyramid: tuple[Level, ...], source: DepthSource, T_world_camera: Float64) -> Reference:
        """The reference of a photograph at a pose (4, 4), by the depths of `source`. Pyramids are told apart by the
        identity of their finest image; what was made of one is kept until it is forgotten."""
        key = id(pyramid[0].image)
        if key not in self._made:
            self._made[key] = _Made(choose_texture(pyramid, self._most_points))
        made = self._made[key]
        known = made.latest if made.source is source else None
        if known is not None and np.array_equal(known.T_world_camera, T_world_camera):
            return known
        if made.first is None or made.source is not source or _moved(made.first, T_world_camera, pyramid[0]):
            made.source, made.first = source, source.reference(made.textures, T_world_camera)
            made.latest = made.first
        else:
            made.latest = made.first.seen_from(T_world_camera)
        return made.latest

    def latest(self, pyramid: tuple[Level, ...]) -> Reference | None:
        """What `reference` returned last for a photograph, perhaps by another source; None if it never did."""
        made = self._made.get(id(pyramid[0].image))
        return None if made is None else made.latest

    def forget(self, pyramid: tuple[Level, ...]) -> None:
        """Keep nothing of a photograph any more."""
        self._made.pop(id(pyramid[0].image), None)


def _moved(first: Reference, T_world_camera: Float64, level: Level) -> bool:
    """Whether a camera is more than `STALE` away from where a reference was made."""
    twist = se3.log(se3.inverse(first.T_world_camera) @ T_world_camera)
    step = np.linalg.norm(twist[:3]) / first.distance + np.linalg.norm(twist[3:])
    return bool(level.camera.fx * step > STALE)
