"""Depths in blocks of pixels: what the blocks see, what they say, and when a new frame is linearised by them."""

import numpy as np
import pytest
from flights import camera_of, fly, rough_ground

from glrender.assembly.on_host import HostNormalEquations
from glrender.fusion.averaging import BLOCK, average, averaged_camera, pixels_per_area
from glrender.fusion.heightmap import HeightMapFusion
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context
from glrender.recycle import Recycler

CAMERA = Camera(9, 7, 11.0, 12.0, 3.7, 3.1)


def blocks_of(image: np.ndarray) -> np.ndarray:
    """(rows, cols, 4, …): the pixels of each block."""
    rows, cols = image.shape[0] // BLOCK, image.shape[1] // BLOCK
    whole = image[: rows * BLOCK, : cols * BLOCK].reshape(rows, BLOCK, cols, BLOCK, *image.shape[2:])
    return np.moveaxis(whole, 2, 1).reshape(rows, cols, BLOCK**2, *image.shape[2:])


def test_a_block_is_seen_in_the_middle_of_its_pixels() -> None:
    small = averaged_camera(CAMERA)
    assert small.shape == (3, 4)
    np.testing.assert_allclose(small.rays(), blocks_of(CAMERA.rays()).mean(axis=2), atol=1e-12)


def test_a_block_is_the_mean_of_what_was_measured() -> None:
    rng = np.random.default_rng(0)
    depth = (1 + 0.01 * rng.random(CAMERA.shape)).astype(np.float32)
    sigma = (0.001 * (1 + rng.random(CAMERA.shape))).astype(np.float32)
    depth[0, 0], depth[0, 3], depth[3, 2], sigma[2, 5] = 0, np.nan, np.inf, np.inf
    information = np.where(np.isfinite(depth) & (depth > 0), 1 / np.square(sigma.astype(np.float64)), 0)
    weight = blocks_of(information)
    expected = (weight * np.where(weight > 0, blocks_of(depth), 0)).sum(axis=2) / weight.sum(axis=2)
    means, sigmas = average(depth, sigma, Recycler())
    np.testing.assert_allclose(means, expected, rtol=1e-6)
    np.testing.assert_allclose(sigmas, 1 / np.sqrt(weight.sum(axis=2)), rtol=1e-6)


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -np.inf, -1.0])
def test_a_block_of_nothing_says_nothing(nothing: float) -> None:
    depth = np.full((2, 4), nothing, np.float32)
    depth[:, 2:] = 1
    means, sigmas = average(depth, np.full((2, 4), 0.002, np.float32), Recycler())
    np.testing.assert_array_equal(means, [[0, 1]])
    np.testing.assert_allclose(sigmas, [[np.inf, 0.001]])


def test_a_block_across_an_edge_says_nothing() -> None:
    depth = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, 1.04, 1.0, 1.06]], np.float32)
    means, _ = average(depth, np.ones((2, 4), np.float32), Recycler())
    assert means[0, 0] > 1
    assert means[0, 1] == 0


def test_how_many_pixels_see_a_square_metre() -> None:
    camera = camera_of(320)
    level = np.full(camera.shape, 0.8, np.float32)
    downwards = se3.look_at((0.0, 0.0, 0.8), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    assert pixels_per_area(camera, downwards, level) == pytest.approx(camera.fx * camera.fy / 0.8**2, rel=1e-6)
    assert pixels_per_area(camera, downwards, np.zeros(camera.shape, np.float32)) == 0


class TestNewFrames:
    @pytest.mark.parametrize(
        ("width", "spacing", "expected"),
        [(320, 0.05, (120, 160)), (320, 0.005, (240, 320)), (96, 0.05, (72, 96))],
        ids=["cells of many blocks", "small cells", "a small image"],
    )
    def test_blocks_where_cells_are_large_beside_them(
        self,
        context: Context,
        monkeypatch: pytest.MonkeyPatch,
        width: int,
        spacing: float,
        expected: tuple[int, int],
    ) -> None:
        flight, compared = fly(context, rough_ground(spacing=spacing), width=width, frames=3), []
        screened = HostNormalEquations.screened
        monkeypatch.setattr(
            HostNormalEquations,
            "screened",
            lambda self, *a, **k: (compared.append(self.camera.shape), screened(self, *a, **k))[1],
        )
        fusion = flight.fusion(context, window=1, equations="host")
        reports = [fusion.integrate(pose, depth=depth) for pose, depth in zip(flight.poses, flight.depths, strict=True)]
        pixels = flight.camera.shape
        # The third is the first with which another one leaves, linearised at the same time.
        assert compared[:2] == [pixels, pixels]
        assert sorted(compared[2:]) == sorted([expected, pixels])
        assert 0.9 * np.count_nonzero(flight.depths[2]) < reports[2].measured <= flight.depths[2].size
        compared.clear()
        fusion.map()
        assert compared == [pixels, pixels], "a map is made of every pixel"
        fusion.release()


def test_an_image_of_one_column_is_fused_as_it_is(context: Context) -> None:
    """It has no blocks, however long it is."""
    camera = Camera(width=1, height=70_000, fx=1e5, fy=1e5, cx=0.0, cy=35e3)
    fusion = HeightMapFusion(context, camera, 0.1, (-1, 1, -1, 1))
    down = se3.look_at(eye=(0.0, 0.0, 2.0), target=(0.0, 0.0, 0.0), up=(0, 1, 0))
    for _ in range(7):
        report = fusion.integrate(down, depth=np.full(camera.shape, 2.0, np.float32))
    assert report.measured > 0
    fusion.release()
