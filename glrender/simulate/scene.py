"""What a simulation records: a textured terrain, a camera, and where it is when."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.simulate.terrain import coarse_colors, refine
from glrender.simulate.texture import ground_texture, image_texture


@dataclass(frozen=True, eq=False)
class Scene:
    """The true surface, camera and trajectory; the map frame is the world."""

    surface: HeightMap
    """What is drawn: the very surface of `truth`, on a finer grid, because its texture is finer."""
    truth: HeightMap
    """The same ground on the grid whose heights are to be estimated, with the mean colour around each vertex."""
    camera: Camera
    times: NDArray[np.float64]
    """(N,) seconds, strictly increasing."""
    poses: NDArray[np.float64]
    """(N, 4, 4) T_world_camera."""

    def deepest(self) -> float:
        """A depth that nothing seen from any pose exceeds, metres: that of the terrain's bounding box."""
        x, y = self.truth.axes()
        ends = (x[[0, -1]], y[[0, -1]], (np.nanmin(self.truth.heights), np.nanmax(self.truth.heights)))
        corners = np.stack(np.meshgrid(*ends, [1.0], indexing="ij"), axis=-1).reshape(-1, 4)
        return max(float((corners @ se3.inverse(pose)[2]).max()) for pose in self.poses)


def with_texture(
    terrain: HeightMap, detail: int, rng: np.random.Generator, image: Path | None = None
) -> tuple[HeightMap, HeightMap]:
    """(surface, truth) of a Scene: `terrain` with a texture `detail` times finer than its grid.

    The texture is `image` stretched over the ground, else the terrain's own colours, else a procedural one.
    """
    surface = refine(terrain, detail)
    if image is not None:
        colors = image_texture(image, surface.shape)
    elif surface.colors is not None:
        colors = surface.colors
    else:
        colors = ground_texture(surface, rng)
    return replace(surface, colors=colors), replace(terrain, colors=coarse_colors(colors, detail))
