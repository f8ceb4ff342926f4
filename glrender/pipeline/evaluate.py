"""How good a height map is: against the truth, or against depth images that were held out of it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from glrender.advance import Advance, silently
from glrender.errors import InputError
from glrender.fusion.noise import DepthNoise
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap, triangle_vertices
from glrender.geometry.sampling import sample_heights
from glrender.gl.context import Context
from glrender.io.images import FrameError
from glrender.io.sequence import Sequence, Skipped
from glrender.pipeline.chosen_frames import missing_frames
from glrender.pipeline.error_summary import ErrorSummary, median, summarize
from glrender.render.derivatives import DerivativeRenderer

Float64 = NDArray[np.float64]

MAX_TILT = 1.0
"""Degrees between the vertical axes of map and truth up to which their heights, and sigma, mean the same."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found, and where."""

    summary: ErrorSummary
    completeness: float
    """Share, 0 to 1, of what was judged that the map has a height for."""
    height_errors: Float64
    """(rows, cols) of the map: metres that each cell is too high; NaN where nothing is known of it."""


@dataclass(frozen=True, eq=False)
class FrameEvaluation(Evaluation):
    """An `Evaluation` against frames."""

    frames: int
    """Frames that were judged."""
    pixels: int
    """Pixels that were judged, whether the map has a depth there or not."""
    map_sigma_median_mm: float
    """Median standard deviation of the map's depth alone."""
    sensor_sigma_median_mm: float
    """Median standard deviation of a depth reading alone. Where it is much larger than the map's,
    the share within sigma says little about the map."""
    frame_offset_rms_mm: float
    """RMS over the frames of each one's median error: what a frame's pose, or its sensor, has wrong as a whole."""
    skipped: tuple[Skipped, ...]
    """Frames without a pose, and files that are missing or damaged."""


@dataclass(frozen=True)
class Protocol:
    """Which pixels of which size are judged, and how the sensor and its clock are taken."""

    step: int = 1
    """Every `step`-th pixel in u and in v, from pixel (0, 0) on."""
    depth_range: tuple[float, float] = (0.0, np.inf)
    """Smallest and largest measured depth, metres."""
    region: tuple[float, float, float, float, float, float] | None = None
    """x0, x1, y0, y1, z0, z1 in world metres: measured points outside do not count; None: all count."""
    time_offset: float = 0.0
    """Seconds, added to a frame's time before its pose is looked up."""
    depth_noise: DepthNoise = field(default_factory=DepthNoise)
    """Noise of one depth reading."""


@dataclass(frozen=True, eq=False)
class TruthEvaluation(Evaluation):
    """An `Evaluation` against the true map."""

    removed_offset_mm: float
    """What was taken off all errors: their median, or 0."""


def evaluate_against_truth(estimate: HeightMap, truth: HeightMap, *, remove_offset: bool = False) -> TruthEvaluation:
    """Errors are the map's height less the truth's, at every vertex of the map that has a height.

    With `remove_offset` less their median as well: where the camera's height is known less well than the ground's form.

    The truth is the surface of its triangles, so its grid may be another one, and shifted or turned about the
    vertical. Its own sigma is not used: it is the truth. Completeness is the share of the truth's known
    vertices that the map's surface covers. InputError if the map has no height, if the two do not overlap, or
    if their vertical axes differ by more than a degree, since sigma is that of the map's own vertical.
    """
    _check_has_heights(estimate, "map")
    _check_has_heights(truth, "truth")
    T_truth_map = se3.inverse(truth.pose) @ estimate.pose
    tilt = np.degrees(np.arctan2(np.hypot(*T_truth_map[:2, 2]), T_truth_map[2, 2]))
    if tilt > MAX_TILT:
        raise InputError(
            f"the vertical axes of map and truth differ by {tilt:.2f} degrees, expected at most {MAX_TILT:g}; "
            "place the map so that its z is the truth's (T_world_map)"
        )
    points = _transformed(T_truth_map, estimate.vertices())
    error = points[:, 2] - sample_heights(truth, points[:, 0], points[:, 1])
    judged = np.isfinite(error)
    if not judged.any():
        raise InputError(f"map and truth do not overlap: {_extent('map', estimate)}; {_extent('truth', truth)}")
    offset = median(error[judged]) if remove_offset else 0.0
    error -= offset
    sigma = np.full(error.shape, np.nan) if estimate.sigma is None else estimate.sigma.ravel()
    known = truth.vertices()[np.isfinite(truth.heights).ravel()]
    below = _transformed(se3.inverse(T_truth_map), known)
    return TruthEvaluation(
        summary=summarize(error[judged], sigma[judged]),
        completeness=float(np.isfinite(sample_heights(estimate, below[:, 0], below[:, 1])).mean()),
        height_errors=error.reshape(estimate.shape),
        removed_offset_mm=1000 * offset,
    )


