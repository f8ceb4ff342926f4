"""What errors that whole frames share make of the map: of their poses, of the sensor, of the camera's intrinsics.

Independent noise is in the inverse of the map's information. What displaces all that a frame sees is not, and averages
out over frames only, so that a map of some hundred frames would claim to be ten times better than it is. To first order
such an error is a small displacement d of the ground that the frame sees, smooth over the ground, and the map is
displaced by the frames' mean, weighted as they are weighted in the map. So the covariance C of the map's displacement
follows block by block from that of the frames', and a height with normal (n_x, n_y, 1) has the variance nᵀ C n beside
that of the noise. (These are considered states: Schmidt, *Application of State-Space Methods to Navigation Problems*,
1966. They are not estimated with the map, as that would make the information dense.)
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from glrender.checks import check_array
from glrender.errors import InputError
from glrender.fusion.displacement import Displacement
from glrender.fusion.frame_log import FrameLog, Opinions
from glrender.fusion.frame_motion import FrameMotion, Process
from glrender.fusion.grid import fill_from_nearest
from glrender.fusion.shared_unknowns import intrinsics_covariance
from glrender.geometry.camera import INTRINSICS, Camera
from glrender.geometry.heightmap import HeightMap

Float64 = NDArray[np.float64]

UNKNOWN = "too few frames see enough of the same level ground to be compared"
"""`SharedErrors.source` where nothing is known of them."""

_FOCAL, _ASPECT, _CENTRE = 0.02, 0.003, 0.015  # how far intrinsics that a maker states are usually off


@dataclass(frozen=True)
class PoseSigma:
    """Standard deviations of what a frame has wrong as a whole, independent from frame to frame."""

    translation: float
    """Of the camera's position along each axis, metres."""
    rotation: float
    """Of its orientation about each axis, degrees."""
    depth_offset: float = 0.0
    """Of the error that all depths of a frame share, metres."""

    def __post_init__(self) -> None:
        for name in ("translation", "rotation", "depth_offset"):
            value = check_array(f"pose sigma {name}", getattr(self, name), (), finite=True)
            if value < 0:
                raise InputError(f"pose sigma {name}: received {float(value)!r}, expected a number of at least 0")
            object.__setattr__(self, name, float(value))


@dataclass(frozen=True, eq=False)
class SharedErrors:
    """What frames have wrong as wholes, and what that makes of the map."""

    source: str
    """How the sigmas were found."""
    pose_sigma: PoseSigma | None
    """As given; None: the estimate counts."""
    shift: Process
    """Estimate, metres: along each axis, of what a frame sees."""
    tilt: Process
    """Estimate, radians: about each horizontal axis."""
    misfit_sigma: float
    """Metres: how far the frames still disagree about a block after that; it does not count."""
    intrinsics: Float64 | None
    """(4, 4) pixels²: covariance of fx, fy, cx, cy, where it counts."""
    variance: Float64
    """(rows, cols) m²: what to add to the variance of each height."""
    common: Float64
    """(rows, cols) m²: the part of it that heights have in common with those around them: all of them are displaced."""

    def report(self) -> dict[str, object]:
        """For people and programs: sigmas in metres, radians and pixels."""
        result: dict[str, object] = {
            "source": self.source,
            "pose_sigma": self.pose_sigma,
            "shift": self.shift,
            "tilt": self.tilt,
            "misfit_sigma": self.misfit_sigma,
            "intrinsics_sigma": None,
        }
        if self.intrinsics is not None:
            sigma = np.sqrt(self.intrinsics.diagonal())
            result["intrinsics_sigma"] = dict(zip(INTRINSICS, map(float, sigma), strict=True))
        return result


