"""What the derivative pass returns: plain arrays, their meaning, and the Jacobians made of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap, triangle_vertices
from glrender.render.jacobians import jacobian
from glrender.render.layouts import COLORS

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Float32 = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class PoseDerivatives:
    """Derivatives with respect to the twist (v [m], omega [rad]) of the camera, see `DerivativeBuffers`."""

    depth_wrt_pose: Float32
    """(height, width, 6)."""
    image_wrt_pose: Float32
    """(height, width, C, 6); C = 0 for a map without colours."""


@dataclass(frozen=True, eq=False)
class DerivativeBuffers(ABC):
    """Image, depth and their per-pixel derivatives, as float32 arrays with row 0 on top.

    Where nothing is visible: depth 0, triangle id -1, image and every derivative 0. The derivatives are
    exact inside a triangle; at occlusion boundaries (`edges`) the image itself is not continuous.
    """

    surface: HeightMap
    """The map that was rendered."""
    camera: Camera
    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""
    attachments: dict[str, NDArray[Any]]
    """The pass's raw attachments by name; `glrender.render.layouts` says what each channel holds."""
    edges: NDArray[np.bool_] | None
    """(height, width): pixels at occlusion boundaries and beside pixels that see nothing; None if not asked for."""
    pose: PoseDerivatives | None
    """Derivatives with respect to the camera pose; None if not asked for."""

    @property
    def channels(self) -> int:
        """Colour channels with derivatives: 3, 1, or 0 for a map without colours."""
        return self.surface.color_channels

    @cached_property
    def image(self) -> Float32:
        """(height, width, 3 or 1) linear colour."""
        return np.ascontiguousarray(self.attachments["image"][..., : self.surface.channels])

    @cached_property
    def depth(self) -> Float32:
        """(height, width) camera z in metres, 0 where nothing is visible."""
        return np.ascontiguousarray(self.attachments["image"][..., 3])

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(height, width): whether the pixel sees the map."""
        return self.triangle_ids >= 0

    @property
    @abstractmethod
    def triangle_ids(self) -> NDArray[np.int32]:
        """(height, width) triangle seen, -1 for nothing: two a quad, row by row."""

    @property
    @abstractmethod
    def vertex_ids(self) -> NDArray[np.int32]:
        """(height, width, 3) vertices of the triangle seen, as indices into `surface.vertices()`, or -1."""

    @property
    @abstractmethod
    def barycentric(self) -> Float32:
        """(height, width, 3) weights of the three vertices at the point seen."""

    @property
    @abstractmethod
    def normal(self) -> Float32:
        """(height, width, 3) unit normal of the triangle seen, camera axes."""

    @property
    @abstractmethod
    def depth_wrt_height(self) -> Float32:
        """(height, width, 3): d depth / d height of the three vertices, m/m."""

    @property
    @abstractmethod
    def image_wrt_height(self) -> Float32:
        """(height, width, C, 3): d colour / d height of the three vertices, 1/m."""

    def jacobian(self, of: str, wrt: str) -> csr_array | NDArray[np.float64]:
        """The derivative of every pixel of `of` ("depth" or "image") with respect to `wrt`.

        - "height": csr_array (pixels [· C], rows·cols), columns in the order of `heights.ravel()`;
        - "color" (of "image"): csr_array (pixels·C, rows·cols·C), columns in the order of `colors.ravel()`;
        - "pose": dense (pixels [· C], 6), the twist (v, omega) in the camera frame: points move by
          v + omega x X, T_camera_world <- exp(twist) T_camera_world.

        Rows are in the order of `depth.ravel()` or `image.ravel()`; float64. Raises UsageError for an
        unknown name, for what does not exist (depth by colour, any image derivative of a map without
        colours), and for "pose" where the pass was told to leave it out.
        """
        return jacobian(self, of, wrt)


class CompactBuffers(DerivativeBuffers):
    """Buffers of the compact layout, which holds the derivatives in factors: they are multiplied when asked for."""

    @property
    def geometry(self) -> Float32:
        """(height, width, 3): barycentrics b1, b2 and d depth/d height before b_k."""
        return self.attachments["geometry"].view(np.float32)[..., :3]

    @property
    def triangle_numbers(self) -> NDArray[np.uint32]:
        """(height, width) triangle id + 1, 0 for nothing, as the pass wrote it, for loops over all pixels."""
        return self.attachments["geometry"][..., 3]

    @property
    def depth_factor(self) -> Float32:
        """(height, width) m_u: d depth / d height of the point seen, m/m; times b_k it is that of vertex k."""
        return self.geometry[..., 2]

    @property
    def image_factor(self) -> Float32:
        """(height, width, C) w_u: d colour / d height of the point seen, 1/m; times b_k it is that of vertex k."""
        if self.channels == 3:
            return self.attachments["image_wrt_height"][..., :3]
        return self.attachments["image"][..., 1 : 1 + self.channels]

    @cached_property
    def triangle_ids(self) -> NDArray[np.int32]:
        return self.triangle_numbers.astype(np.int32) - 1

    @cached_property
    def vertex_ids(self) -> NDArray[np.int32]:
        return triangle_vertices(self.triangle_ids, self.surface.shape[1])

    @cached_property
    def barycentric(self) -> Float32:
        b1, b2 = self.geometry[..., 0], self.geometry[..., 1]
        return np.stack([np.where(self.visible, 1 - b1 - b2, 0), b1, b2], axis=-1, dtype=np.float32)

    @cached_property
    def normal(self) -> Float32:
        seen = self.visible
        drawn = np.zeros(2 * (self.surface.shape[0] - 1) * (self.surface.shape[1] - 1), bool)
        drawn[self.triangle_ids[seen]] = True
        ids = np.flatnonzero(drawn)
        corners = self.surface.vertices()[triangle_vertices(ids, self.surface.shape[1])]
        n = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        R_camera_map = self.T_world_camera[:3, :3].T @ self.surface.pose[:3, :3]
        n = (n / np.linalg.norm(n, axis=1, keepdims=True)) @ R_camera_map.T
        result = np.zeros((*self.camera.shape, 3), np.float32)
        result[seen] = n[np.cumsum(drawn)[self.triangle_ids[seen]] - 1]
        return result

    @cached_property
    def depth_wrt_height(self) -> Float32:
        return self.barycentric * self.depth_factor[..., None]

    @cached_property
    def image_wrt_height(self) -> Float32:
        return self.image_factor[..., None] * self.barycentric[..., None, :]


class FullBuffers(DerivativeBuffers):
    """Buffers of the full layout: every value is an attachment of its own."""

    @cached_property
    def triangle_ids(self) -> NDArray[np.int32]:
        return self.attachments["vertex_ids"][..., 3].astype(np.int32) - 1

    @cached_property
    def vertex_ids(self) -> NDArray[np.int32]:
        ids = self.attachments["vertex_ids"][..., :3].astype(np.int32)
        return np.where(self.visible[..., None], ids, np.int32(-1))

    @cached_property
    def barycentric(self) -> Float32:
        return np.ascontiguousarray(self.attachments["barycentric"][..., :3])

    @cached_property
    def normal(self) -> Float32:
        return np.ascontiguousarray(self.attachments["normal"][..., :3])

    @cached_property
    def depth_wrt_height(self) -> Float32:
        return np.ascontiguousarray(self.attachments["depth_wrt_height"][..., :3])

    @cached_property
    def image_wrt_height(self) -> Float32:
        channels = [self.attachments[f"{color}_wrt_height"][..., :3] for color in COLORS[: self.channels]]
        return np.stack(channels, axis=2) if channels else np.zeros((*self.camera.shape, 0, 3), np.float32)
