"""Fusing frame by frame is least squares over all frames, at a cost that does not depend on how many there were."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest
from flights import Flight, fly, fused, rough_ground
from least_squares import depth_equations, smoothness
from passes import need_compute
from scipy.sparse.linalg import spsolve

from glrender.assembly.on_host import HostNormalEquations
from glrender.errors import GLError
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameLinearizer, MeasuredFrame
from glrender.fusion.noise import DepthNoise
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.recycle import Recycler
from glrender.solve.losses import Squared
from glrender.solve.multigrid import MultigridSolver

LEVEL = HeightMap(np.zeros((17, 21)), 0.05, (-0.5, -0.4), np.full((17, 21, 3), 0.5))

AROUND = 120


def around(camera: Camera) -> np.ndarray:
    """Eight views of the level ground, two of them straight down."""
    eyes = [(0.4 * np.cos(a), 0.4 * np.sin(a), 0.6) for a in np.linspace(0, 5, 6)] + [(0, 0, 1.0), (0.02, -0.01, 1.1)]
    return np.stack([se3.look_at(eye, (0.3 * eye[0], 0.3 * eye[1], 0), (0, 1, 0.01)) for eye in eyes])


@pytest.fixture(scope="module")
def rough(context: Context) -> Flight:
    return fly(context, rough_ground())


@pytest.fixture(scope="module")
def level(context: Context) -> Flight:
    """Level ground and noise of a tenth of a millimetre: every frame is linearised at, in effect, one estimate."""
    return fly(context, LEVEL, path=around, noise=DepthNoise(1e-4, 0.0))


@pytest.fixture(scope="module")
def joint(context: Context, level: Flight) -> HeightMap:
    """All frames of `level` at once, by a sparse direct solver."""
    information, vector = depth_equations(context, level, LEVEL)
    total = (information + smoothness(LEVEL.shape, LEVEL.spacing)).tocsc()
    sigma = np.sqrt(np.diag(np.linalg.inv(total.toarray())))
    return replace(LEVEL, heights=spsolve(total, vector).reshape(LEVEL.shape), sigma=sigma.reshape(LEVEL.shape))


@pytest.fixture(scope="module")
def wide(rough: Flight) -> Flight:
    """The ground of `rough`, 33 x 41 vertices, in the middle of 273 x 281."""
    truth = rough.truth
    x, y = (start - AROUND * truth.spacing for start in truth.origin)
    return replace(rough, truth=replace(truth, heights=np.pad(truth.heights, AROUND), origin=(x, y), colors=None))


def off(found: HeightMap, expected: HeightMap) -> np.ndarray:
    """How many sigmas apart two maps are at the cells that the first has; almost all."""
    known = np.isfinite(found.heights)
    assert known.mean() > 0.98
    return ((found.heights - expected.heights) / expected.sigma)[known]


class TestLeastSquares:
    @pytest.mark.parametrize("window", [0, 5, 20], ids=["at once", "a few held back", "all held back"])
    def test_recursive_is_joint(self, context: Context, level: Flight, joint: HeightMap, window: int) -> None:
        fusion = level.fusion(context, window=window, depth_loss=Squared())
        found = fused(fusion, level)
        fusion.release()
        assert np.abs(off(found, replace(LEVEL, sigma=joint.sigma))).max() > 2, "the noise shows"
        assert np.abs(off(found, joint)).max() < 0.02
        known = np.isfinite(found.heights)
        np.testing.assert_allclose(found.sigma[known], joint.sigma[known], rtol=5e-3)

    def test_the_order_of_the_frames_does_not_matter(self, context: Context, level: Flight, joint: HeightMap) -> None:
        backwards = replace(level, poses=level.poses[::-1], depths=level.depths[::-1])
        assert np.abs(off(fused(level.fusion(context, depth_loss=Squared()), backwards), joint)).max() < 0.02

    def test_a_robust_loss_takes_almost_all_of_it(self, context: Context, level: Flight, joint: HeightMap) -> None:
        found = fused(level.fusion(context), level)
        assert np.sqrt(np.mean(np.square(off(found, joint)))) < 0.3
        assert 1 < np.nanmedian(found.sigma / joint.sigma) < 1.06


class TestMemory:
    def test_it_does_not_grow_with_the_frames(self, context: Context, rough: Flight) -> None:
        fusion = rough.fusion(context)
        sizes, objects = [], []
        for k in range(60):
            n = k % len(rough.poses)
            fusion.integrate(rough.poses[n], depth=rough.depths[n], image=rough.images[n])
            if k in (21, 33, 57):  # from the same pose
                sizes.append(array_bytes(fusion))
                objects.append(context.live_objects)
        assert sizes[0] > 5 * rough.depths[0].nbytes
        assert len(set(sizes)) == 1
        assert len(set(objects)) == 1
        fusion.release()

    def test_a_frame_is_compared_as_often_however_many_there_were(
        self, context: Context, rough: Flight, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fusion = rough.fusion(context, equations="host")
        compared = []
        screened = HostNormalEquations.screened
        monkeypatch.setattr(HostNormalEquations, "screened", lambda *a, **k: (compared.append(0), screened(*a, **k))[1])
        counts = []
        for k in range(30):
            n = k % len(rough.poses)
            fusion.integrate(rough.poses[n], depth=rough.depths[n], image=rough.images[n])
            counts.append(len(compared))
        # Once as it comes and once as it leaves, which may begin before or after the count is taken.
        twice = 2 * np.arange(30)
        assert np.ptp((counts - twice)[10:]) <= 1
        fusion.release()


def array_bytes(fusion: HeightMapFusion) -> int:
    """Bytes of all arrays that can be reached from a fusion, but for the context and what recyclers alone keep."""
    return sum(array.nbytes for array in {id(array): array for array in reachable_arrays(fusion, set())}.values())


def reachable_arrays(thing: object, seen: set[int]) -> Iterator[np.ndarray]:
    if id(thing) in seen or isinstance(thing, Context | Recycler | str | bytes | int | float | type(None)):
        return
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        yield thing if thing.base is None or not isinstance(thing.base, np.ndarray) else thing.base
        return
    parts: list[object] = []
    if isinstance(thing, dict):
        parts += thing.values()
    elif isinstance(thing, list | tuple | set) or type(thing).__name__ == "deque":
        parts += thing  # type: ignore[misc]
    elif type(thing).__module__.startswith("glrender"):
        parts += vars(thing).values()
        if is_dataclass(thing):
            parts += [getattr(thing, field.name) for field in fields(thing)]
    for part in parts:
        yield from reachable_arrays(part, seen)


class TestTheMapSoFar:
    def test_asked_for_twice_it_is_the_same(self, context: Context, rough: Flight) -> None:
        fusion = rough.fusion(context)
        first, second = fused(fusion, rough, color=True), fusion.map()
        for name in ("heights", "sigma", "colors"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        fusion.release()

    def test_asking_changes_nothing_of_what_follows(self, context: Context, rough: Flight) -> None:
        asked, left_alone = rough.fusion(context), rough.fusion(context)
        for k, (pose, depth) in enumerate(zip(rough.poses, rough.depths, strict=True)):
            asked.integrate(pose, depth=depth)
            left_alone.integrate(pose, depth=depth)
            if k in (2, 7):
                asked.map()
        np.testing.assert_array_equal(asked.map().heights, left_alone.map().heights)
        asked.release()
        left_alone.release()

    def test_it_gets_better(self, context: Context, rough: Flight) -> None:
        fusion = rough.fusion(context)
        known, errors = [], []
        for pose, depth in zip(rough.poses, rough.depths, strict=True):
            fusion.integrate(pose, depth=depth)
            found = fusion.map()
            known.append(np.isfinite(found.heights).mean())
            errors.append(np.nanmedian(np.abs(found.heights - rough.truth.heights)))
        assert (np.diff(known) > -0.01).all()
        assert known[-1] > 0.95 > 0.6 > known[0]
        assert errors[-1] < 0.6 * errors[0]
        fusion.release()

    def test_before_any_frame_it_is_empty(self, context: Context, rough: Flight) -> None:
        found = rough.fusion(context).map()
        assert found.shape == rough.truth.shape
        assert np.isnan(found.heights).all()
        assert found.sigma is not None
        assert np.isnan(found.sigma).all()


def test_the_map_frame_does_not_matter(context: Context, rough: Flight) -> None:
    """A fusion in a turned and shifted map frame, far from the world's origin, is the same fusion."""
    T_world_map = se3.exp([0, 0, 0, 0.4, -0.3, 2.0])
    T_world_map[:3, 3] = (448_262.75, 5_411_932.5, 120.0)
    elsewhere = replace(rough, truth=replace(rough.truth, T_world_map=T_world_map), poses=T_world_map @ rough.poses)
    here, there = (fused(flight.fusion(context), flight) for flight in (rough, elsewhere))
    np.testing.assert_array_equal(there.T_world_map, T_world_map)
    both = np.isfinite(here.heights) & np.isfinite(there.heights)
    assert both.mean() > 0.95
    assert np.median(np.abs(here.heights - there.heights)[both] / here.sigma[both]) < 0.02


