"""The depth of a map at the pixels of a photograph: what makes photographs references."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.pyramid import Level
from glrender.frontend.reference import Reference, reference_at
from glrender.frontend.texture import Texture, choose_texture
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer

Float64 = NDArray[np.float64]

STALE = 2.0
"""Pixels by which a pose may be another than the one at which a reference that is kept was rendered: about as wide are
the facets of a map that is no coarser than its images."""


class DepthRenderer:
    """Makes references of photographs, with the depths of a map and how these change as the camera moves."""

    def __init__(self, context: Context, camera: Camera) -> None:
        self._renderer = DerivativeRenderer(context, camera.without_distortion())
        self._surface: HeightMap | None = None
        self._bare: HeightMap | None = None

    def reference(self, textures: tuple[Texture, ...], surface: HeightMap, T_world_camera: Float64) -> Reference:
        """The photograph as a reference, without the pixels at occlusion edges."""
        if self._bare is None or surface is not self._surface:
            # Colours would be rendered, and how they change with the pose.
            self._surface, self._bare = surface, surface.with_values(surface.heights)
        buffers = self._renderer.render(self._bare, T_world_camera)
        assert buffers.edges is not None
        assert buffers.pose is not None
        depth = np.where(buffers.edges, np.float32(0), buffers.depth)
        slope = buffers.pose.depth_wrt_pose[..., :3]
        return reference_at(textures, depth, T_world_camera, slope)

    def release(self) -> None:
        """Release everything that this made in its context; may be called twice."""
        self._renderer.release()


@dataclass(eq=False)
class _Made:
    textures: tuple[Texture, ...]
    surface: HeightMap | None = None
    rendered: Reference | None = None
    latest: Reference | None = None


class ReferenceStore:
    """The references that photographs make with a map: rendered where it is another, or the pose has moved by more than
    `STALE`; before that their points move on the planes that they lie on."""

    def __init__(self, renderer: DepthRenderer, most_points: int) -> None:
        self._renderer = renderer
        self._most_points = most_points
        self._made: dict[int, _Made] = {}

    def reference(self, pyramid: tuple[Level, ...], surface: HeightMap, T_world_camera: Float64) -> Reference:
        """That of a photograph over `surface` at a pose (4, 4); a pyramid is known by the identity of its finest image,
        and kept until it is forgotten."""
        key = id(pyramid[0].image)
        if key not in self._made:
            self._made[key] = _Made(choose_texture(pyramid, self._most_points))
        made = self._made[key]
        if made.rendered is None or made.surface is not surface or _moved(made.rendered, T_world_camera, pyramid[0]):
            made.surface = surface
            made.rendered = made.latest = self._renderer.reference(made.textures, surface, T_world_camera)
        assert made.latest is not None
        if not np.array_equal(made.latest.T_world_camera, T_world_camera):
            made.latest = made.rendered.seen_from(T_world_camera)
        return made.latest

    def latest(self, pyramid: tuple[Level, ...]) -> Reference | None:
        """What `reference` gave last, perhaps of another map; None if nothing yet."""
        made = self._made.get(id(pyramid[0].image))
        return None if made is None else made.latest

    def forget(self, pyramid: tuple[Level, ...]) -> None:
        """Keep nothing of a photograph any more."""
        self._made.pop(id(pyramid[0].image), None)


def _moved(rendered: Reference, T_world_camera: Float64, level: Level) -> bool:
    """Whether a camera is more than `STALE` away from where a reference was rendered."""
    twist = se3.log(se3.inverse(rendered.T_world_camera) @ T_world_camera)
    step = np.linalg.norm(twist[:3]) / rendered.distance + np.linalg.norm(twist[3:])
    return bool(level.camera.fx * step > STALE)
