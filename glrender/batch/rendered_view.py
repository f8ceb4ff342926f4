"""One view of a scene with several objects: each pixel belongs to the nearest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_choice
from glrender.errors import UsageError
from glrender.geometry.camera import Camera
from glrender.io.color import linear_to_bytes
from glrender.pipeline.scene import Scene
from glrender.render.buffers import DerivativeBuffers
from glrender.render.forward import Rendering
from glrender.render.jacobians import PARAMETERS

if TYPE_CHECKING:
    from scipy import sparse

Part = Rendering | DerivativeBuffers
TWIST = ("vx", "vy", "vz", "wx", "wy", "wz")
CORNERS = ("0", "1", "2")


@dataclass(frozen=True)
class Buffer:
    """Something that every pixel has: how its array is made up, and what its channels are called in files."""

    fill: float
    """What it is where nothing is seen."""
    axes: tuple[tuple[str, ...], ...] = ()
    """The names of its entries along each axis after (height, width); a colour axis is COLOR."""
    derivative: bool = True
    """Whether it takes the derivative pass."""

    def channels(self, name: str, colors: int) -> list[str]:
        """Names of its channels in the order of the array; `colors` is 3 or 1."""
        names = [name]
        for axis in self.axes:
            entries = (("R", "G", "B") if colors == 3 else ("Y",)) if axis is COLOR else axis
            names = [f"{prefix}.{entry}" for prefix in names for entry in entries]
        return names


COLOR = ("color",)

BUFFERS = {
    "image": Buffer(0, (COLOR,), derivative=False),
    "depth": Buffer(0, derivative=False),
    "object_ids": Buffer(-1, derivative=False),
    "triangle_ids": Buffer(-1),
    "vertex_ids": Buffer(-1, (CORNERS,)),
    "barycentric": Buffer(0, (CORNERS,)),
    "normal": Buffer(0, (("X", "Y", "Z"),)),
    "edges": Buffer(0),
    "depth_wrt_height": Buffer(0, (CORNERS,)),
    "image_wrt_height": Buffer(0, (COLOR, CORNERS)),
    "depth_wrt_pose": Buffer(0, (TWIST,)),
    "image_wrt_pose": Buffer(0, (COLOR, TWIST)),
}
"""What a view can hold; `DerivativeBuffers` says what each means. `object_ids` counts the scene's objects from 0."""


