"""One frame's measurements on the GPU, uploaded once, however often the frame is linearised."""

import moderngl
import numpy as np
from numpy.typing import NDArray

from glrender.assembly.residuals import Measurements
from glrender.checks import check_array, check_positive
from glrender.errors import GLError, InputError, LimitError, UsageError
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

NOTHING = np.full((1, 1, 1), np.nan, np.float32)
"""One texel that stands for a whole frame without measurements."""


class GpuMeasurements:
    """Measurements of a frame as textures of their bits, colours as a buffer of them; owned by `context`.

    Raises InputError for arrays of another shape than the camera's, UsageError if there is neither depth nor image,
    LimitError if the GPU's memory does not hold it.
    """

    def __init__(self, context: Context, camera: Camera, measurements: Measurements) -> None:
        if measurements.depth is None and measurements.image is None:
            raise UsageError("measurements: received neither depth nor an image; give at least one")
        self.context = context
        self.camera = camera
        self.has_depth = measurements.depth is not None
        self.color_sigma = check_positive("color_sigma", measurements.color_sigma)
        fields, color = _fields(measurements, camera.shape), _color(measurements, camera.shape)
        self.channels = 0 if measurements.image is None else color.shape[2]
        self._textures: dict[str, moderngl.Texture] = {}
        self._buffers: dict[str, moderngl.Buffer] = {}
        try:
            for name, field in fields.items():
                self._textures[name] = context.own(_texture(context.mgl, field))
            self._buffers["MeasuredColor"] = context.own(context.mgl.buffer(color))
            context.check("making its textures")
        except (GLError, moderngl.Error) as error:
            self.release()
            raise LimitError(
                f"measurements: {camera.width} x {camera.height} pixels do not fit into the memory of "
                f"{context.renderer} ({error})"
            ) from None

    @property
    def textures(self) -> dict[str, moderngl.Texture]:
        """Textures, by the names that shaders/include/measured.glsl has for them."""
        if not self._textures:
            raise GLError("these measurements were released; upload them again")
        return self._textures

    @property
    def buffers(self) -> dict[str, moderngl.Buffer]:
        """Buffers, by the names that shaders/include/measured.glsl has for them; empty once released."""
        return self._buffers

    def release(self) -> None:
        """Release what was uploaded; may be called twice."""
        self.context.release(*self._textures.values(), *self._buffers.values())
        self._textures, self._buffers = {}, {}


def _fields(measurements: Measurements, shape: tuple[int, int]) -> dict[str, NDArray[np.uint8 | np.uint32]]:
    """(h, w, channels) of each texture; (1, 1, 1) where one value counts for all pixels."""
    depth = NOTHING
    if measurements.depth is not None:
        depth = check_array("depth", measurements.depth, shape, np.float32)[..., None]
    mask = np.ones((1, 1), bool)
    if measurements.mask is not None:
        mask = check_array("mask", measurements.mask, shape, np.bool_)
    return {
        "measured_depth": depth.view(np.uint32),
        "measured_sigma": np.atleast_2d(measurements.sigma_for(shape))[..., None].view(np.uint32),
        "measured_mask": mask[..., None].view(np.uint8),
    }


def _color(measurements: Measurements, shape: tuple[int, int]) -> NDArray[np.uint32]:
    """(h, w, channels); (1, 1, 1) without an image."""
    if measurements.image is None:
        return NOTHING.view(np.uint32)
    image = check_array("image", measurements.image, (*shape, None), np.float32)
    if image.shape[2] not in (1, 3):
        raise InputError(f"image: received {image.shape[2]} channels, expected 1 (grey) or 3")
    return image.view(np.uint32)


def _texture(mgl: moderngl.Context, field: NDArray[np.uint8 | np.uint32]) -> moderngl.Texture:
    height, width, channels = field.shape
    texture = mgl.texture((width, height), channels, field, alignment=1, dtype=f"u{field.itemsize}")
    texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
    return texture
