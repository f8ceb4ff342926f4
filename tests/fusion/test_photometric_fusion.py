"""Heights from photographs, beside those from depth: what they bring, and what must not disturb them."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from flights import Flight, camera_of, fly, rough_ground
from numpy.typing import NDArray
from passes import need_compute
from photographed import errors, photograph, textured_ground
from scipy.ndimage import gaussian_filter

from glrender.errors import GlrenderError
from glrender.fusion.grid import Grid
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.joint import JointProblem
from glrender.fusion.linearization import FrameReport
from glrender.fusion.options import FusionOptions
from glrender.fusion.photographs import Photograph
from glrender.fusion.photometry import PhotographLinearizer
from glrender.fusion.posed_frame import PosedFrame
from glrender.fusion.weighting import Weighting
from glrender.geometry.heightmap import HeightMap
from glrender.geometry.intensity import intensity
from glrender.gl.context import Context
from glrender.pipeline.descent import Descent
from glrender.render.derivatives import DerivativeRenderer
from glrender.simulate.noise import NoiseModel
from glrender.solve.losses import Cauchy
from glrender.solve.multigrid import MultigridSolver
from glrender.solve.priors import GaussianPrior, SmoothnessPrior

Images = NDArray[np.float32]


@pytest.fixture(scope="module")
def ground() -> tuple[HeightMap, HeightMap]:
    return textured_ground()


@pytest.fixture(scope="module")
def flight(context: Context, ground: tuple[HeightMap, HeightMap]) -> Flight:
    return photograph(context, *ground, path="orbit")


def fused(
    context: Context, flight: Flight, heights_from: str, images: Images | None = None, **options: object
) -> tuple[HeightMap, list[FrameReport]]:
    """The map, and what the frames did; `images` are the flight's own unless given."""
    fusion = flight.fusion(context, heights_from=heights_from, observed_ratio=0.5, **options)
    seen = zip(flight.poses, flight.depths, flight.images if images is None else images, strict=True)
    reports = [fusion.integrate(pose, depth=depth, image=image) for pose, depth, image in seen]
    found = fusion.map()
    fusion.release()
    return found, reports


@pytest.fixture(scope="module")
def by_depth(context: Context, flight: Flight) -> HeightMap:
    return fused(context, flight, "depth")[0]


@pytest.fixture(scope="module")
def both(context: Context, flight: Flight) -> tuple[HeightMap, list[FrameReport]]:
    return fused(context, flight, "both")


@pytest.fixture(scope="module")
def by_both(both: tuple[HeightMap, list[FrameReport]]) -> HeightMap:
    return both[0]


def median(found: HeightMap, flight: Flight) -> float:
    return float(np.median(np.abs(errors(found, flight))))


def covered(found: HeightMap, flight: Flight, sigmas: float) -> float:
    assert found.sigma is not None
    return float(np.mean(np.abs(errors(found, flight)) < sigmas * found.sigma[np.isfinite(found.heights)]))


class TestWhatTheyBring:
    def test_to_depth(self, flight: Flight, by_depth: HeightMap, by_both: HeightMap) -> None:
        assert median(by_both, flight) < 0.5 * median(by_depth, flight)
        assert np.sqrt(np.mean(errors(by_both, flight) ** 2)) < 0.9 * np.sqrt(np.mean(errors(by_depth, flight) ** 2))
        assert np.isfinite(by_both.heights).sum() >= 0.99 * np.isfinite(by_depth.heights).sum()

    def test_alone_once_depth_has_started_them(self, context: Context, flight: Flight, by_depth: HeightMap) -> None:
        found, reports = fused(context, flight, "color")
        assert np.isfinite(found.heights).mean() > 0.8
        assert median(found, flight) < 0.7 * median(by_depth, flight)
        assert covered(found, flight, 1) > 0.6
        assert covered(found, flight, 2) > 0.9
        assert reports[-1].color_share > 0.8

    def test_sigma_stays_calibrated(self, flight: Flight, by_both: HeightMap) -> None:
        assert 0.63 < covered(by_both, flight, 1) < 0.85
        assert 0.92 < covered(by_both, flight, 2) < 0.995

    def test_with_poses_that_are_off_by_a_tenth_of_a_pixel(
        self, context: Context, ground: tuple[HeightMap, HeightMap]
    ) -> None:
        off = photograph(context, *ground, path="orbit", noise=NoiseModel(2.0, 0, 0, 0, 0.0005, 0.03))
        assert median(fused(context, off, "both")[0], off) < 0.8 * median(fused(context, off, "depth")[0], off)

    def test_and_what_the_report_says_of_it(self, both: tuple[HeightMap, list[FrameReport]]) -> None:
        _, reports = both
        told = [report.photographs for report in reports if report.photographs is not None]
        assert 2 <= len(told) <= 4
        for report in told:
            assert report.photographs >= 3
            assert 0.5 * report.compared < report.used < report.compared
            assert report.step in (1, 2, 4, 8)
            assert 0.01 < report.noise < 0.03
        assert told[-1].step == 1
        shares = [report.color_share for report in reports]
        assert shares[0] == 0
        assert 0.5 < shares[-1] < 1
        assert all("photographs" in report.milliseconds for report in reports)

    def test_nothing_unless_asked(self, context: Context, flight: Flight, by_depth: HeightMap) -> None:
        fusion = flight.fusion(context, observed_ratio=0.5)
        assert fusion.options.heights_from == "depth"
        for pose, depth in zip(flight.poses, flight.depths, strict=True):
            report = fusion.integrate(pose, depth=depth)
            assert report.photographs is None
            assert report.color_share == 0
        np.testing.assert_array_equal(fusion.map().heights, by_depth.heights)
        fusion.release()


