"""The ways in which derivatives are rendered, for tests that hold for each of them."""

import pytest

from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.gl.program import COMPUTE_VERSION
from glrender.render.derivatives import DerivativeRenderer

WAYS = {
    "compact": {"layout": "compact", "evaluation": "gpu"},
    "host": {"layout": "compact", "evaluation": "host"},
    "full": {"layout": "full"},
}


def derivative_renderer(context: Context, camera: Camera, way: str = "host", **options: float) -> DerivativeRenderer:
    """A renderer of one of the WAYS."""
    return DerivativeRenderer(context, camera, **WAYS[way], **options)


def need_compute(context: Context) -> None:
    """Skip what an older OpenGL cannot do."""
    if context.version_code < COMPUTE_VERSION:
        pytest.skip(f"compute shaders need OpenGL 4.3, and this is OpenGL {context.version}")
