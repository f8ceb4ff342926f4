"""pyrender: image and depth by OpenGL in a hidden EGL context, the vertices' colours as they are (FLAT).

What differs from us: it draws with 4 samples a pixel, which it offers no way to turn off, and its depth is that of the
first of them, not of the pixel's centre.
"""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.bench.scene import Scene

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
if not hasattr(np, "infty"):  # pyrender 0.1.45 asks for the name that NumPy 2 has dropped
    np.infty = np.inf  # type: ignore[attr-defined]

import pyrender

NEAR, FAR = 0.1, 10.0
GL_FROM_CV = np.diag([1.0, -1.0, -1.0, 1.0])
"""OpenGL's camera looks along -z, with y up."""

_KEPT: list[Any] = []
"""One that is deleted terminates the EGL display of its device, and with it all contexts there, ours too."""


class PyrenderPeer:
    """The scene in pyrender."""

    def __init__(self, scene: Scene) -> None:
        surface, camera = scene.surface, scene.camera
        assert surface.colors is not None
        triangles = pyrender.Primitive(
            positions=surface.vertices().astype(np.float32),
            color_0=surface.colors.reshape(-1, 3).astype(np.float32),
            indices=surface.triangles.astype(np.uint32),
            mode=pyrender.GLTF.TRIANGLES,
        )
        self._scene = pyrender.Scene(bg_color=(0, 0, 0, 0))
        self._scene.add(pyrender.Mesh([triangles]))
        # Its pixels begin where ours have their centres.
        lens = (camera.fx, camera.fy, camera.cx + 0.5, camera.cy + 0.5)
        eye = pyrender.IntrinsicsCamera(*lens, znear=NEAR, zfar=FAR)
        self._scene.add(eye, pose=scene.T_world_camera @ GL_FROM_CV)
        self._renderer = pyrender.OffscreenRenderer(camera.width, camera.height)
        _KEPT.append(self._renderer)

    def render(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        image_and_depth: Any = self._renderer.render(self._scene, flags=pyrender.RenderFlags.FLAT)
        return image_and_depth
