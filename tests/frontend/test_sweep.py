"""Scores of the sweep against a slow twin in numpy, and what they do not depend on."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from passes import need_compute
from sweep_twin import correlations

from glrender.frontend.photograph import Photograph
from glrender.frontend.sweep import UNSEEN, HostSweep, Hypotheses, SweepImages, Warp, make_warp
from glrender.frontend.sweep_compute import SweepCompute
from glrender.frontend.sweep_pass import SweepPass
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

CAMERA = Camera(40, 30, 36.0, 38.0, 19.0, 15.5)


def smooth_noise(rng: np.random.Generator) -> NDArray[np.float32]:
    from scipy import ndimage

    image = ndimage.gaussian_filter(rng.normal(size=CAMERA.shape), 1.0)
    return (0.5 + 0.5 * image).astype(np.float32)


@pytest.fixture(scope="module")
def pictures() -> tuple[Photograph, list[Photograph]]:
    rng = np.random.default_rng(0)
    poses = [se3.exp(scale * rng.normal(size=6)) for scale in (0.0, 0.05, 0.05, 0.1)]
    reference, *sources = (Photograph(smooth_noise(rng), pose) for pose in poses)
    return reference, sources


@pytest.fixture(scope="module")
def hypotheses() -> Hypotheses:
    rng = np.random.default_rng(1)
    far = rng.uniform(0.3, 0.5, CAMERA.shape).astype(np.float32)
    step = rng.uniform(0.1, 0.2, CAMERA.shape).astype(np.float32)
    step[3, 4] = 0
    return Hypotheses(far, step, 6)


def images_of(reference: Photograph, sources: list[Photograph]) -> SweepImages:
    images = np.stack([source.image for source in sources])
    return SweepImages(reference.image, images, [make_warp(CAMERA, reference, source) for source in sources])


def scored(
    pictures: tuple[Photograph, list[Photograph]], hypotheses: Hypotheses, radius: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    reference, sources = pictures
    arguments = (images_of(reference, sources), hypotheses, radius)
    return HostSweep().all_scores(*arguments), HostSweep().mean_scores(*arguments)


@pytest.mark.parametrize("radius", [1, 2])
def test_scores_are_those_of_the_twin(
    pictures: tuple[Photograph, list[Photograph]], hypotheses: Hypotheses, radius: int
) -> None:
    expected = np.stack([correlations(CAMERA, pictures[0], source, hypotheses, radius) for source in pictures[1]])
    every, mean = scored(pictures, hypotheses, radius)
    seen = np.isfinite(expected)
    assert 0.5 < seen.mean() < 0.95
    np.testing.assert_array_equal(every == UNSEEN, ~seen)
    np.testing.assert_allclose(every[seen], expected[seen], atol=1e-3)
    seen_by = seen.sum(axis=0)
    sums = np.where(seen, np.maximum(expected, 0), 0).sum(axis=0)
    np.testing.assert_allclose(mean, np.where(seen_by > 0, sums / np.maximum(seen_by, 1), UNSEEN), atol=1e-3)


def test_exposure_does_not_matter(pictures: tuple[Photograph, list[Photograph]], hypotheses: Hypotheses) -> None:
    reference, sources = pictures
    brighter = [Photograph(1.5 * source.image + np.float32(0.2), source.T_world_camera) for source in sources]
    np.testing.assert_allclose(
        scored((reference, brighter), hypotheses, 2)[0], scored(pictures, hypotheses, 2)[0], atol=1e-3
    )


def test_what_a_source_does_not_know_spoils_only_the_windows_that_need_it(
    pictures: tuple[Photograph, list[Photograph]],
) -> None:
    reference = pictures[0]
    image = reference.image.copy()
    image[10, 20] = np.nan
    same = Hypotheses(np.zeros(CAMERA.shape, np.float32), np.ones(CAMERA.shape, np.float32), 1)
    warp = make_warp(CAMERA, reference, reference)
    scores = HostSweep().all_scores(SweepImages(reference.image, image[None], [warp]), same, 2)[0, ..., 0]
    # Bilinear samples reach one pixel further where rounding puts them beside a pixel's centre.
    assert (scores[8:13, 18:23] == UNSEEN).all()
    outside = np.ones(CAMERA.shape, bool)
    outside[7:14, 17:24] = False
    np.testing.assert_allclose(scores[outside], 1, atol=1e-3)


def test_a_flat_image_matches_nothing(pictures: tuple[Photograph, list[Photograph]], hypotheses: Hypotheses) -> None:
    black = [Photograph(np.zeros(CAMERA.shape, np.float32), source.T_world_camera) for source in pictures[1]]
    assert (scored((pictures[0], black), hypotheses, 2)[0] == UNSEEN).all()


def test_a_warp_is_the_projection_of_the_point(pictures: tuple[Photograph, list[Photograph]]) -> None:
    reference, (source, *_) = pictures
    warp: Warp = make_warp(CAMERA, reference, source)
    point = np.array([0.3, -0.2, 2.0])
    u, v = CAMERA.project(point)
    x, y, z = warp.H @ np.array([u, v, 1.0]) + warp.e / point[2]
    T = se3.inverse(source.T_world_camera) @ reference.T_world_camera
    np.testing.assert_allclose((x / z, y / z), CAMERA.project(T[:3, :3] @ point + T[:3, 3]), atol=1e-4)


@pytest.mark.parametrize(("shader", "radius"), [(SweepPass, 2), (SweepCompute, 2), (SweepCompute, 8)])
def test_shaders_score_like_the_host(
    context: Context,
    pictures: tuple[Photograph, list[Photograph]],
    hypotheses: Hypotheses,
    shader: type[SweepPass] | type[SweepCompute],
    radius: int,
) -> None:
    if shader is SweepCompute:
        need_compute(context)
    reference, sources = pictures
    images = images_of(reference, sources)
    images.sources[1, 5:8, 10:12] = np.nan
    before = context.live_objects
    drawn = shader(context)
    more = Hypotheses(hypotheses.far, hypotheses.step / 4, 21)  # needs two passes
    arguments = (images, more, radius)
    every, mean = drawn.all_scores(*arguments), drawn.mean_scores(*arguments)
    others = np.stack([reference.image, images.sources[2]])
    swapped = (SweepImages(images.sources[0].copy(), others, images.warps[:2]), more, radius)
    found, again = drawn.all_scores(*swapped), drawn.all_scores(*arguments)
    np.testing.assert_array_equal(again, every)
    np.testing.assert_allclose(found, HostSweep().all_scores(*swapped), atol=5e-3)
    drawn.release()
    assert context.live_objects == before
    expected = HostSweep().all_scores(*arguments)
    # Whether a sample on the very border is inside is up to rounding.
    assert ((every == UNSEEN) != (expected == UNSEEN)).mean() < 1e-3
    both = (every != UNSEEN) & (expected != UNSEEN)
    assert both.mean() > (0.5 if radius == 2 else 0.3)
    agree = ((every == UNSEEN) == (expected == UNSEEN)).all(axis=0)
    # A GPU filters by weights of eight bits.
    most = 5e-3 if shader is SweepPass and not context.is_software else 2e-3
    for found, truth in ((every[both], expected[both]), (mean[agree], HostSweep().mean_scores(*arguments)[agree])):
        np.testing.assert_allclose(found, truth, atol=most)
        assert (np.abs(found - truth) > 2e-3).mean() < 1e-3


def test_an_image_whose_scores_no_buffer_holds_is_swept_in_bands(
    context: Context,
    pictures: tuple[Photograph, list[Photograph]],
    hypotheses: Hypotheses,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need_compute(context)
    arguments = (images_of(*pictures), hypotheses, 2)
    sweep = SweepCompute(context)
    whole = sweep.all_scores(*arguments)
    row = whole[0, 0].nbytes
    monkeypatch.setattr(context, "limits", replace(context.limits, max_storage_block_bytes=7 * row + 1))
    sweep.release()
    bands: list[int] = []
    room = SweepCompute._room
    monkeypatch.setattr(SweepCompute, "_room", lambda self, size: (bands.append(size), room(self, size))[1])
    np.testing.assert_array_equal(sweep.all_scores(*arguments), whole)
    assert set(bands) == {7 * row, 2 * row}
    sweep.release()
