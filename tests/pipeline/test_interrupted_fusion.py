"""A real SIGINT while a sequence becomes a height map, wherever it may arrive."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flights import NOISE, Flight, fly, rough_ground

from glrender.errors import GLError
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.linearization import FrameLinearizer
from glrender.fusion.options import FusionOptions
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline import fuse
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.pipeline.outputs import FinishedMap

FRAMES = 8


@pytest.fixture(scope="module")
def flight(context: Context) -> Flight:
    return fly(context, rough_ground(), frames=FRAMES)


@pytest.fixture
def folder(flight: Flight, tmp_path: Path) -> Path:
    return flight.write(tmp_path / "flight")


@pytest.fixture
def sequence(folder: Path) -> Sequence:
    return open_sequence(folder)


@pytest.fixture
def options(flight: Flight) -> SequenceOptions:
    fusion = FusionOptions(depth_noise=NOISE)
    return SequenceOptions(spacing=flight.truth.spacing, bounds=flight.bounds, time_offset=0.0, fusion=fusion)


@pytest.fixture
def unrehearsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are those of frames that count."""
    monkeypatch.setattr(fuse, "rehearse_fusion", lambda *_: None)


@pytest.fixture(autouse=True)
def _no_leaks(context: Context) -> Iterator[None]:
    before = context.live_objects
    yield
    assert context.live_objects == before


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def when(monkeypatch: pytest.MonkeyPatch, where: type | str, name: str, count: int) -> None:
    """Send SIGINT from within the count-th call of a function or method."""
    calls = []
    owner = __import__(where, fromlist=["_"]) if isinstance(where, str) else where
    function = getattr(owner, name)

    def interrupting(*args: object, **kwargs: object) -> object:
        calls.append(0)
        if len(calls) == count:
            ctrl_c()
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupting)


@pytest.mark.usefixtures("unrehearsed")
@pytest.mark.parametrize("frame", [1, 5, FRAMES])
def test_within_a_frame(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    monkeypatch: pytest.MonkeyPatch,
    frame: int,
) -> None:
    """The frame is finished, and the map is that of the frames so far."""
    when(monkeypatch, HeightMapFusion, "integrate", frame)
    kept: list[FinishedMap] = []
    finished = fuse_sequence(context, sequence, options, keep=kept.append)
    assert kept == [finished]
    assert finished.partial
    assert finished.report["partial"]
    assert finished.report["frames_used"] == frame
    monkeypatch.undo()
    expected = fuse_sequence(context, sequence, replace(options, frames=f"0:{frame}"))
    np.testing.assert_array_equal(finished.surface.heights, expected.surface.heights)


def test_between_frames(context: Context, sequence: Sequence, options: SequenceOptions) -> None:
    finished = fuse_sequence(context, sequence, options, lambda done, total: ctrl_c() if done == 3 else None)
    assert finished.partial
    assert finished.report["frames_used"] == 3


def test_again_while_the_map_is_finished(
    context: Context, sequence: Sequence, options: SequenceOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An impatient second one costs nothing: what was fused is kept first."""
    when(monkeypatch, HeightMapFusion, "map", 1)
    kept: list[FinishedMap] = []
    with pytest.raises(KeyboardInterrupt):
        fuse_sequence(context, sequence, options, lambda done, total: ctrl_c() if done == 3 else None, keep=kept.append)
    (finished,) = kept
    assert finished.partial
    assert finished.report["frames_used"] == 3


def test_while_it_is_kept(context: Context, sequence: Sequence, options: SequenceOptions) -> None:
    kept: list[FinishedMap] = []

    def keep(finished: FinishedMap) -> None:
        ctrl_c()
        kept.append(finished)

    with pytest.raises(KeyboardInterrupt):
        fuse_sequence(context, sequence, options, keep=keep)
    assert not kept[0].partial
    assert kept[0].report["frames_used"] == FRAMES


@pytest.mark.parametrize(
    ("module", "function"),
    [
        ("glrender.pipeline.chosen_frames", "estimate_time_offset"),
        ("glrender.pipeline.chosen_frames", "place_map"),
        ("glrender.pipeline.fuse", "place_map"),
        ("glrender.pipeline.fuse", "HeightMapFusion"),
        ("glrender.fusion.rehearsal", "HeightMapFusion"),
        ("glrender.fusion.heightmap", "copied_frame"),
    ],
)
def test_before_the_first_frame(
    context: Context,
    sequence: Sequence,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    function: str,
) -> None:
    """There is nothing to keep."""
    when(monkeypatch, module, function, 1)
    kept: list[FinishedMap] = []
    with pytest.raises(KeyboardInterrupt):
        fuse_sequence(context, sequence, SequenceOptions(), keep=kept.append)
    assert kept == []


def test_while_all_frames_so_far_were_damaged(context: Context, folder: Path, options: SequenceOptions) -> None:
    for k in range(4):
        cut_off(folder / f"depth/0.{k}00000.png")
    stop: Callable[[int, int], None] = lambda done, total: ctrl_c() if done == 2 else None  # noqa: E731
    with pytest.raises(KeyboardInterrupt):
        fuse_sequence(context, open_sequence(folder), options, stop)


@pytest.mark.usefixtures("unrehearsed")
@pytest.mark.parametrize("comparison", [5, 9, 16])
def test_opengl_fails(
    context: Context,
    sequence: Sequence,
    options: SequenceOptions,
    monkeypatch: pytest.MonkeyPatch,
    comparison: int,
) -> None:
    """Within a frame, within one that another pushes into the memory, at the end: the frames before are kept."""
    compared = []
    linearize = FrameLinearizer._compare

    def fail(*args: object, **kwargs: object) -> object:
        compared.append(0)
        if len(compared) >= comparison:
            raise GLError("reading attachment 'visibility': GL_CONTEXT_LOST")
        return linearize(*args, **kwargs)

    monkeypatch.setattr(FrameLinearizer, "_compare", fail)
    kept: list[FinishedMap] = []
    finished = fuse_sequence(context, sequence, options, keep=kept.append)
    assert kept == [finished]
    assert finished.partial
    assert "GL_CONTEXT_LOST" in finished.report["failure"]
    assert finished.prediction is None
    count = finished.report["frames_used"]
    assert count == {5: 4, 9: 7, 16: FRAMES}[comparison]
    monkeypatch.undo()
    whole = fuse_sequence(context, sequence, replace(options, frames=f"0:{count}"))
    both = np.isfinite(finished.surface.heights) & np.isfinite(whole.surface.heights)
    assert both.sum() > 0.95 * np.isfinite(whole.surface.heights).sum()
    assert np.median(np.abs(finished.surface.heights - whole.surface.heights)[both] / whole.surface.sigma[both]) < 0.3


def test_opengl_fails_at_once(
    context: Context, sequence: Sequence, options: SequenceOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise GLError("GL_CONTEXT_LOST")

    monkeypatch.setattr(FrameLinearizer, "_compare", fail)
    with pytest.raises(GLError, match="GL_CONTEXT_LOST"):
        fuse_sequence(context, sequence, options)
