"""Many poses refined together: what each photograph shows must be where the others show it.

Corners of every photograph are looked for in those that overlap with it, and a bundle adjustment finds the poses, and
how far away each corner is, with the poses that were given as a prior. Photographs taken between those whose corners
they are tell next to nothing more of the ground; but what no photograph can tell, where all of it is, and how large, is
known by the mean over all poses that were given. No surface is asked for that poses as rough as those given could not
have made; only the level of the ground, about, to know what to look for where. What comes of it says that better, so
all is done once more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.frontend.bundle_adjustment import Adjusted, BundlePrior, BundleState, adjust
from glrender.frontend.camera_rates import camera_rates
from glrender.frontend.mount import BY_HAND, DECISIVE
from glrender.frontend.planes import inverse_depths_on, plane_through
from glrender.frontend.point_matches import Corners, match
from glrender.geometry.camera import Camera
from glrender.geometry.row_motion import RowMotion
from glrender.parallel import blas_on_one_core

Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RefinedPoses:
    """What came of refining poses."""

    rounds: tuple[Adjusted, ...]
    """The last one's poses are the result."""
    prior_sigma: Float64
    """(N, 2) metres and radians: what the given poses were taken to be off by, in the last round."""
    matched: int
    """How many times a point was found again, in the last round."""
    pairs: int
    """Of photographs that had points in common."""
    alone: tuple[int, ...]
    """Photographs that have no points in common with any other, and stay where they were, but for the mount."""
    rates: Float64
    """(N, 6) twists a second by which T_camera_world goes on; 0 where times are not known."""
    planes: Float64
    """(N, 3) p with p·r = 1/depth on a pixel's ray r: through the corners of those that have any."""
    inverse_depths: tuple[Float64, ...]
    """(n,) 1/m of each photograph's corners."""

    @property
    def poses(self) -> Float64:
        """(N, 4, 4) T_world_camera."""
        return self.rounds[-1].state.poses

    @property
    def mounted(self) -> bool:
        """Whether the camera may sit otherwise on what the poses are of."""
        return self.rounds[-1].mount_evidence is None

    @property
    def asks_for_mount(self) -> bool:
        """Whether it must, though it was not allowed to."""
        evidence = self.rounds[-1].mount_evidence
        return evidence is not None and evidence.gain > DECISIVE

    def over_planes(self, photographs: Sequence[Corners]) -> "RefinedPoses":
        """The same, to go on from with photographs that were read otherwise: their corners lie on the planes."""
        return replace(self, rounds=self.rounds[-1:], inverse_depths=tuple(_over(self.planes, photographs)))

    def row_motions(self, readout: float) -> list[RowMotion]:
        """How each photograph's camera moved, if its rows were exposed one after the other in `readout` seconds."""
        return [RowMotion(readout * rate, plane) for rate, plane in zip(self.rates, self.planes, strict=True)]


def refine_poses(
    camera: Camera,
    photographs: Sequence[Corners],
    poses: Float64,
    planes: Float64,
    prior_sigma: ArrayLike,
    *,
    times: Float64 | None = None,
    mounted: bool = True,
    free: bool = False,
    before: RefinedPoses | None = None,
) -> RefinedPoses:
    """The poses (N, 4, 4), T_world_camera, at which N `photographs` agree about where their points are.

    Photographs of `camera`, in the order in which they were taken, are prepared by `find_corners`, or those that lie
    between by `without_corners`, see `glrender.frontend.point_matches`. `planes` (N, 3) say roughly what each looks at:
    p with p·r = 1/depth on a pixel's ray r in the camera's axes. The given poses are taken to be off by `prior_sigma`,
    metres and radians, along and about each axis: (2,) for all or (N, 2) for each, beside what they have wrong alike
    where the camera is `mounted` on what the poses are of. Of poses that are `free`, tracked from nothing, only errors
    within their frame count: its place, direction and scale are what they have together. With their `times` (N,),
    seconds, a shutter that exposes row by row is not taken for a wrong focal length.

    This is one round: points are looked for where one `before` has found them, and without any over the planes, from
    the given poses, after which another round is due. InputError if the numbers of photographs and poses differ.
    """
    given = check_array("poses", poses, (len(photographs), 4, 4), finite=True)
    planes = check_array("planes", planes, (len(photographs), 3), finite=True).copy()
    sigmas = np.broadcast_to(np.asarray(prior_sigma, np.float64), (len(photographs), 2))
    if not (sigmas > 0).all():
        raise InputError(f"prior_sigma: received {sigmas.min():g}, expected metres and radians greater than 0")
    if len(photographs) < 2:
        raise InputError(f"refine_poses: received {len(photographs)} photographs, expected at least two")
    prior = BundlePrior(
        given,
        np.stack([np.diag(each) for each in np.repeat(1 / np.square(sigmas), 3, axis=1)]),
        np.diag(1 / np.square(np.repeat(BY_HAND, 3))) if mounted else None,
        free,
    )
    camera = camera.without_distortion()
    rounds: tuple[Adjusted, ...] = ()
    refined, mount = given, np.zeros(6)
    depths = _over(planes, photographs)
    if before is not None:
        rounds, planes, depths = before.rounds, before.planes.copy(), list(before.inverse_depths)
        refined, mount = before.poses, before.rounds[-1].state.mount
    # On shared cores the threads of BLAS take five times as long for an anchor's few points.
    with blas_on_one_core():
        matches = match(camera, photographs, refined, depths, planes)
        if not any(each.found.any() for each in matches):
            raise InputError(
                f"refine_poses: none of {len(photographs)} photographs shows a point of another; check poses and camera"
            )
        start = BundleState(refined, mount, tuple(depths[each.anchor] for each in matches))
        adjusted = adjust(camera, matches, prior, start, camera_rates(refined, times))
    for each, w in zip(matches, adjusted.state.inverse_depths, strict=True):
        depths[each.anchor], planes[each.anchor] = w, plane_through(each.rays, w)
    seen = {(m.anchor, j): int(f.sum()) for m in matches for j, f in zip(m.frames, m.found, strict=True)}
    common = [pair for pair, count in seen.items() if count]
    alone = tuple(sorted(set(range(len(given))) - {k for pair in common for k in pair}))
    rates = camera_rates(adjusted.state.poses, times)
    return RefinedPoses(
        (*rounds, adjusted), sigmas, sum(seen.values()), len(common), alone, rates, planes, tuple(depths)
    )


def _over(planes: Float64, photographs: Sequence[Corners]) -> list[Float64]:
    """Inverse depths (n,) of each photograph's corners on its plane."""
    return [inverse_depths_on(plane, each.rays) for each, plane in zip(photographs, planes, strict=True)]