@pytest.mark.parametrize("where", ["host", "gpu"])
class TestPatches:
    @pytest.fixture(autouse=True)
    def _can_compute(self, context: Context, where: str) -> None:
        if where == "gpu":
            need_compute(context)

    def test_what_is_far_away_makes_no_difference(
        self, context: Context, rough: Flight, wide: Flight, where: str
    ) -> None:
        tight, found = (fused(flight.fusion(context, equations=where), flight, color=True) for flight in (rough, wide))
        assert np.isnan(found.heights).mean() > 0.98
        middle = np.s_[AROUND:-AROUND, AROUND:-AROUND]
        both = np.isfinite(tight.heights) & np.isfinite(found.heights[middle])
        assert both.sum() > 0.99 * np.isfinite(tight.heights).sum()
        both[:2], both[-2:], both[:, :2], both[:, -2:] = False, False, False, False  # what lies beyond counts there
        apart = (found.heights[middle] - tight.heights)[both]
        assert np.sqrt(np.mean(np.square(apart / tight.sigma[both]))) < 0.1
        other = np.abs(found.sigma[middle][both] / tight.sigma[both] - 1)
        assert np.quantile(other, 0.995) < 0.01
        assert other.max() < 0.1  # where a cell is seen by a pixel more or less
        assert np.nanmedian(np.abs(found.colors[middle] - tight.colors)) < 1e-3

    def test_a_frame_costs_what_it_sees(
        self, context: Context, wide: Flight, monkeypatch: pytest.MonkeyPatch, where: str
    ) -> None:
        sizes, solve = [], MultigridSolver.solve
        monkeypatch.setattr(
            MultigridSolver, "solve", lambda self, system: (sizes.append(system.rhs.size), solve(self, system))[1]
        )
        fusion = wide.fusion(context, equations=where)
        for pose, depth in zip(wide.poses, wide.depths, strict=True):
            fusion.integrate(pose, depth=depth)
        assert len(sizes) == len(wide.poses)
        aside = np.eye(4)
        aside[0, 3] = 1000.0
        for depth in (wide.depths[0], np.zeros_like(wide.depths[0])):
            assert fusion.integrate(aside @ wide.poses[0], depth=depth).measured == 0
        assert len(sizes) == len(wide.poses), "what does not see the map costs nothing"
        fusion.integrate(wide.poses[0], depth=wide.depths[0])
        assert max(sizes) < 0.1 * wide.truth.heights.size
        fusion.release()