def shared_errors(
    log: FrameLog,
    surface: HeightMap,
    camera: Camera,
    pose_sigma: PoseSigma | None = None,
    calibrated: Float64 | None = None,
    displacement: Displacement | None = None,
) -> SharedErrors:
    """What the frames in `log`, taken by `camera`, share, and its effect on `surface`, their map with its own sigma.

    Without `pose_sigma` it is estimated. How well the frames know the intrinsics counts where these were `calibrated`
    from them, with a covariance (4, 4) in pixels², 0 for what was held; and where the frames have errors that last, and
    are larger than the noise of the map: these say that the camera is not what it is taken for. Of a calibration's own
    covariance and that which the blocks of the map leave, each of which misses something, the smaller counts. What the
    poses of all frames together displace the map by, about which they cannot disagree, is `displacement`.
    """
    assert surface.sigma is not None
    noise = float(np.nanmedian(surface.sigma))
    opinions = log.opinions()
    surface = replace(surface, heights=fill_from_nearest(surface.heights, np.isfinite(surface.heights)))
    ground = _Ground.of(log, surface, opinions)
    moved = _rigid_motion(opinions, ground)
    # Smooth ground does not show what moves sideways, so that is not asked: it is as large as what moves upwards.
    lifted = ground.lifted(moved)
    motion = FrameMotion.fit(opinions, lifted, _KINDS, asked=(2, 3, 4))
    shift, tilt = motion.kinds
    states = [_tested(motion.kinds[kind], len(opinions.rise)) for kind in _KINDS]
    source = "estimated from how the frames disagree" if motion.trust.any() else UNKNOWN
    if pose_sigma is not None:
        source, moved, states = "given", *_given(opinions, ground, pose_sigma)
        lifted = ground.lifted(moved)
    share = opinions.weight / opinions.weight.sum(axis=0)
    independent, lasting = np.zeros((2, len(ground.middles), 3, 3))
    for s, state in enumerate(states):
        (lasting if state.correlation else independent)[:] += _of_the_map(share, moved[..., s], state)
    if pose_sigma is not None:
        independent *= opinions.alone[:, None, None]  # it is that of single frames
    intrinsics = None
    if calibrated is not None or _lasts_beyond(noise, states, lifted):
        by_pixel = _by_intrinsics(opinions, ground, camera)
        prior = intrinsics_covariance(camera, _FOCAL, _ASPECT, _CENTRE)
        intrinsics = motion.constant_covariance(lifted, states, ground.lifted(by_pixel), prior)
        if calibrated is not None:
            intrinsics = _smaller(intrinsics, calibrated, prior)
        mean = np.einsum("fb,fbxc->bxc", share, by_pixel)
        lasting += np.einsum("bxc,cd,byd->bxy", mean, intrinsics, mean)
    moments = _normal_moments(surface)
    variance = _along_normals(independent, log, opinions, moments) * log.unevenness()
    variance += _along_normals(lasting, log, opinions, moments)
    common = np.zeros_like(variance)
    if displacement is not None:
        common = _along_normals(displacement.at(ground.middles), log, opinions, moments)
    return SharedErrors(source, pose_sigma, shift, tilt, motion.misfit_sigma, intrinsics, variance + common, common)


@dataclass(frozen=True, eq=False)
class _Ground:
    """The blocks that have been seen, in the map frame."""

    middles: Float64
    """(K, 3) metres."""
    normals: Float64
    """(K, 3), their third entry 1: the mean over the block."""

    def lifted(self, moved: Float64) -> Float64:
        """(N, K, S): by how much blocks that are displaced by (N, K, 3, S) seem higher."""
        return np.einsum("fbxs,bx->fbs", moved, self.normals)

    @staticmethod
    def of(log: FrameLog, surface: HeightMap, opinions: Opinions) -> "_Ground":
        vertices = np.empty((*surface.shape, 3))
        vertices[..., 0], vertices[..., 1] = np.meshgrid(*surface.axes())
        vertices[..., 2] = surface.heights
        means = log.block_means(np.concatenate([vertices, _normals(surface)], axis=-1))[opinions.blocks]
        return _Ground(means[:, :3], means[:, 3:])


def _rigid_motion(opinions: Opinions, ground: _Ground) -> Float64:
    """(N, K, 3, 5): displacement, map axes, of what a frame sees for a metre along x, y, z and a tilt along x and y.

    An error of orientation turns the ground about the camera: tilting it, it moves it sideways. What it moves up and
    down is counted from the middle of what is seen, since a tilt that lasts is compared with other heights there.
    """
    weight, middles = opinions.weight, ground.middles
    total = weight.sum(axis=1, keepdims=True)
    middle = np.divide(weight @ middles, total, out=np.zeros((len(weight), 3)), where=total > 0)
    above = opinions.T_map_camera[:, None, 2, 3] - middles[:, 2]
    moved = np.zeros((*weight.shape, 3, 5))
    moved[..., :3, :3] = np.eye(3)
    for axis in (0, 1):
        moved[..., axis, 3 + axis] = above
        moved[..., 2, 3 + axis] = middles[:, axis] - middle[:, None, axis]
    return moved


_KINDS = (0, 0, 0, 1, 1)  # shifts along all three axes have one sigma, and so have both tilts


def _given(opinions: Opinions, ground: _Ground, sigma: PoseSigma) -> tuple[Float64, list[Process]]:
    """(N, K, 3, 7) displacement for a metre of the camera's position, a radian of its orientation, a metre of depth."""
    from_camera = ground.middles - opinions.T_map_camera[:, None, :3, 3]
    depth = np.einsum("fbx,fx->fb", from_camera, opinions.T_map_camera[:, :3, 2])
    moved = np.zeros((*from_camera.shape, 7))
    moved[..., :3, :3] = np.eye(3)
    for axis in range(3):
        moved[..., 3 + axis] = np.cross(np.eye(3)[axis], from_camera)
    moved[..., 6] = np.where(depth[..., None] > 0, from_camera / np.where(depth > 0, depth, 1)[..., None], 0)
    return moved, [
        *[Process(sigma.translation)] * 3,
        *[Process(np.radians(sigma.rotation))] * 3,
        Process(sigma.depth_offset),
    ]


