"""The normal equations of a frame made on the host in one pass, without rendering an image of the map.

The same as `glrender.assembly.on_gpu.GpuNormalEquations.screened`: from those pixels only that see no occlusion edge
and no grazing view, with the loss of depths widened by the frame's own scatter. Between the triangle that each pixel
sees and the sums over the map nothing of the image's size is written.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from glrender.assembly.absolute import AbsoluteEquations, ColorEquations
from glrender.assembly.residuals import Measurements, check_sigmas
from glrender.assembly.robust import loss_parameters
from glrender.assembly.statistics import SIGMA_PER_MEDIAN, FrameStatistics, median_of
from glrender.assembly.stencil import shares
from glrender.assembly.sweep import Screen, sweep
from glrender.assembly.usable import LEAST_DEPTH_SLOPE
from glrender.checks import check_array, check_pose, check_positive
from glrender.errors import UsageError
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.parallel import run_parts
from glrender.recycle import Recycler
from glrender.render.forward import NEAR
from glrender.render.layouts import JUMP
from glrender.render.ray import Eye, eye_over, hit, to_grid, triangle_of
from glrender.render.scan import ScanConverter
from glrender.render.surface import HostSurface
from glrender.solve.losses import Loss, Squared
from glrender.solve.stencil import BlockStencil
from glrender.solve.systems import NormalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt32 = NDArray[np.uint32]

_EVERY = 4  # row and column that medians look at: 19,200 of 640 x 480 pixels, so they are off by a hundredth of sigma


class HostNormalEquations:
    """Makes normal equations from frames of one camera, in memory that it uses again."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._scanner = ScanConverter()
        self._recycler = Recycler(alike=12)

    def screened(
        self,
        surface: HeightMap,
        T_world_camera: ArrayLike,
        frame: Measurements,
        *,
        max_depth_slope: float,
        depth_loss: Loss | None = None,
        color_loss: Loss | None = None,
    ) -> tuple[AbsoluteEquations, FrameStatistics]:
        """The equations of a frame at `surface` from a pose (4, 4), camera to world, and what its depths are like.

        Colours are estimated beside the heights without telling them anything. Occlusion edges are left out, but for
        the map's own outline, pixels whose depth changes by more than `max_depth_slope` metres a metre of height, and
        depths of what is seen from beside (`glrender.assembly.usable.LEAST_DEPTH_SLOPE`). The loss of depths is widened
        by the frame's robust scale. Raises InputError for arrays of another shape than the camera's, an image of other
        channels than the map, or sigmas that are not greater than 0; UsageError where there is nothing to compare.
        """
        rows, cols = surface.shape
        slope = check_positive("max_depth_slope", max_depth_slope)
        depth, sigma, image = self._measured(frame, surface)
        channels = image.shape[2]
        there = HostSurface.of(surface)
        eye = eye_over(surface, self.camera, check_pose("T_world_camera", T_world_camera), there.height_origin)
        triangles, nearness = self._scanner.scan(there.heights, self.camera, eye, NEAR)
        median, median_abs, scale = _scatter(triangles, nearness, there.heights, eye, depth, sigma)
        kind, k = loss_parameters(depth_loss or Squared())
        color_kind, color_k = loss_parameters(color_loss or Squared())
        color_sigma = check_positive("color_sigma", frame.color_sigma)
        screen = Screen(slope, JUMP, kind, k * scale, color_kind, color_k, color_sigma**-2)
        matrix, vector = self._room(rows * cols, 4), self._room(rows * cols, 1)
        color_matrix, color_vector = (self._room(rows * cols if channels else 0, size) for size in (4, channels))
        sums = run_parts(
            sweep,
            shares(triangles, rows, cols),
            *(triangles, nearness, there.heights, there.height_origin, there.texels[..., 1:], eye),
            *(depth, sigma, image, screen, matrix, vector, color_matrix, color_vector, tuple(range(channels))),
        )
        cost, count, measured, trusted, senseless = map(sum, zip(*sums, strict=True))
        check_sigmas(senseless)
        heights = BlockStencil(matrix.reshape(rows, cols, 4, 1))
        colors = None
        if channels:
            stencil = BlockStencil(color_matrix.reshape(rows, cols, 4, 1))
            colors = ColorEquations(stencil, color_vector.reshape(rows, cols, channels))
        equations = AbsoluteEquations(
            NormalEquations(heights, vector.reshape(rows, cols, 1), float(cost), int(count)), colors
        )
        return equations, FrameStatistics(int(measured), int(trusted), median, median_abs, scale)

    def _room(self, vertices: int, size: int) -> Float64:
        step = 1 << max(vertices.bit_length() - 4, 0)  # surfaces of nearly the same size have the same room
        return self._recycler.zeros((-(-vertices // step) * step, size), np.float64)[:vertices]

    def _measured(self, frame: Measurements, surface: HeightMap) -> tuple[Float32, Float32, Float32]:
        """Depth and sigma (height, width), and the image (height, width, C); C = 0 where there is nothing to paint."""
        shape, channels = self.camera.shape, surface.color_channels
        if frame.depth is None and (frame.image is None or not channels):
            raise UsageError("measurements: received neither depth nor an image of a coloured map; give at least one")
        depth = np.zeros(shape, np.float32) if frame.depth is None else frame.depth
        depth = check_array("depth", depth, shape, np.float32)
        sigma = frame.sigma_for(shape)
        # Broadcast to its own shape it would become read-only: another type, for which the sweep is compiled anew.
        sigma = sigma if sigma.shape == shape else np.full(shape, sigma)
        image = np.zeros((*shape, 0), np.float32)
        if frame.image is not None and channels:
            image = check_array("image", frame.image, (*shape, channels), np.float32)
        if frame.mask is not None:
            mask = check_array("mask", frame.mask, shape, np.bool_)
            depth, image = np.where(mask, depth, 0), np.where(mask[..., None], image, np.float32(np.nan))
        return depth, sigma, image


def _scatter(
    triangles: UInt32, nearness: Float32, heights: Float32, eye: Eye, depth: Float32, sigma: Float32
) -> tuple[float, float, float]:
    """The medians and the robust scale of `FrameStatistics`."""
    residual, size = np.empty((2, -(-depth.shape[0] // _EVERY) * -(-depth.shape[1] // _EVERY)), np.float32)
    count = _compare(triangles, nearness, heights, eye, depth, sigma, residual, size)
    if not count:
        return np.nan, np.nan, 1.0
    residual, size = residual[:count], size[:count]
    # A frame that disagrees as a whole (its pose is off by a little) is no collection of outliers:
    # without this, the frames that happen to come first would win against all others.
    scale = max(1.0, SIGMA_PER_MEDIAN * median_of(size))
    return median_of(residual), median_of(np.abs(residual)), scale


@njit(cache=True, nogil=True, error_model="numpy")
def _compare(
    triangles: UInt32,
    nearness: Float32,
    heights: Float32,
    eye: Eye,
    depth: Float32,
    sigma: Float32,
    residual: Float32,
    size: Float32,
) -> int:
    """Fill in what the looked-at depths are off, and the size of that over sigma; how many there are."""
    count = 0
    for v in range(0, depth.shape[0], _EVERY):
        for u in range(0, depth.shape[1], _EVERY):
            seen, z, s = nearness[v, u], depth[v, u], sigma[v, u]
            if (
                seen > 0
                and z > 0
                and z < np.inf
                and s < np.inf
                and abs(_depth_slope(heights, triangles[v, u], eye, u, v)) >= LEAST_DEPTH_SLOPE
            ):
                residual[count] = z - 1 / seen
                size[count] = abs(residual[count]) / s
                count += 1
    return count


@njit(cache=True, nogil=True, inline="always")
def _depth_slope(heights: Float32, visible: np.uint32, eye: Eye, u: int, v: int) -> float:
    """By how much the depth of a pixel grows with the height of the triangle, an id + 1, that it sees."""
    x, y, z = to_grid(eye.R_grid_camera, (u - eye.cx) / eye.fx, (v - eye.cy) / eye.fy)
    return hit(triangle_of(heights, visible, eye), eye.spacing, x, y, z).m_u
