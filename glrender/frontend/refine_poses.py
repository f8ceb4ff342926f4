"""Many poses refined together: what each photograph shows must be what the others show of the same surface.

Gauss-Newton over all poses at once. Every pair of overlapping photographs is compared through the depth that the map
has where the first looks, and that depth follows its pose (`glrender.frontend.residuals`), so that a pose which fits
the others but not the surface fits nothing. The poses that were given stay in as a prior: they hold place and scale.
What all of them have wrong alike, seen from the camera, is its place on what carries it, and one more unknown:

    T_camera_world = exp(own error) exp(mount) T_camera_world, given
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.frontend.joint_poses import PoseRefiner, RefinedPoses
from glrender.frontend.pyramid import build_pyramid
from glrender.frontend.reference import Reference
from glrender.frontend.rendered_depth import DepthRenderer
from glrender.frontend.texture import choose_texture
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_LEVELS = 3  # the finest of the pyramid: poses that are off by pixels are off by a fraction of one there
_POINTS = 2000  # of a photograph that stands in about eight pairs

__all__ = ["RefinedPoses", "refine_poses"]


def refine_poses(
    context: Context,
    camera: Camera,
    photographs: Sequence[Float32],
    poses: Float64,
    surface: HeightMap,
    prior_sigma: ArrayLike,
    *,
    finest: int = 0,
    mounted: bool = True,
) -> RefinedPoses:
    """The poses (N, 4, 4), T_world_camera, at which N `photographs` agree with each other about `surface`.

    Photographs are intensities (height, width), see `glrender.geometry.intensity`. The given poses are taken to be off
    by `prior_sigma`, metres and radians, along and about each axis: (2,) for all or (N, 2) for each, beside what they
    have wrong alike where the camera is `mounted` on what the poses are of. `finest` is the last level of the pyramid
    that is looked at. InputError if the numbers of photographs and poses differ.
    """
    given = check_array("poses", poses, (len(photographs), 4, 4), finite=True)
    sigmas = np.broadcast_to(np.asarray(prior_sigma, np.float64), (len(photographs), 2))
    if not (sigmas > 0).all():
        raise InputError(f"prior_sigma: received {sigmas.min():g}, expected metres and radians greater than 0")
    information = np.stack([np.diag(each) for each in np.repeat(1 / np.square(sigmas), 3, axis=1)])
    if len(photographs) < 2:
        raise InputError(f"refine_poses: received {len(photographs)} photographs, expected at least two")
    pyramids = [build_pyramid(camera, photograph) for photograph in photographs]
    textures = [choose_texture(pyramid, _POINTS) for pyramid in pyramids]
    renderer = DepthRenderer(context, camera)
    try:

        def look(at: Float64) -> list[Reference]:
            pairs = zip(textures, at, strict=True)
            return [renderer.reference(texture, surface, pose) for texture, pose in pairs]

        refiner = PoseRefiner(look, pyramids, given, information, mounted)
        coarsest = min(finest + _LEVELS, len(pyramids[0])) - 1
        return refiner.run(range(coarsest, finest - 1, -1))
    finally:
        renderer.release()
