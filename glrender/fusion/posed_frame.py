"""A frame with its pose."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import METRES, check_array, check_floats, check_linear, check_pose
from glrender.errors import UsageError
from glrender.fusion.noise import check_depth_sigma
from glrender.geometry.camera import Camera
from glrender.recycle import Recycler


@dataclass(frozen=True, eq=False)
class PosedFrame:
    """What a camera measured from a known pose."""

    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""
    depth: NDArray[np.float32] | None = None
    """(height, width) camera z in metres; 0 or not finite: no measurement."""
    image: NDArray[np.float32] | None = None
    """(height, width, C) linear colour; not finite: no measurement."""
    depth_sigma: NDArray[np.float32] | None = None
    """(height, width) metres: standard deviation of each depth; None: that of the sensor's noise."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "T_world_camera", check_pose("T_world_camera", self.T_world_camera))
        if self.depth_sigma is not None:
            if self.depth is None:
                raise UsageError("depth_sigma: received one for a frame without depth; give both or neither")
            object.__setattr__(self, "depth_sigma", check_depth_sigma(self.depth_sigma, self.depth))


def copied_frame(
    camera: Camera,
    T_world_camera: ArrayLike,
    image: ArrayLike | None,
    depth: ArrayLike | None,
    depth_sigma: ArrayLike | None,
    recycler: Recycler,
) -> PosedFrame:
    """A frame of `camera` that is held for a while: its arrays, and its pose, may be used again by whoever gave them.

    Without depth it has one that measured nothing. Raises errors as `HeightMapFusion.integrate` says.
    """
    T = check_pose("T_world_camera", T_world_camera)
    if depth is None and image is None:
        raise UsageError("integrate: received neither image nor depth; give at least one")
    if depth is None and depth_sigma is not None:
        raise UsageError("integrate: received depth_sigma without depth; give both or neither")
    check_floats("depth", depth, METRES)
    check_floats("depth_sigma", depth_sigma, METRES)
    if depth is None:
        depth = np.zeros(camera.shape)
    depth = _copied(check_array("depth", depth, camera.shape, np.float32), recycler)
    if depth_sigma is not None:
        depth_sigma = _copied(check_depth_sigma(depth_sigma, depth), recycler)
    if image is not None:
        image = _copied(check_linear("image", image, (*camera.shape, None)), recycler)
    return PosedFrame(T, depth, image, depth_sigma)


def why_nothing(depth: NDArray[np.float32], depth_sigma: NDArray[np.float32] | None, *, seen: bool) -> str:
    """Why a depth image of which no pixel counts says nothing of a map; `seen`: whether any falls on its area."""
    there = (depth > 0) & np.isfinite(depth)
    measured = depth[there]
    if not measured.size:
        return "no depth was measured"
    if depth_sigma is not None and np.isinf(depth_sigma[there]).all():
        return "no depth has a sigma that is finite"
    if seen:
        return (
            "the camera does not see the upper side of what its depths make of the map; is the pose camera to world, "
            "with y down and z forward, and the map's z up?"
        )
    median = np.median(measured[::16].astype(np.float64))
    return (
        f"no depth falls on the map: their median is {median:g} m; check their unit, the pose, and the "
        "map's bounds and T_world_map"
    )


def _copied(array: NDArray[np.float32], recycler: Recycler) -> NDArray[np.float32]:
    copy = recycler.empty(array.shape, np.float32)
    np.copyto(copy, array)
    return copy