class TestSilence:
    """What cannot tell heights must not seem to."""

    def test_photographs_from_one_place(self, context: Context, flight: Flight) -> None:
        maps = []
        for heights_from in ("depth", "both"):
            fusion = flight.fusion(context, heights_from=heights_from, observed_ratio=0.5)
            for depth, image in zip(flight.depths, flight.images, strict=True):
                report = fusion.integrate(flight.poses[3], depth=depth, image=image)
                assert report.color_share == 0
            maps.append(fusion.map())
            fusion.release()
        np.testing.assert_array_equal(maps[0].heights, maps[1].heights)
        np.testing.assert_array_equal(maps[0].sigma, maps[1].sigma)

    def test_ground_without_texture(self, context: Context, ground: tuple[HeightMap, HeightMap]) -> None:
        grey = [replace(part, colors=np.full_like(part.colors, 0.3)) for part in ground]
        plain = photograph(context, *grey, path="orbit")
        depth, _ = fused(context, plain, "depth")
        both, reports = fused(context, plain, "both")
        assert reports[-1].color_share < 0.1
        known = np.isfinite(depth.heights) & np.isfinite(both.heights)
        assert np.median((both.sigma / depth.sigma)[known]) > 0.93
        assert median(both, plain) < 1.1 * median(depth, plain)

    def test_cells_whose_height_is_unknown(self, context: Context, flight: Flight) -> None:
        """Without a depth that says where the ground is about, no derivative holds."""
        fusion = flight.fusion(context, heights_from="color")
        for pose, image in zip(flight.poses, flight.images, strict=True):
            report = fusion.integrate(pose, image=image)
            assert report.color_share == 0
        assert np.isnan(fusion.map().heights).all()
        fusion.release()

    def test_black_frames(self, context: Context, flight: Flight, by_depth: HeightMap) -> None:
        images = flight.images.copy()
        images[4] = images[7] = 0
        found, reports = fused(context, flight, "both", images)
        assert median(found, flight) < 0.7 * median(by_depth, flight)
        told = [report.photographs for report in reports if report.photographs is not None]
        assert any(None in each.exposures for each in told)

    def test_images_of_nothing(self, context: Context, flight: Flight, by_depth: HeightMap) -> None:
        found, reports = fused(context, flight, "both", np.full_like(flight.images, np.nan))
        np.testing.assert_array_equal(found.heights, by_depth.heights)
        assert reports[-1].color_share == 0


