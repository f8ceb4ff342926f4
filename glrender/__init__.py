"""A differentiable OpenGL renderer: images with their derivatives, and height maps fused from them.

Each public name is imported when it is first asked for, so `import glrender` is quick and touches no OpenGL.

The parts, from the ground up; a file imports only from parts below its own, which tests/test_layers.py sees to:

- `geometry` and `solve`: height maps, cameras, robust least squares; no OpenGL;
- `gl` and `io`: contexts and shaders; files of every kind;
- `render`: image, depth and their derivatives; `assembly`: normal equations of what was rendered and measured;
- `fusion`: many frames become one map; `frontend`: poses and depths from photographs; `simulate`: recordings whose
  truth is known;
- `pipeline`: from a sequence to its outputs;
- `batch`, `viewer`, `bench` and `cli`: how people and programs use all this.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glrender.loop_cache import provide_cache_folder

if TYPE_CHECKING:
    from glrender import errors
    from glrender.batch.render_batch import render_batch
    from glrender.batch.rendered_view import RenderedView
    from glrender.batch.scene_renderer import SceneRenderer
    from glrender.fusion.heightmap import HeightMapFusion
    from glrender.fusion.noise import DepthNoise
    from glrender.fusion.options import FusionOptions
    from glrender.fusion.shared_errors import PoseSigma
    from glrender.geometry.camera import Camera
    from glrender.geometry.heightmap import HeightMap
    from glrender.geometry.terrain_layers import Robot, TerrainLayers, terrain_layers
    from glrender.gl.context import Context
    from glrender.render.buffers import DerivativeBuffers
    from glrender.render.derivatives import DerivativeRenderer
    from glrender.render.forward import ForwardRenderer

    __version__: str

__all__ = [
    "Camera",
    "Context",
    "DepthNoise",
    "DerivativeBuffers",
    "DerivativeRenderer",
    "ForwardRenderer",
    "FusionOptions",
    "HeightMap",
    "HeightMapFusion",
    "PoseSigma",
    "RenderedView",
    "Robot",
    "SceneRenderer",
    "TerrainLayers",
    "errors",
    "render_batch",
    "terrain_layers",
]

_HOMES = {
    "Camera": "glrender.geometry.camera",
    "Context": "glrender.gl.context",
    "DepthNoise": "glrender.fusion.noise",
    "DerivativeBuffers": "glrender.render.buffers",
    "DerivativeRenderer": "glrender.render.derivatives",
    "ForwardRenderer": "glrender.render.forward",
    "FusionOptions": "glrender.fusion.options",
    "HeightMap": "glrender.geometry.heightmap",
    "HeightMapFusion": "glrender.fusion.heightmap",
    "PoseSigma": "glrender.fusion.shared_errors",
    "RenderedView": "glrender.batch.rendered_view",
    "Robot": "glrender.geometry.terrain_layers",
    "SceneRenderer": "glrender.batch.scene_renderer",
    "TerrainLayers": "glrender.geometry.terrain_layers",
    "render_batch": "glrender.batch.render_batch",
    "terrain_layers": "glrender.geometry.terrain_layers",
}


provide_cache_folder()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    elif name == "errors":
        value = import_module("glrender.errors")
    elif name == "__version__":
        from importlib.metadata import version

        value = version("glrender")
    else:
        raise AttributeError(f"module 'glrender' has no attribute {name!r}; it has {', '.join(__all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})