@dataclass(frozen=True, eq=False)
class RenderedView:
    """What one camera sees of a scene; buffers are made when they are asked for, by name: view["depth"]."""

    index: int
    """Counted from 0 in the order of the cameras."""
    scene: Scene
    """What was rendered."""
    camera: Camera
    T_world_camera: NDArray[np.float64]
    """(4, 4) camera to world."""
    parts: tuple[Part, ...]
    """Each object by itself, in the order of the scene."""

    def __getitem__(self, name: str) -> NDArray[Any]:
        """A buffer, (height, width, …), of the nearest object at each pixel; UsageError for one that is not there.

        `image` and its derivatives have 3 colour channels if any object has; a grey object's are then alike.
        """
        buffer = BUFFERS[check_choice("buffer", name, BUFFERS)]
        if name == "object_ids":
            return self.object_ids
        self._check_rendered(buffer, name)
        arrays = [self._widened(_array(part, name), buffer) for part in self.parts]
        if name == "edges":
            return self._edges(arrays)
        if len(arrays) == 1:
            return arrays[0]
        result = np.full(arrays[0].shape, buffer.fill, arrays[0].dtype)
        for k, array in enumerate(arrays):
            mine = self.object_ids == k
            result[mine] = array[mine]
        return result

    @cached_property
    def object_ids(self) -> NDArray[np.int32]:
        """(height, width) which object of the scene is seen, counted from 0; -1 for none."""
        depths = np.stack([part.depth for part in self.parts])
        depths[depths == 0] = np.inf
        nearest = depths.argmin(axis=0)
        return np.where(np.isfinite(depths.min(axis=0)), nearest, -1).astype(np.int32)

    @cached_property
    def srgb(self) -> NDArray[np.uint8]:
        """(height, width, 3 or 1) the image as sRGB bytes."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Rendering):
            return self.parts[0].srgb
        return linear_to_bytes(self["image"])

    @property
    def colors(self) -> int:
        """Colour channels of its image: 3 or 1."""
        return max(surface.channels for surface in self.scene.surfaces)

    def jacobian(self, of: str, wrt: str) -> sparse.csr_array | NDArray[np.float64]:
        """As `DerivativeBuffers.jacobian`; with several objects, the columns of each, one after the other."""
        from scipy import sparse

        parts = [part for part in self.parts if isinstance(part, DerivativeBuffers)]
        if not parts:
            raise UsageError("jacobian: this view was rendered without derivatives; ask for a buffer that has them")
        if len(parts) == 1:
            return parts[0].jacobian(of, wrt)
        check_choice("jacobian of", of, PARAMETERS)
        check_choice(f"jacobian of {of!r} with respect to", wrt, PARAMETERS[of])
        if of == "image" and not any(part.channels for part in parts):
            return parts[0].jacobian(of, wrt)  # which says what is wrong
        if wrt == "pose":
            return self[f"{of}_wrt_pose"].reshape(-1, 6).astype(np.float64)
        rows = 1 if of == "depth" else self.colors
        blocks = [self._block(k, part, of, wrt, rows) for k, part in enumerate(parts)]
        return sparse.csr_array(sparse.hstack(blocks, format="csr"))

    def _block(self, k: int, part: DerivativeBuffers, of: str, wrt: str, rows: int) -> sparse.csr_array:
        from scipy import sparse

        pixels, vertices = self.object_ids.size, part.surface.heights.size
        if of == "image" and part.channels == 0:
            return sparse.csr_array((pixels * rows, vertices if wrt == "height" else 0))
        block = sparse.csr_array(part.jacobian(of, wrt))
        if block.shape[0] < pixels * rows:  # a grey object in a coloured image: each channel is its grey
            block = block[np.repeat(np.arange(pixels), rows)]
        mine = np.repeat((self.object_ids == k).ravel(), rows)
        return sparse.csr_array(sparse.diags_array(mine.astype(np.float64)) @ block)

    def _widened(self, array: NDArray[Any], buffer: Buffer) -> NDArray[Any]:
        """`array` with as many colour channels as the view's image."""
        if not buffer.axes or buffer.axes[0] is not COLOR or array.shape[2] == self.colors:
            return array
        shape = (*array.shape[:2], self.colors, *array.shape[3:])
        return np.zeros(shape, array.dtype) if array.shape[2] == 0 else np.broadcast_to(array, shape)

    def _edges(self, arrays: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """An object's own edges where it is seen, and both pixels where one object gives way to another."""
        if len(arrays) == 1:
            return arrays[0]
        owner = self.object_ids
        result = np.zeros(owner.shape, bool)
        for k, array in enumerate(arrays):
            result |= array & (owner == k)
        down, right = owner[1:] != owner[:-1], owner[:, 1:] != owner[:, :-1]
        result[1:] |= down
        result[:-1] |= down
        result[:, 1:] |= right
        result[:, :-1] |= right
        return result & (owner >= 0)

    def _check_rendered(self, buffer: Buffer, name: str) -> None:
        if buffer.derivative and not isinstance(self.parts[0], DerivativeBuffers):
            raise UsageError(f"buffer {name!r}: not among those that were asked for")


def _array(part: Part, name: str) -> NDArray[Any]:
    of_pose: dict[str, Callable[[DerivativeBuffers], Any]] = {
        "depth_wrt_pose": lambda part: part.pose and part.pose.depth_wrt_pose,
        "image_wrt_pose": lambda part: part.pose and part.pose.image_wrt_pose,
    }
    if name in of_pose:
        assert isinstance(part, DerivativeBuffers)
        array = of_pose[name](part)
    else:
        array = getattr(part, name)
    if array is None:
        raise UsageError(f"buffer {name!r}: not among those that were asked for")
    return np.asarray(array)
