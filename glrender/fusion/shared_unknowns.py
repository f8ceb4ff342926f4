"""What all pixels of a sequence feel: the camera's intrinsics, the trajectory's clock, the sensor's scale.

Where the point X = D r that a pixel with the ray r = ((u - cx)/fx, (v - cy)/fy, 1) sees would come to lie at X + s, the
depth has to change by -m·s to be that of the ground again, m = n / (n·r) with the ground's normal n. So

    D m_x r_x / fx with fx, D m_x / fx with cx        since ∂r/∂fx = -r_x / fx and ∂r/∂cx = -1 / fx;
    m·(v + ω × X) with time                           where the camera's twist moves points by v + ω × X a second;
    D / s with the scale s                            of a sensor that reads s D.

These are a few dense columns beside the heights' sparse ones, which are m_z b_k with m_z along the map's vertical.

The normal is that of smooth ground, interpolated between the vertices, not that of a facet. Where the motion tells
nothing, the heights can undo what a shared unknown does, but only if both are piecewise linear: facets, whose normals
jump, would be taken for landmarks, and so would the noise of the heights, were they not smoothed before.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from glrender.assembly.residuals import Residuals
from glrender.assembly.stencil import normal_equations
from glrender.geometry import se3
from glrender.geometry.camera import INTRINSICS, Camera
from glrender.io.trajectory import Trajectory
from glrender.render.buffers import CompactBuffers
from glrender.solve.systems import NormalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

NAMES = (*INTRINSICS, "time_offset", "depth_scale")
"""The shared unknowns in their order, in pixels, seconds, and depth read over true depth."""


@dataclass(frozen=True, eq=False)
class SharedUnknowns:
    """Values of the shared unknowns."""

    values: Float64
    """(6,) in the order of NAMES."""

    @staticmethod
    def of(camera: Camera, time_offset: float, depth_scale: float = 1.0) -> "SharedUnknowns":
        """`time_offset` seconds are added to a frame's time before its pose is looked up."""
        return SharedUnknowns(np.array([camera.fx, camera.fy, camera.cx, camera.cy, time_offset, depth_scale]))

    @property
    def time_offset(self) -> float:
        """Seconds added to a frame's time before its pose is looked up."""
        return float(self.values[4])

    @property
    def depth_scale(self) -> float:
        """Depth that is read over true depth."""
        return float(self.values[5])

    def camera(self, like: Camera) -> Camera:
        """A camera with images like those of `like` and these intrinsics."""
        fx, fy, cx, cy = map(float, self.values[:4])
        return replace(like, fx=fx, fy=fy, cx=cx, cy=cy)


def intrinsics_covariance(camera: Camera, focal: float, aspect: float, centre: float) -> Float64:
    """(4, 4) pixels²: of fx, fy, cx, cy, whose standard deviations are parts of what they are of.

    `focal` is that of the focal length which fx and fy share, of which 0 holds both; `aspect` that of fx / fy; `centre`
    that of cx and of cy, as a part of the image's width.
    """
    covariance = np.diag(np.full(4, (centre * camera.width) ** 2))
    f = np.array([camera.fx, camera.fy])
    alike, apart = focal**2 - aspect**2 / 4, aspect**2 / 2  # fx = f (1 + a/2), fy = f (1 - a/2)
    covariance[:2, :2] = alike * np.outer(f, f) + apart * np.diag(np.square(f)) if focal else 0
    return covariance


def smooth_slopes(heights: Float64, spacing: float, known: NDArray[np.bool_]) -> Float64:
    """(rows, cols, 2): slopes along x and y of a plane through what is `known` (rows, cols) of `heights` around it.

    The planes are fitted with Gaussian weights of a cell's sigma, over four cells to each side. Level where too little
    is known for a plane.
    """
    across = np.arange(-4.0, 5.0)
    weights = np.exp(-0.5 * np.square(across))
    kernels = [weights * across**power for power in range(3)]

    def moment(values: Float64, x: int, y: int) -> Float64:
        along_x = correlate1d(values, kernels[x], axis=1, mode="constant")
        return np.asarray(correlate1d(along_x, kernels[y], axis=0, mode="constant"))

    terms = ((0, 0), (1, 0), (0, 1))
    there = known.astype(np.float64)
    matrix = np.stack([np.stack([moment(there, a + c, b + d) for c, d in terms], -1) for a, b in terms], -2)
    vector = np.stack([moment(np.where(known, heights, 0), a, b) for a, b in terms], -1)
    matrix[..., (1, 2), (1, 2)] += 1e-3  # of a sum of weights of about 6
    matrix[~known] = np.eye(3)
    return np.asarray(np.where(known[..., None], np.linalg.solve(matrix, vector[..., None])[..., 1:, 0], 0) / spacing)


