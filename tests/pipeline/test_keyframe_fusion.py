"""What becomes of ground that keyframes see at different heights, and of a map where OpenGL fails."""

from collections.abc import Iterator
from collections.abc import Sequence as Sequence_
from pathlib import Path

import numpy as np
import pytest

from glrender.cli.fuse_summary import describe_disputed
from glrender.errors import GLError, ProcessError
from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.frontend.motion_depth import MotionDepth, Verdict
from glrender.frontend.photograph import Photograph
from glrender.frontend.search import Search
from glrender.fusion.heightmap import HeightMapFusion
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline import keyframes
from glrender.pipeline.fuse import SequenceOptions
from glrender.pipeline.ground import LEVEL
from glrender.pipeline.keyframe_fusion import KeyframeFusion
from glrender.pipeline.placement import GivenPlacement, place_on_ground

CAMERA = Camera(width=160, height=120, fx=140.0, fy=140.0, cx=79.5, cy=59.5)
SEQUENCE = Sequence(Path("made up"), CAMERA, CAMERA, 5000.0, 0, (), None, None, (), (), None, None)
TAKEN, NOISE = 8, 0.004
DISPUTED = np.s_[40:80, 60:100]
"""Pixels: half of the photographs see there something that lies on the ground."""


def seen(k: int, T_world_camera: np.ndarray) -> MotionDepth:
    """Level ground 1 m below, with noise that windows of 25 pixels share."""
    rng = np.random.default_rng(k)
    depth = (1 + rng.normal(0, NOISE, (24, 32)).repeat(5, axis=0).repeat(5, axis=1)).astype(np.float32)
    if k >= TAKEN // 2:
        depth[DISPUTED] -= 0.15
    sigma, rough = np.full_like(depth, NOISE), np.zeros_like(depth)
    verdict = np.full(depth.shape, Verdict.CONFIDENT, np.uint8)
    return MotionDepth(depth, sigma, rough, verdict, T_world_camera, 2, np.full_like(depth, 25.0))


@pytest.fixture
def fusion(context: Context, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyframeFusion]:
    """Of photographs whose depths are those above."""

    def estimate(
        self: DepthFromMotion, reference: Photograph, sources: Sequence_[Photograph], search: Search
    ) -> MotionDepth:
        return seen(next(measured), reference.T_world_camera)

    measured = iter(range(TAKEN))
    monkeypatch.setattr(DepthFromMotion, "estimate", estimate)
    monkeypatch.setattr(keyframes, "cross_checked", lambda camera, depth, *others: depth)
    given = GivenPlacement(np.eye(4), bounds=(-0.3, 0.3, -0.2, 0.2), spacing=0.02)
    placement = place_on_ground(SEQUENCE, [np.eye(4)], 0.0, given, "made up")
    fusion = KeyframeFusion(context, SEQUENCE, SequenceOptions(use="color"), placement, LEVEL)
    yield fusion
    fusion.release()


def add_all(fusion: KeyframeFusion) -> None:
    image = np.full((*CAMERA.shape, 3), 0.5, np.float32)
    for k in range(TAKEN):
        T = se3.look_at((0.001 * k, 0.0, 1.0), (0.001 * k, 0.0, 0.0), (0, 1, 0))
        fusion.add(FrameEntry(k, k, f"{k}.png", None, None), image, T)


def test_opengl_that_has_failed_is_not_asked_again_whatever_fails_after_it(
    fusion: KeyframeFusion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(_: HeightMapFusion) -> HeightMap:
        raise GLError("GL_CONTEXT_LOST")

    with fusion.kept():
        add_all(fusion)
        monkeypatch.setattr(HeightMapFusion, "map", lost)
        fusion.fuse_waiting()
        lost(None)  # type: ignore[arg-type]
    fusion.break_off(ProcessError("following: its process was killed"))
    finished = fusion.finish((), {"frames": TAKEN}, None, {})
    assert np.isfinite(finished.surface.heights).any()
    assert finished.partial
    assert str(finished.failure) == "GL_CONTEXT_LOST"
    assert finished.prediction is None


def test_what_half_of_the_photographs_contradict_is_left_out_and_told(fusion: KeyframeFusion) -> None:
    with fusion.kept():
        add_all(fusion)
    playing = fusion.map()
    finished = fusion.finish((), {"frames": TAKEN}, None, {})
    surface, report = finished.surface, finished.report
    x, y = surface.axes()
    apart = (np.abs(x) < 0.1) & (np.abs(y) < 0.1)[:, None]  # 40 of 140 pixels a metre
    around = (np.abs(x) > 0.19) | (np.abs(y) > 0.19)[:, None]
    known = np.isfinite(surface.heights)
    assert not known[apart].any()
    assert known[around].mean() > 0.95
    np.testing.assert_array_equal(np.isfinite(playing.heights), known)
    assert report["observed"] == pytest.approx(known.mean())
    assert report["disputed"] == pytest.approx(1 - known.mean(), abs=0.02)
    assert describe_disputed(report) == f" ({report['disputed']:.1%} left out as disputed)"
    assert describe_disputed({**report, "disputed": 0.0}) == ""
