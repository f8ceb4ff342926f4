"""What all pixels of a sequence feel: the camera's intrinsics, the trajectory's clock, the sensor's scale.

With the ray r = ((u - cx)/fx, (v - cy)/fy, 1), the normal factor m = n / (n·r) of the triangle that a pixel sees and
X = D r, the depth D changes by

    -D m with r                        and so by D m_x r_x / fx with fx, by D m_x / fx with cx;
    (m, X × m)·ξ with time             where the camera's twist ξ moves points by v + ω × X a second;
    D / s with the scale s             of a sensor that reads s D.

These are a few dense columns beside the heights' sparse ones.
"""

from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from glrender.assembly.residuals import Residuals
from glrender.assembly.stencil import normal_equations
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.trajectory import Trajectory
from glrender.render.buffers import CompactBuffers
from glrender.solve.systems import NormalEquations

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

NAMES = ("fx", "fy", "cx", "cy", "time_offset", "depth_scale")
"""The shared unknowns in their order, in pixels, seconds, and depth read over true depth."""

INTRINSICS = NAMES[:4]


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
        return replace(like, **{name: float(value) for name, value in zip(INTRINSICS, self.values, strict=False)})


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
    buffers: CompactBuffers, residuals: Residuals, velocity: Float64, depth_scale: float
) -> BorderedFrame:
    """The equations of a frame's depths, with residuals = depth read / `depth_scale` - rendered depth.

    `buffers` have the derivatives by pose; `velocity` (6,) is `camera_velocity` at the frame's pose.
    """
    assert buffers.pose is not None
    rows, cols = buffers.surface.shape
    border, corner, vector = np.zeros((len(NAMES), rows * cols)), np.zeros((len(NAMES),) * 2), np.zeros(len(NAMES))
    camera = buffers.camera
    _add_pixels(
        np.array([camera.fx, camera.fy, camera.cx, camera.cy]),
        velocity,
        depth_scale,
        buffers.depth,
        buffers.pose.depth_wrt_pose,
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
    depth_wrt_pose: Float32,
    geometry: Float32,
    vertex_ids: NDArray[np.int32],
    residual: Float32,
    weight: Float32,
    border: Float64,
    corner: Float64,
    vector: Float64,
) -> None:
    fx, fy, cx, cy = lens
    J = np.zeros(len(vector))
    for v in range(depth.shape[0]):
        for u in range(depth.shape[1]):
            w = np.float64(weight[v, u])
            if w == 0.0:
                continue
            D = np.float64(depth[v, u])
            along_x, along_y = D * depth_wrt_pose[v, u, 0] / fx, D * depth_wrt_pose[v, u, 1] / fy
            J[0], J[1], J[2], J[3] = along_x * (u - cx) / fx, along_y * (v - cy) / fy, along_x, along_y
            J[4] = 0.0
            for k in range(6):
                J[4] += depth_wrt_pose[v, u, k] * velocity[k]
            J[5] = D / depth_scale
            b1, b2 = np.float64(geometry[v, u, 0]), np.float64(geometry[v, u, 1])
            wh = w * geometry[v, u, 2]
            for k in range(len(J)):
                vector[k] += w * J[k] * residual[v, u]
                border[k, vertex_ids[v, u, 0]] += wh * (1 - b1 - b2) * J[k]
                border[k, vertex_ids[v, u, 1]] += wh * b1 * J[k]
                border[k, vertex_ids[v, u, 2]] += wh * b2 * J[k]
                for other in range(len(J)):
                    corner[k, other] += w * J[k] * J[other]
