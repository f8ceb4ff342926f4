"""Many views of many scenes in one context: passes and surfaces are made once and kept."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.batch.rendered_view import BUFFERS, RenderedView
from glrender.checks import check_choice, check_pose, check_positive
from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.sampling import sample_heights
from glrender.gl.context import Context
from glrender.pipeline.scene import Scene
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import NEAR, ForwardRenderer
from glrender.render.surface import SurfaceStore

SIZES = 8
"""Image sizes whose passes are kept: those used last."""

SURFACES = 64
"""Surfaces that are kept on the GPU: those used last."""

_Key = tuple[bool, int, int]
_Renderer = ForwardRenderer | DerivativeRenderer


class SceneRenderer:
    """Renders scenes of height maps; owned by `context`, which releases it at the latest.

    A surface is uploaded when it is first seen, whatever cameras look at it and however many scenes it is part of.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._surfaces = SurfaceStore(context, SURFACES)
        self._renderers: OrderedDict[_Key, _Renderer] = OrderedDict()

    def render(
        self,
        scene: Scene | HeightMap | Sequence[HeightMap],
        camera: Camera,
        T_world_camera: ArrayLike,
        buffers: Iterable[str] = ("image", "depth"),
        *,
        near: float = NEAR,
        index: int = 0,
    ) -> RenderedView:
        """The view of `scene` from a pose (4, 4), camera to world, with the named BUFFERS in it.

        Image and depth alone take the plain pass; any other buffer takes the derivative pass, which has all of them
        but for those of the pose and the edges. InputError if the pose is not rigid or the camera is not above a
        height map that it is over, LimitError if something is larger than this machine's OpenGL can do.
        """
        names = {check_choice("buffers", name, BUFFERS) for name in buffers}
        T = check_pose("T_world_camera", T_world_camera)
        check_positive("near", near)
        scene = Scene.of(scene)
        for each in scene.objects:
            _check_above(each.name, each.surface, T)
        renderer = self._renderer(any(BUFFERS[name].derivative for name in names), camera, near)
        if isinstance(renderer, ForwardRenderer):
            # Of an image alone, the bytes may be all that is asked for.
            one = renderer.look if names == {"image"} else renderer.render
            return RenderedView(index, scene, camera, T, tuple(one(surface, T) for surface in scene.surfaces))
        pose = any(name.endswith("_wrt_pose") for name in names)
        edges = "edges" in names
        parts = tuple(renderer.render(surface, T, pose=pose, edges=edges) for surface in scene.surfaces)
        return RenderedView(index, scene, camera, T, parts)

    def release(self) -> None:
        """Release everything that was made in the context; may be called twice."""
        for renderer in self._renderers.values():
            renderer.release()
        self._renderers.clear()
        self._surfaces.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _renderer(self, derivatives: bool, camera: Camera, near: float) -> _Renderer:
        key = (derivatives, camera.width, camera.height)
        renderer = self._renderers.pop(key, None)
        if renderer is None:
            if len(self._renderers) >= SIZES:
                self._renderers.popitem(last=False)[1].release()
            kind = DerivativeRenderer if derivatives else ForwardRenderer
            renderer = kind(self.context, camera, surfaces=self._surfaces)
        renderer.camera, renderer.near = camera, near
        self._renderers[key] = renderer
        return renderer


def _check_above(name: str, surface: HeightMap, T_world_camera: NDArray[np.float64]) -> None:
    """InputError if the camera is over the map, but not above it: from below, nothing of its upper side is seen."""
    eye = surface.T_map_world[:3] @ T_world_camera[:, 3]
    if eye[2] > surface.top:  # as nearly always, and told in a tenth of the time
        return
    height = float(sample_heights(surface, eye[0], eye[1]))
    if eye[2] <= height:
        x, y, z = T_world_camera[:3, 3]
        raise InputError(
            f"the camera at ({x:.4g}, {y:.4g}, {z:.4g}) is {height - eye[2]:.3g} m below the surface of {name!r}, "
            "which shows its upper side only; move it up"
        )