@pytest.mark.parametrize("where", ["host", "gpu"])
def test_a_frame_that_cannot_be_relinearised_is_begun_again(
    context: Context, rough: Flight, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The error comes once; on a GPU the frame that meets it is not taken in, as none is that fails by itself."""
    if where == "gpu":
        need_compute(context)
    fusion, whole = rough.fusion(context, equations=where), rough.fusion(context, equations=where)
    compare, leaving = FrameLinearizer._compare, []

    def fail_once(self: FrameLinearizer, surface: HeightMap, frame: MeasuredFrame) -> object:
        if surface.colors is not None:
            leaving.append(frame)
            if len(leaving) == 2:
                raise GLError("GL_OUT_OF_MEMORY")
        return compare(self, surface, frame)

    failed = []
    with monkeypatch.context() as patched:
        patched.setattr(FrameLinearizer, "_compare", fail_once)
        for k, (pose, depth, image) in enumerate(zip(rough.poses, rough.depths, rough.images, strict=True)):
            try:
                fusion.integrate(pose, depth=depth, image=image)
            except GLError:
                failed.append(k)
                if where == "gpu":
                    fusion.integrate(pose, depth=depth, image=image)
        assert len(failed) == 1
        assert len({id(frame) for frame in leaving}) == len(leaving) - 1, "one of them twice"
    for pose, depth, image in zip(rough.poses, rough.depths, rough.images, strict=True):
        whole.integrate(pose, depth=depth, image=image)
    found, expected = fusion.map(), whole.map()
    both = np.isfinite(found.heights) & np.isfinite(expected.heights)
    assert both.sum() > 0.99 * np.isfinite(expected.heights).sum()
    assert np.median(np.abs(found.heights - expected.heights)[both] / expected.sigma[both]) < 0.1
    np.testing.assert_allclose(np.median(found.sigma[both] / expected.sigma[both]), 1, atol=0.01)
    fusion.release()
    whole.release()
