"""What a frame measured against what was rendered: residuals and their robust weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.robust import loss_parameters, weigh_color, weigh_depth
from glrender.checks import LINEAR, METRES, check_array, check_floats, check_positive
from glrender.errors import InputError, UsageError
from glrender.recycle import Recycler
from glrender.render.buffers import DerivativeBuffers
from glrender.solve.losses import Loss, Squared

Float32 = NDArray[np.float32]

_recycler = Recycler(alike=8)


@dataclass(frozen=True, eq=False)
class Measurements:
    """One frame as a sensor saw it, with the standard deviation of its noise."""

    depth: Float32 | None = None
    """(height, width) camera z in metres; 0 or not finite: no measurement."""
    depth_sigma: float | Float32 = 1.0
    """Standard deviation of the depth, metres: one number or (height, width)."""
    image: Float32 | None = None
    """(height, width, C) linear colour; not finite: no measurement."""
    color_sigma: float = 1.0
    """Standard deviation of each colour channel."""
    mask: NDArray[np.bool_] | None = None
    """(height, width): which pixels may be used; None: all."""

    def __post_init__(self) -> None:
        check_floats("depth", self.depth, METRES)
        check_floats("image", self.image, LINEAR)

    def sigma_for(self, shape: tuple[int, int]) -> Float32:
        """`depth_sigma` of images of this shape (height, width), as an array of it or of (); InputError for another."""
        sigma = np.asarray(self.depth_sigma, np.float32, order="C")
        if sigma.shape not in ((), shape):
            raise InputError(f"depth_sigma: received shape {sigma.shape}, expected a number or {shape}")
        return sigma


def check_sigmas(wrong: int) -> None:
    """InputError if there are pixels, `wrong` of them, that were measured with a sigma of 0, below 0 or NaN."""
    if wrong:
        raise InputError(
            f"depth_sigma: {wrong} measured pixels have a value that is not greater than 0; give them one, or mask them"
        )


@dataclass(frozen=True, eq=False)
class Residuals:
    """Measured minus predicted per pixel, and the weight rho'(r)/r / sigma² of each; 0 where there is none."""

    depth: Float32
    """(height, width) metres."""
    depth_weight: Float32
    """(height, width) 1/m²."""
    color: Float32
    """(height, width, C); C = 0 if the frame has no image or the map no colours."""
    color_weight: Float32
    """(height, width): one weight for all channels of a pixel, from the length of its colour residual."""
    cost: float
    """Sum of rho over the pixels used."""
    count: int
    """Measurements used: depths, and colours of pixels (all channels together count as one)."""


def weigh(
    buffers: DerivativeBuffers,
    measurements: Measurements,
    *,
    depth_loss: Loss | None = None,
    color_loss: Loss | None = None,
) -> Residuals:
    """Residuals of a frame at the rendered estimate; the losses are least squares unless given.

    Pixels that see nothing, have no measurement or are masked out get weight 0. Raises InputError for
    arrays of another shape, UsageError if there is neither a depth nor an image to compare.
    """
    shape = buffers.camera.shape
    if measurements.depth is None and (measurements.image is None or buffers.channels == 0):
        raise UsageError("measurements: received neither depth nor an image of a coloured map; give at least one")
    # Arrays of one kind, also where a number would do: the loops are compiled anew for every other kind.
    mask = np.ones(shape, bool) if measurements.mask is None else measurements.mask
    mask = check_array("mask", mask, shape, np.bool_)
    has_depth, has_color = measurements.depth is not None, measurements.image is not None and buffers.channels > 0
    depth, depth_weight = _room(shape, has_depth), _room(shape, has_depth)
    color, color_weight = _room((*shape, buffers.channels if has_color else 0), has_color), _room(shape, has_color)
    rendered = buffers.attachments["image"]
    cost, count = 0.0, 0
    if measurements.depth is not None:
        measured = check_array("depth", measurements.depth, shape, np.float32)
        sigma = np.array(np.broadcast_to(measurements.sigma_for(shape), shape))
        kind, k = loss_parameters(depth_loss or Squared())
        cost, count, wrong = weigh_depth(rendered, measured, sigma, mask, kind, k, depth, depth_weight)
        check_sigmas(wrong)
    if measurements.image is not None and buffers.channels:
        measured = check_array("image", measurements.image, (*shape, buffers.channels), np.float32)
        color_sigma = check_positive("color_sigma", measurements.color_sigma)
        kind, k = loss_parameters(color_loss or Squared())
        color_cost, used = weigh_color(rendered, measured, color_sigma, mask, kind, k, color, color_weight)
        cost, count = cost + color_cost, count + used
    return Residuals(depth, depth_weight, color, color_weight, float(cost), int(count))


def _room(shape: tuple[int, ...], filled: bool) -> Float32:
    """An array that is about to be filled, or zeros."""
    return _recycler.empty(shape, np.float32) if filled else np.zeros(shape, np.float32)