def evaluate_against_frames(
    context: Context,
    estimate: HeightMap,
    sequence: Sequence,
    selection: str,
    protocol: Protocol,
    advance: Advance = silently,
) -> FrameEvaluation:
    """Errors are the map's depth less the measured depth, along camera z: positive where the map is too far away.

    `selection` names the frames to judge as `Sequence.select` does; they should be none that the map is made of.
    A pixel is judged if it measured a depth in range whose point, back-projected by the sequence's camera at the
    interpolated pose, lies in the region. Completeness is the share of these pixels at which the map, drawn from the
    same pose, has a depth; errors are of those.

    An error's standard deviation is that of the map's depth and of the reading, added in squares. The map's is
    |dD/dh| sigma_h, with the height's sigma interpolated linearly between the vertices: never less than that of
    the point between them, whatever their correlation, and equal if they err together. Errors of the judged
    frames' poses, and those that a whole frame shares, are in neither: where they matter, fewer errors than
    68 % lie within 1 sigma. A reading's noise is in: where it dominates, these shares judge it rather than the map.

    `advance` is called with (frames done, frames in all). Frames without a pose, or whose file is missing or
    damaged, are skipped and told of. Memory: 50 bytes a judged pixel. InputError if the map has no height, the
    sequence no depth, or no pixel is judged or sees the map; UsageError if `selection` selects nothing.
    """
    _check_has_heights(estimate, "map")
    entries = sequence.select(selection)
    if entries[0].depth_path is None:
        raise InputError(f"{sequence.folder}: no depth.txt; a map is judged against measured depth")
    posed, without_pose = sequence.with_poses(entries, protocol.time_offset)
    skipped = [*missing_frames(sequence, selection), *without_pose]
    judge = _FrameJudge(context, estimate, sequence.camera, protocol)
    try:
        for done, entry in enumerate(posed, start=1):
            try:
                depth = sequence.read_depth(entry)
            except FrameError as error:
                skipped.append(Skipped(entry.index, str(entry.depth_path), str(error)))
            else:
                assert sequence.trajectory is not None
                judge.add(depth, sequence.trajectory.at(entry.time + protocol.time_offset))
            advance(done, len(posed))
    finally:
        judge.release()
    return judge.evaluation(sequence, tuple(skipped))


