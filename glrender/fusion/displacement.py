"""What the poses of all frames together displace the ground by: no frame disagrees with the others about it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.spatial import KDTree

Float64 = NDArray[np.float64]

_AROUND = 4  # places between which is interpolated


@dataclass(frozen=True, eq=False)
class Displacement:
    """How uncertain it is where the ground lies, place for place, whatever the frames say of its form."""

    places: Float64
    """(K, 3) metres, in the map's frame; at least one."""
    covariances: Float64
    """(K, 3, 3) m², in the map's axes."""

    @staticmethod
    def in_frame(T_world_map: Float64, places: Float64, covariances: Float64) -> "Displacement | None":
        """Of places (K, 3) and covariances (K, 3, 3) in the world's axes; None of no place."""
        if not len(places):
            return None
        R, t = T_world_map[:3, :3], T_world_map[:3, 3]
        return Displacement((places - t) @ R, R.T @ covariances @ R)

    @cached_property
    def _tree(self) -> "KDTree":
        from scipy.spatial import KDTree  # when a map is finished: whoever fuses depth needs none of it

        return KDTree(self.places[:, :2])

    def at(self, points: Float64) -> Float64:
        """(n, 3, 3): at points (n, 3) of the map, of the nearest places, weighted by inverse squared distance."""
        count = min(_AROUND, len(self.places))
        distance, nearest = self._tree.query(points[:, :2], k=np.arange(1, count + 1))
        weight = 1 / np.maximum(np.square(distance), 1e-12)
        weight /= weight.sum(axis=1, keepdims=True)
        return np.einsum("nk,nkij->nij", weight, self.covariances[nearest])