def _tested(process: Process, count: int) -> Process:
    """The same, without a correlation that `count` independent values may well seem to have."""
    return process if process.correlation > 3.5 / np.sqrt(max(count, 1)) else Process(process.sigma)


def _lasts_beyond(noise: float, states: list[Process], lifted: Float64) -> bool:
    """Whether one of the frames' errors that last lifts blocks, by `lifted` (N, K, S) a unit, by more than `noise`."""
    size = np.sqrt(np.mean(np.square(lifted), axis=(0, 1)))
    return any(state.correlation and state.sigma * size[s] > noise for s, state in enumerate(states))


def _of_the_map(share: Float64, moved: Float64, state: Process) -> Float64:
    """(K, 3, 3) m²: covariance of the map's displacement, if frames with the shares (N, K) are `moved` (N, K, 3)."""
    parts = share[..., None] * moved
    along = (state.covariance(len(share)) @ parts.reshape(len(share), -1)).reshape(parts.shape)
    return np.einsum("fbx,fby->bxy", parts, along)


def _by_intrinsics(opinions: Opinions, ground: _Ground, camera: Camera) -> Float64:
    """(N, K, 3, 4): displacement of the points of a block for a pixel more of fx, fy, cx and cy."""
    T = opinions.T_map_camera
    X = np.einsum("fbx,fxy->fby", ground.middles - T[:, None, :3, 3], T[:, :3, :3])
    x, y, z = np.moveaxis(X, -1, 0)
    right, down = (T[:, None, :3, axis] for axis in (0, 1))
    moved = [
        (-x / camera.fx)[..., None] * right,
        (-y / camera.fy)[..., None] * down,
        (-z / camera.fx)[..., None] * right,
        (-z / camera.fy)[..., None] * down,
    ]
    return np.where(opinions.weight[..., None, None] > 0, np.stack(moved, axis=-1), 0)


def _smaller(told: Float64, calibrated: Float64, nominal: Float64) -> Float64:
    """Of two covariances (4, 4) of fx, fy, cx, cy, measured by the nominal one, which is that of what was held."""
    known = np.where(np.diag(np.diag(calibrated) == 0), nominal, calibrated)
    sizes = [np.sum(np.diag(each) / np.diag(nominal)) for each in (told, known)]
    return known if sizes[1] < sizes[0] else told


def _normals(surface: HeightMap) -> Float64:
    """(rows, cols, 3), their third entry 1."""
    down, right = np.gradient(surface.heights, surface.spacing)
    return np.stack([-right, -down, np.ones_like(right)], axis=-1)


def _normal_moments(surface: HeightMap) -> Float64:
    """(rows, cols, 3, 3): mean of n nᵀ over the triangles around each vertex.

    The heights that fit a rough surface which has moved sideways follow it more sharply than the slope at the vertex,
    the mean over its triangles: with that of the squares sigma came out right, with the square of the mean 10 % small.
    """
    rows, cols = surface.shape
    right, down = np.diff(surface.heights, axis=1), np.diff(surface.heights, axis=0)
    sums, count = np.zeros((rows, cols, 3, 3)), np.zeros((rows, cols, 1, 1))
    a, b, c, d = np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, :-1], np.s_[1:, 1:]
    for along, across, corners in ((right[:-1], down[:, :-1], (a, b, c)), (right[1:], down[:, 1:], (b, d, c))):
        normal = np.stack([-along, -across, np.full_like(along, surface.spacing)], axis=-1) / surface.spacing
        for corner in corners:
            sums[corner] += normal[..., :, None] * normal[..., None, :]
            count[corner] += 1
    return sums / count


def _along_normals(covariance: Float64, log: FrameLog, opinions: Opinions, moments: Float64) -> Float64:
    """(rows, cols) m²: nᵀ C n at every vertex, with C (K, 3, 3) interpolated between the middles of the blocks."""
    i, j = ((np.arange(size) - (log.side - 1) / 2) / log.side for size in log.map_shape)
    places = np.meshgrid(i, j, indexing="ij")
    known = np.zeros(log.shape[0] * log.shape[1], bool)
    known[opinions.blocks] = True
    variance = np.zeros(log.map_shape)
    for a in range(3):
        for b in range(3):
            entries = np.zeros(known.size)
            entries[opinions.blocks] = covariance[:, a, b]
            filled = fill_from_nearest(entries.reshape(log.shape), known.reshape(log.shape))
            variance += moments[..., a, b] * map_coordinates(filled, places, order=1, mode="nearest")
    return variance
