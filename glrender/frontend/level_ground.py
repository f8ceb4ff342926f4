"""The depth of level ground at the pixels of a photograph, for which nothing is drawn."""

import numpy as np
from numpy.typing import NDArray

from glrender.frontend.reference import Reference, reference_at_depths
from glrender.frontend.texture import Texture

Float64 = NDArray[np.float64]

FARTHEST = 8.0
"""In heights of the camera over the level: ground that is farther away is not known to lie on the level."""


class LevelGround:
    """The plane z = 0 of the world, seen from above."""

    def reference(self, textures: tuple[Texture, ...], T_world_camera: Float64) -> Reference:
        """A photograph of it, taken at a pose (4, 4), as a reference."""
        height, upward = T_world_camera[2, 3], T_world_camera[2, :3]
        depths, slopes = [], []
        for texture in textures:
            descent = -texture.rays @ upward  # metres down a metre of depth
            seen = FARTHEST * descent > np.linalg.norm(texture.rays, axis=1)
            below = np.where(seen, descent, np.inf)
            depths.append(max(height, 0.0) / below)
            slopes.append(-upward / below[:, None])
        return reference_at_depths(textures, depths, T_world_camera, slopes)