class TestDisturbances:
    def worth_having(self, found: HeightMap, flight: Flight, by_depth: HeightMap, by_both: HeightMap) -> None:
        """Closer to the undisturbed than to what depth alone gives, and its sigma says what it is worth."""
        assert median(found, flight) < 0.5 * (median(by_depth, flight) + median(by_both, flight))
        assert covered(found, flight, 2) > 0.9

    def test_exposure_that_jumps(
        self, context: Context, flight: Flight, by_depth: HeightMap, by_both: HeightMap
    ) -> None:
        exposures = np.array([1.0, 1.3, 0.7, 1.0, 1.3, 1.0, 0.8, 1.2, 1.0, 0.7, 1.3])[:, None, None, None]
        found, reports = fused(context, flight, "both", np.clip(exposures * flight.images, 0, 0.99).astype(np.float32))
        self.worth_having(found, flight, by_depth, by_both)
        both = np.isfinite(found.heights) & np.isfinite(by_both.heights)
        moved = (found.heights - by_both.heights)[both] / by_both.sigma[both]
        assert abs(np.median(moved)) < 0.1
        gains = [each.gain for r in reports if r.photographs for each in r.photographs.exposures if each]
        assert max(gains) > 1.1, "intensities are square roots"

    def test_and_black_that_rises(
        self, context: Context, flight: Flight, by_depth: HeightMap, by_both: HeightMap
    ) -> None:
        lifted = flight.images.copy()
        lifted[1::3] = np.square(0.9 * np.sqrt(lifted[1::3]) + 0.08)
        self.worth_having(fused(context, flight, "both", lifted)[0], flight, by_depth, by_both)

    def test_pixels_without_colour(
        self, context: Context, flight: Flight, by_depth: HeightMap, by_both: HeightMap
    ) -> None:
        images = flight.images.copy()
        images[np.random.default_rng(3).uniform(size=images.shape) < 0.01] = np.inf
        images[:, 40:60, 50:90] = np.nan
        self.worth_having(fused(context, flight, "both", images)[0], flight, by_depth, by_both)

    def test_something_bright_crosses_the_scene(
        self, context: Context, flight: Flight, by_depth: HeightMap, by_both: HeightMap
    ) -> None:
        images = flight.images.copy()
        for k in range(2, 9):
            left = 10 + 14 * (k - 2)
            images[k, 35:65, left : left + 24] = (0.95, 0.9, 0.9)
        found, _ = fused(context, flight, "both", images)
        self.worth_having(found, flight, by_depth, by_both)
        assert np.abs(errors(found, flight)).max() < 1.5 * np.abs(errors(by_depth, flight)).max()

    def test_depth_of_an_overhang_is_kept_out(
        self, context: Context, flight: Flight, both: tuple[HeightMap, list[FrameReport]]
    ) -> None:
        """A beam 15 cm above the ground that half of the frames see, now here, now there."""
        depths = flight.depths.copy()
        beam = np.zeros(depths.shape, bool)
        for k in range(1, 11, 2):
            left = 20 + 8 * k
            beam[k, :, left : left + 12] = depths[k, :, left : left + 12] > 0
        depths[beam] -= 0.15
        found, reports = fused(context, replace(flight, depths=depths), "both")
        clean, clean_reports = both
        assert median(found, flight) < 1.5 * median(clean, flight)
        assert np.percentile(np.abs(errors(found, flight)), 99) < 0.03
        rejected = sum(report.rejected for report in reports) - sum(report.rejected for report in clean_reports)
        assert rejected > 0.6 * beam.sum()


class TestLeastSquares:
    def test_groups_add_up(self, context: Context, flight: Flight) -> None:
        """What two groups say, taken in one by one, has its minimum near the truth; each alone is further from it."""
        grid = Grid.covering(flight.bounds, flight.truth.spacing, None)
        linearizer = PhotographLinearizer(context, flight.camera, grid, Weighting(), 0.015)
        photographs = [Photograph.of(*seen) for seen in zip(flight.poses, flight.images, strict=True)]
        bumps = gaussian_filter(np.random.default_rng(6).normal(size=grid.shape), 1.0)
        wrong = flight.truth.heights + 0.002 * bumps / bumps.std()
        said = [
            linearizer.linearize(tuple(photographs[k : k + 5]), wrong, np.full(grid.shape, 0.002)).heights.equations
            for k in (0, 5)
        ]
        linearizer.release()
        start = GaussianPrior(wrong[..., None], 0.005)
        left = []
        for part in (said[0], said[1], said[0] + said[1]):
            solution = MultigridSolver().solve(start.add_to(part, np.zeros_like(part.vector))).x[..., 0]
            left.append(float(np.sqrt(np.mean(np.square(solution - flight.truth.heights)[5:-5, 8:-8]))))
        assert left[2] < 0.9 * min(left[:2])
        assert left[2] < 0.6 * 0.002

    def test_asked_for_twice_it_is_the_same_and_changes_nothing(
        self, context: Context, flight: Flight, by_both: HeightMap
    ) -> None:
        fusion = flight.fusion(context, heights_from="both", observed_ratio=0.5)
        for k in range(8):
            fusion.integrate(flight.poses[k], depth=flight.depths[k], image=flight.images[k])
        first, second = fusion.map(), fusion.map()
        np.testing.assert_array_equal(first.heights, second.heights)
        for k in range(8, 11):
            fusion.integrate(flight.poses[k], depth=flight.depths[k], image=flight.images[k])
        np.testing.assert_array_equal(fusion.map().heights, by_both.heights)
        fusion.release()

    def test_photographs_that_still_wait_count(self, context: Context, flight: Flight) -> None:
        fusion = flight.fusion(context, heights_from="both", observed_ratio=0.5)
        for k in range(3):
            report = fusion.integrate(flight.poses[k], depth=flight.depths[k], image=flight.images[k])
            assert report.photographs is None
        alone = flight.fusion(context, observed_ratio=0.5)
        for k in range(3):
            alone.integrate(flight.poses[k], depth=flight.depths[k])
        assert np.nanmedian(fusion.map().sigma) < 0.95 * np.nanmedian(alone.map().sigma)
        fusion.release()
        alone.release()


