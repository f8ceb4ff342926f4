"""Open3D: integration of the same frames into truncated signed distances, on all cores.

Its newer grid of voxel blocks and its older scalable volume are both timed. Images are converted beforehand, to what
each takes fastest (for the blocks, 16-bit depth and bytes of colour); voxels are as large as the map's cells, and
distances are kept up to four voxels from the surface. The grid is timed by its own defaults as well, larger blocks and
eight voxels from the surface: that takes longer, and is what a user has who chooses nothing.

The scalable volume of version 0.20.0 integrates nothing, without a word, so each is looked at after a first frame.
"""

from typing import Any

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from glrender.bench.recording import Recording
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.io.color import linear_to_bytes

TRUNCATION, BLOCK = 4, 8
"""Voxels from the surface, and along each side of a block: what takes least."""
DEFAULT_TRUNCATION, DEFAULT_BLOCK = 8, 16
"""The same, as Open3D has them by default."""
BLOCKS = 20_000
"""How many blocks there is room for at first."""
COUNTS = 5000.0
"""Counts of a 16-bit depth image that make a metre."""
FARTHEST = 65535 / COUNTS
"""The depth, metres, from which on there are no more counts."""

Points = NDArray[np.float64]


class Open3dPeer:
    """A recording, ready to be integrated."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.frames = [_Frame(recording, k) for k in range(len(recording.frames))]
        self.volumes: dict[str, _Blocks | _Volume] = {}
        self.unusable: tuple[str, ...] = ()

    def start(self, voxel: float) -> tuple[str, ...]:
        """Make empty volumes with voxels of so many metres; the names of those that integrate anything."""
        self.volumes, unusable = {}, []
        for name, kind in KINDS.items():
            trial = kind(self.recording.camera, voxel)
            trial.integrate(self.frames[0])
            if len(trial.points()):
                self.volumes[name] = kind(self.recording.camera, voxel)
            else:
                unusable.append(name)
        self.unusable = tuple(unusable)
        return tuple(self.volumes)

    def integrate(self, name: str, k: int) -> None:
        """Integrate frame k, counted as `Recording.index` does."""
        self.volumes[name].integrate(self.frames[self.recording.index(k)])

    def points(self, name: str) -> Points:
        """(N, 3) points of the surface so far, metres in the world."""
        return self.volumes[name].points()


class _Frame:
    """A frame as the volumes take it."""

    def __init__(self, recording: Recording, k: int) -> None:
        frame, shape = recording.frames[k], recording.camera.shape
        assert frame.depth is not None
        depth = np.where((frame.depth > 0) & (frame.depth < FARTHEST), frame.depth, 0).astype(np.float32)
        image = np.zeros((*shape, 3), np.float32) if frame.image is None else np.nan_to_num(frame.image)
        color = np.ascontiguousarray(np.broadcast_to(linear_to_bytes(image), (*shape, 3)))
        self.T_camera_world = se3.inverse(frame.T_world_camera)
        self.depth = o3d.t.geometry.Image(o3d.core.Tensor(np.rint(COUNTS * depth).astype(np.uint16)))
        self.color = o3d.t.geometry.Image(o3d.core.Tensor(color))
        self.rgbd = o3d.geometry.RGBDImage.create_from_color_and_depth(
            o3d.geometry.Image(color),
            o3d.geometry.Image(depth),
            depth_scale=1.0,
            depth_trunc=FARTHEST,
            convert_rgb_to_intensity=False,
        )


class _Blocks:
    truncation, block = TRUNCATION, BLOCK

    def __init__(self, camera: Camera, voxel: float) -> None:
        types = (o3d.core.float32, o3d.core.uint16, o3d.core.uint16)
        device = o3d.core.Device("CPU:0")
        self.grid = o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"), types, ((1), (1), (3)), voxel, self.block, BLOCKS, device
        )
        self.intrinsic = o3d.core.Tensor(camera.matrix)

    def integrate(self, frame: _Frame) -> None:
        pose, scale = o3d.core.Tensor(frame.T_camera_world), (COUNTS, FARTHEST, float(self.truncation))
        blocks = self.grid.compute_unique_block_coordinates(frame.depth, self.intrinsic, pose, *scale)
        self.grid.integrate(blocks, frame.depth, frame.color, self.intrinsic, self.intrinsic, pose, *scale)

    def points(self) -> Points:
        cloud = self.grid.extract_point_cloud(weight_threshold=0.5)
        return np.asarray(cloud.point.positions.numpy(), np.float64)


class _BlocksByDefault(_Blocks):
    truncation, block = DEFAULT_TRUNCATION, DEFAULT_BLOCK


class _Volume:
    def __init__(self, camera: Camera, voxel: float) -> None:
        kind: Any = o3d.pipelines.integration.TSDFVolumeColorType.RGB8
        self.volume = o3d.pipelines.integration.ScalableTSDFVolume(voxel, TRUNCATION * voxel, kind)
        size = camera.width, camera.height
        self.intrinsic = o3d.camera.PinholeCameraIntrinsic(*size, camera.fx, camera.fy, camera.cx, camera.cy)

    def integrate(self, frame: _Frame) -> None:
        self.volume.integrate(frame.rgbd, self.intrinsic, frame.T_camera_world)

    def points(self) -> Points:
        return np.asarray(self.volume.extract_point_cloud().points)


KINDS: dict[str, type[_Blocks] | type[_Volume]] = {
    "blocks": _Blocks,
    "blocks by default": _BlocksByDefault,
    "volume": _Volume,
}
