"""The ways in which derivatives are rendered, for tests that hold for each of them."""

from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.render.derivatives import DerivativeRenderer

WAYS = {
    "compact": {"layout": "compact", "evaluation": "gpu"},
    "host": {"layout": "compact", "evaluation": "host"},
    "full": {"layout": "full"},
}


def derivative_renderer(context: Context, camera: Camera, way: str = "host", **options: float) -> DerivativeRenderer:
    """A renderer of one of the WAYS."""
    return DerivativeRenderer(context, camera, **WAYS[way], **options)