@dataclass(frozen=True, eq=False)
class BorderedFrame:
    """One frame's normal equations in the heights and the shared unknowns."""

    heights: NormalEquations
    border: Float64
    """(6, rows, cols, 1): JᵀWJ of shared unknowns and heights."""
    corner: Float64
    """(6, 6): JᵀWJ of the shared unknowns."""
    vector: Float64
    """(6,): JᵀWr of the shared unknowns."""


def linearize_frame(
    buffers: CompactBuffers, residuals: Residuals, velocity: Float64, depth_scale: float, slopes: Float64
) -> BorderedFrame:
    """The equations of a frame's depths, with residuals = depth read / `depth_scale` - rendered depth.

    `velocity` (6,) is `camera_velocity` at the frame's pose, and `slopes` are `smooth_slopes` of the surface.
    """
    surface = buffers.surface
    rows, cols = surface.shape
    R_camera_map = buffers.T_world_camera[:3, :3].T @ surface.pose[:3, :3]
    border, corner, vector = np.zeros((len(NAMES), rows * cols)), np.zeros((len(NAMES),) * 2), np.zeros(len(NAMES))
    camera = buffers.camera
    _add_pixels(
        np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        velocity,
        depth_scale,
        buffers.depth,
        np.ascontiguousarray(R_camera_map),
        slopes.reshape(-1, 2),
        buffers.geometry,
        buffers.vertex_ids,
        residuals.depth,
        residuals.depth_weight,
        border,
        corner,
        vector,
    )
    return BorderedFrame(normal_equations(buffers, residuals), border.reshape(-1, rows, cols, 1), corner, vector)


def camera_velocity(trajectory: Trajectory, time: float) -> Float64:
    """(6,): the twist a second by which points move in the camera's frame as it goes along the trajectory.

    T_camera_world(time + dt) = exp(velocity dt) T_camera_world(time). It is the mean over one interval between poses to
    each side: between two poses the interpolated motion is as uneven as these are noisy. `time` is within the
    trajectory.
    """
    reach = float(np.median(np.diff(trajectory.times))) if len(trajectory.times) > 1 else 0.0
    before, after = np.clip([time - reach, time + reach], trajectory.times[0], trajectory.times[-1])
    if after <= before:
        return np.zeros(6)
    return se3.log(se3.inverse(trajectory.at(after)) @ trajectory.at(before)) / (after - before)


@njit(cache=True, nogil=True)
def _add_pixels(
    lens: Float64,
    velocity: Float64,
    depth_scale: float,
    depth: Float32,
    R_camera_map: Float64,
    slopes: Float64,
    geometry: Float32,
    vertex_ids: NDArray[np.int32],
    residual: Float32,
    weight: Float32,
    border: Float64,
    corner: Float64,
    vector: Float64,
) -> None:
    fx, fy, cx, cy = lens
    R = R_camera_map
    J, b, m = np.zeros(len(vector)), np.zeros(3), np.zeros(3)
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            w = np.float64(weight[v, u])
            if w == 0.0:
                continue
            D, m_z = np.float64(depth[v, u]), np.float64(geometry[v, u, 2])
            b[1], b[2] = geometry[v, u, 0], geometry[v, u, 1]
            b[0] = 1 - b[1] - b[2]
            slope_x = slope_y = 0.0
            for k in range(3):
                slope_x += b[k] * slopes[vertex_ids[v, u, k], 0]
                slope_y += b[k] * slopes[vertex_ids[v, u, k], 1]
            for k in range(3):
                m[k] = m_z * (R[k, 2] - slope_x * R[k, 0] - slope_y * R[k, 1])
            x, y = D * (u - cx) / fx, D * (v - cy) / fy
            J[0], J[1], J[2], J[3] = m[0] * x / fx, m[1] * y / fy, m[0] * D / fx, m[1] * D / fy
            J[4] = (
                m[0] * (velocity[0] + velocity[4] * D - velocity[5] * y)
                + m[1] * (velocity[1] + velocity[5] * x - velocity[3] * D)
                + m[2] * (velocity[2] + velocity[3] * y - velocity[4] * x)
            )
            J[5] = (m[0] * x + m[1] * y + m[2] * D) / depth_scale
            for k in range(len(J)):
                pull = w * J[k]
                vector[k] += pull * residual[v, u]
                for other in range(len(J)):
                    corner[k, other] += pull * J[other]
                for corner_of in range(3):
                    border[k, vertex_ids[v, u, corner_of]] += pull * m_z * b[corner_of]
