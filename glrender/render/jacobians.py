"""Sparse Jacobians from derivative buffers: one row a pixel (and channel), three entries a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import UsageError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from glrender.render.buffers import DerivativeBuffers

PARAMETERS = {"depth": ("height", "pose"), "image": ("height", "color", "pose")}
"""The parameters with respect to which each rendered quantity has derivatives."""


def jacobian(buffers: DerivativeBuffers, of: str, wrt: str) -> csr_array | NDArray[np.float64]:
    """See `DerivativeBuffers.jacobian`."""
    check_choice("jacobian of", of, PARAMETERS)
    check_choice(f"jacobian of {of!r} with respect to", wrt, PARAMETERS[of])
    if of == "image" and buffers.channels == 0:
        raise UsageError("jacobian of 'image': a map without colours has no image derivatives; give it colors")
    if wrt == "pose":
        return _wrt_pose(buffers, of)
    if wrt == "color":
        return _wrt_color(buffers)
    values = buffers.depth_wrt_height[..., None, :] if of == "depth" else buffers.image_wrt_height
    return _rows(values, _columns(buffers)[..., None, :], buffers)


def _wrt_pose(buffers: DerivativeBuffers, of: str) -> NDArray[np.float64]:
    if buffers.pose is None:
        raise UsageError("jacobian with respect to 'pose': it was left out of this pass; render with pose=True")
    values = buffers.pose.depth_wrt_pose if of == "depth" else buffers.pose.image_wrt_pose
    return values.reshape(-1, 6).astype(np.float64)


def _wrt_color(buffers: DerivativeBuffers) -> csr_array:
    channels = buffers.channels
    channel = np.arange(channels)[:, None]
    columns = _columns(buffers)[..., None, :] * channels + channel
    values = np.broadcast_to(buffers.barycentric[..., None, :], (*buffers.camera.shape, channels, 3))
    return _rows(values, columns, buffers, width=channels)


def _columns(buffers: DerivativeBuffers) -> NDArray[np.int64]:
    return buffers.vertex_ids.astype(np.int64)


def _rows(
    values: NDArray[np.float32], columns: NDArray[np.int64], buffers: DerivativeBuffers, width: int = 1
) -> csr_array:
    """(h, w, rows a pixel, 3) entries and their columns; pixels that see nothing get empty rows."""
    from scipy.sparse import csr_array  # a process that makes images alone does without

    per_pixel = values.shape[2]
    seen = buffers.visible
    data = values[seen].astype(np.float64).ravel()
    indices = np.broadcast_to(columns, values.shape)[seen].ravel()
    starts = np.concatenate([[0], np.cumsum(np.repeat(3 * seen.ravel(), per_pixel))])
    rows, cols = buffers.surface.shape
    return csr_array((data, indices, starts), shape=(seen.size * per_pixel, rows * cols * width))