class TestBesideTheJointFit:
    """All frames at once, heights and intensities of vertices unknown, from the truth: the best that it can do."""

    def fitted(self, context: Context, flight: Flight) -> float:
        """Median error of the heights, metres."""
        grid, renderer = Grid.covering(flight.bounds, 0.0125, None), DerivativeRenderer(context, flight.camera)
        intensities = [intensity(image)[..., None] for image in flight.images]
        frames = [PosedFrame(*seen) for seen in zip(flight.poses, flight.depths, intensities, strict=True)]
        weighting = Weighting(flight.noise, 0.015, color_loss=Cauchy(2.5))
        x = np.stack([flight.truth.heights, intensity(flight.truth.colors.astype(np.float32))], axis=-1)
        priors = [SmoothnessPrior(grid.spacing), GaussianPrior(np.full_like(x, 0.5), np.inf, 0.5)]
        descent = Descent(lambda x: JointProblem(renderer, grid, frames, x, weighting), priors, x)
        descent.run(8)
        renderer.release()
        return float(np.median(np.abs(descent.x[..., 0] - flight.truth.heights)[4:-4, 4:-4]))

    def test_as_good_where_the_map_can_show_the_texture(self, context: Context) -> None:
        coarse = photograph(context, *textured_ground(detail=1), path="orbit")
        by_depth, by_both = (median(fused(context, coarse, use)[0], coarse) for use in ("depth", "both"))
        assert self.fitted(context, coarse) < 0.6 * by_depth
        assert by_both < 0.6 * by_depth

    def test_better_where_it_cannot(
        self, context: Context, flight: Flight, by_depth: HeightMap, by_both: HeightMap
    ) -> None:
        """The vertices move to imitate texture that is finer than they are."""
        assert self.fitted(context, flight) > 1.5 * median(by_depth, flight) > 3 * median(by_both, flight)


def test_grey_images_tell_as_much(context: Context, flight: Flight, by_depth: HeightMap) -> None:
    found, _ = fused(context, flight, "both", flight.images.mean(axis=-1, keepdims=True))
    assert median(found, flight) < 0.6 * median(by_depth, flight)


def test_on_the_gpu(context: Context, flight: Flight, by_both: HeightMap) -> None:
    need_compute(context)
    before = context.live_objects
    found, _ = fused(context, flight, "both", equations="gpu")
    assert context.live_objects == before
    known = np.isfinite(found.heights) & np.isfinite(by_both.heights)
    assert np.median(np.abs(found.heights - by_both.heights)[known] / by_both.sigma[known]) < 0.05


def test_memory_does_not_grow(context: Context, flight: Flight) -> None:
    fusion = flight.fusion(context, heights_from="both")
    objects, groups = [], 0
    for k in range(22):
        n = k % len(flight.poses)
        report = fusion.integrate(flight.poses[n], depth=flight.depths[n], image=flight.images[n])
        groups += report.photographs is not None
        objects.append(context.live_objects)
    assert groups > 3
    assert len(set(objects[11:])) == 1
    fusion.release()


def test_tiny_images(context: Context) -> None:
    """The coarsest level of a small image is a single pixel."""
    small = fly(context, rough_ground(), width=8, frames=8)
    camera = camera_of(8)
    fusion = HeightMapFusion(
        context, camera, 0.1, small.bounds, options=FusionOptions(depth_noise=small.noise, heights_from="both")
    )
    for pose, depth, image in zip(small.poses, small.depths, small.images, strict=True):
        fusion.integrate(pose, depth=depth, image=image)
    fusion.map()
    fusion.release()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heights_from": "colour"}, "heights_from: received 'colour', expected one of 'depth', 'color', 'both'"),
        ({"intensity_noise": 0.0}, "intensity_noise: received 0.0, expected a finite number greater than 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(GlrenderError, match=message):
        FusionOptions(**options)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _nothing_left(context: Context) -> Iterator[None]:
    before = context.live_objects
    yield
    assert context.live_objects == before