class _FrameJudge:
    """Collects the errors of one frame after the other."""

    def __init__(self, context: Context, estimate: HeightMap, camera: Camera, protocol: Protocol) -> None:
        self._estimate = estimate
        self._surface = estimate.with_values(estimate.heights)
        sigma = np.full(estimate.shape, np.nan) if estimate.sigma is None else estimate.sigma
        self._sigma = sigma.ravel().astype(np.float32)
        self._protocol = protocol
        camera = camera.every_nth_pixel(protocol.step)
        self._rays = camera.rays()
        self._renderer = DerivativeRenderer(context, camera)
        self._T_map_world = se3.inverse(estimate.pose)
        self._errors: list[NDArray[np.float32]] = []
        self._map_sigma: list[NDArray[np.float32]] = []
        self._sensor_sigma: list[NDArray[np.float32]] = []
        self._height_error_sums = np.zeros(estimate.heights.size)
        self._height_error_counts = np.zeros(estimate.heights.size, np.int64)
        self._measured = self._in_range = self._judged = 0

    def add(self, depth: NDArray[np.float32], T_world_camera: Float64) -> None:
        """Judge the map by one depth image (height, width), 0 where nothing was measured."""
        depth = depth[:: self._protocol.step, :: self._protocol.step]
        nearest, farthest = self._protocol.depth_range
        judged = (depth > 0) & (depth >= nearest) & (depth <= farthest)
        self._measured += int(np.count_nonzero(depth > 0))
        self._in_range += int(np.count_nonzero(judged))
        points = _transformed(T_world_camera, self._rays[judged] * depth[judged, None])
        inside = _inside(self._protocol.region, points)
        judged[judged] = inside
        self._judged += int(np.count_nonzero(inside))

        buffers = self._renderer.render(self._surface, T_world_camera, pose=False, edges=False)
        seen = judged & (buffers.depth > 0)
        measured = depth[seen]
        vertices = triangle_vertices(buffers.triangle_ids[seen], self._surface.shape[1])
        self._errors.append(buffers.depth[seen] - measured)
        self._map_sigma.append(np.abs((buffers.depth_wrt_height[seen] * self._sigma[vertices]).sum(axis=1)))
        self._sensor_sigma.append(self._protocol.depth_noise.sigma(measured))
        self._add_height_errors(_transformed(self._T_map_world, points[inside]))

    def evaluation(self, sequence: Sequence, skipped: tuple[Skipped, ...]) -> FrameEvaluation:
        if not self._errors:
            raise InputError(f"{sequence.folder}: none of the {len(skipped)} frames can be read: {skipped[0].reason}")
        if self._judged == 0:
            raise InputError(
                f"{sequence.folder}: nothing to judge: {self._measured} pixels measured a depth, {self._in_range} of "
                "them in the depth range and none of these in the region; check both (world metres)"
            )
        errors, map_sigma, sensor_sigma = map(np.concatenate, (self._errors, self._map_sigma, self._sensor_sigma))
        if errors.size == 0:
            raise InputError(
                f"none of the {self._judged} judged pixels sees the map; "
                "check that map and sequence share a world frame, and the region"
            )
        with np.errstate(invalid="ignore"):
            height_errors = self._height_error_sums / self._height_error_counts
        return FrameEvaluation(
            summary=summarize(errors, np.hypot(map_sigma, sensor_sigma)),
            completeness=errors.size / self._judged,
            height_errors=height_errors.reshape(self._estimate.shape),
            frames=len(self._errors),
            pixels=self._judged,
            map_sigma_median_mm=1000 * median(map_sigma[np.isfinite(map_sigma)]),
            sensor_sigma_median_mm=1000 * median(sensor_sigma),
            frame_offset_rms_mm=1000 * float(np.sqrt(np.mean([np.median(e) ** 2 for e in self._errors if e.size]))),
            skipped=skipped,
        )

    def release(self) -> None:
        self._renderer.release()

    def _add_height_errors(self, points: Float64) -> None:
        """Book, to the vertex nearest to each point (N, 3) of the map frame, by how much the map is higher."""
        error = sample_heights(self._estimate, points[:, 0], points[:, 1]) - points[:, 2]
        known = np.isfinite(error)
        rows, cols = self._estimate.shape
        column, row = np.rint((points[known, :2] - self._estimate.origin) / self._estimate.spacing).astype(np.int64).T
        vertex = row * cols + column
        self._height_error_sums += np.bincount(vertex, error[known], minlength=rows * cols)
        self._height_error_counts += np.bincount(vertex, minlength=rows * cols)


def _inside(region: tuple[float, ...] | None, points: Float64) -> NDArray[np.bool_]:
    """Which of the points (N, 3) lie in a region x0, x1, y0, y1, z0, z1, its faces included."""
    if region is None:
        return np.ones(len(points), bool)
    low, high = np.array(region[0::2]), np.array(region[1::2])
    return np.all((points >= low) & (points <= high), axis=1)


def _transformed(T: Float64, points: Float64) -> Float64:
    # Not a matrix product: BLAS would start threads, which on a busy machine took 20 ms where this takes 2.
    return np.einsum("nj,ij->ni", points, T[:3, :3]) + T[:3, 3]


def _check_has_heights(surface: HeightMap, name: str) -> None:
    if np.isnan(surface.heights).all():
        raise InputError(f"{name}: every height is NaN, so there is nothing to judge; expected at least one known cell")


def _extent(name: str, surface: HeightMap) -> str:
    x, y = surface.axes()
    corners = np.array([[a, b, 0.0] for a in x[[0, -1]] for b in y[[0, -1]]])
    low, high = (f(_transformed(surface.pose, corners), axis=0) for f in (np.min, np.max))
    return f"the {name} covers x {low[0]:g} to {high[0]:g}, y {low[1]:g} to {high[1]:g} m of the world"
