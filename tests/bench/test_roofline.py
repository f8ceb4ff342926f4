"""What work is counted, and what is made of it."""

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from glrender.bench.benchmark import Report
from glrender.bench.ceilings import COPIED_BYTES, GpuCopy, HostCopy, matrix_product_flops
from glrender.bench.roofline import Ceilings, Point, points
from glrender.bench.roofline_plot import plot_roofline
from glrender.bench.scene import Scene, reference_scene
from glrender.bench.stage_benchmark import SizeReport
from glrender.bench.stages import COMPACT, GPU, PLAIN, READ, RESIDUALS, STENCIL, TOTAL, UPLOAD, Stages
from glrender.bench.timing import Timing
from glrender.bench.work import Load, Work, frame_work, load_of, multigrid_setup, multigrid_solve, stage_work
from glrender.gl.context import Context

VERTICES = 33


@pytest.fixture(scope="module")
def scene() -> Scene:
    return reference_scene(VERTICES, (160, 120))


def test_a_scene_is_counted(context: Context, scene: Scene) -> None:
    with Stages(context, scene) as stages:
        triangles = stages.triangles
        load = load_of(scene, triangles)
    assert load.pixels == 160 * 120
    assert load.vertices == VERTICES**2
    expected = sum(1 + sum(a != b for a, b in pairwise(row)) for row in triangles.tolist())
    assert load.runs == expected
    # About as many vertices as quads.
    seen = len(np.unique(triangles // 2))
    assert 0.75 * seen < load.drawn < 1.25 * seen
    rows, cols = (np.ptp(quads[triangles >= 0]) + 1 for quads in divmod(triangles // 2, VERTICES - 1))
    assert (rows - 1) * (cols - 1) <= load.patch <= (rows + 1) * (cols + 1)


def test_bytes_are_those_of_the_arrays(context: Context, scene: Scene) -> None:
    with Stages(context, scene) as stages:
        buffers, residuals, measured = stages._buffers, stages._residuals, stages._measurements
        equations = stages.total()
        work = stage_work(load_of(scene, stages.triangles), on_host=True)
    shape = scene.camera.shape
    assert measured.depth is not None
    assert measured.image is not None
    made = [residuals.depth, residuals.depth_weight, residuals.color, residuals.color_weight]
    weighed = [buffers.attachments["image"], measured.depth, measured.image, *made]
    assert work[RESIDUALS].bytes == sum(a.nbytes for a in weighed) + np.prod(shape) * (4 + 1)  # sigma and mask
    summed = [buffers.attachments["geometry"], buffers.attachments["image_wrt_height"], *made]
    sums = [equations.stencil.matrix, equations.vector]
    assert work[STENCIL].bytes == sum(a.nbytes for a in (*summed, *sums))
    surface = scene.surface
    assert surface.colors is not None
    assert work[UPLOAD].bytes == surface.heights.nbytes + surface.colors.nbytes + 3 * 16 * surface.heights.size


def test_the_total_is_the_sum_of_its_parts() -> None:
    load = Load(pixels=1000, runs=300, drawn=50, patch=60, vertices=80)
    host, gpu = (stage_work(load, on_host=on_host) for on_host in (True, False))
    assert host[TOTAL] == host[COMPACT] + host[RESIDUALS] + host[STENCIL]
    assert gpu[TOTAL] == gpu[COMPACT] + gpu[READ] + gpu[RESIDUALS] + gpu[STENCIL]
    assert host[GPU] == gpu[COMPACT]
    # Less is done a pixel where a run of pixels shares its triangle; heights come without colours, and no indices.
    assert host[COMPACT].flops < gpu[COMPACT].flops
    assert host[COMPACT].bytes == gpu[COMPACT].bytes - (16 + 24 - 4) * 50
    assert host[PLAIN].bytes == (16 + 4) * 1000 + (16 + 24) * 50


def test_a_frame_of_fusion_is_two_linearisations_and_a_solution() -> None:
    load, twice = (Load(1000 * k, 300 * k, drawn=50 * k, patch=60 * k, vertices=80) for k in (1, 2))
    work = frame_work(load)
    assert frame_work(twice) == {stage: 2 * each for stage, each in work.items()}
    equations, solve = work["normal_equations"], work["solve"]
    # Depth, sigma and colour, ids and 1 / depth written and read twice, and what is summed up.
    assert equations.bytes == (2 * (8 + 8 + 8) + 12) * 1000 + (4 * 4 + 12) * 50 + 8 * (2 * 5 + 7) * 60
    assert solve.bytes > multigrid_solve(60, 2, sweeps=2).bytes
    assert equations.flops > 2 * 53 * 1000


def test_multigrid_costs_the_same_a_vertex_and_an_iteration() -> None:
    assert multigrid_setup(2000) == 2 * multigrid_setup(1000)
    few, more = multigrid_solve(1000, 3), multigrid_solve(1000, 6)
    assert more.bytes - few.bytes == pytest.approx(few.bytes - multigrid_solve(1000, 0).bytes)
    assert few.flops > multigrid_setup(1000).flops
    # Twice as many sweeps are twice the operations, but for those around them, and read the matrix just as often.
    rough = multigrid_solve(1000, 3, sweeps=2)
    assert rough.bytes == few.bytes
    assert few.flops - rough.flops == pytest.approx(3 * (4 / 3) * 2 * 2 * 17 * 1000)


def test_shares_are_of_the_copy_in_the_same_round() -> None:
    spell = np.array([1.0, 1.0, 5.0])
    timings = {"stage": Timing(2.0 * spell), "copy": Timing(10.0 * spell), "uncounted": Timing(spell)}
    work = {"stage": Work(bytes=0.1 * COPIED_BYTES, flops=4e6), "absent": Work(1, 1)}
    (point,) = points(timings, work, {"GPU": timings["copy"]}, (640, 480), 65, on_gpu=("stage",))
    assert point.share == pytest.approx(0.5)
    assert point.speed == pytest.approx(2e9)
    assert point.bandwidth == pytest.approx(0.1 * COPIED_BYTES / 2e-3)
    assert point.intensity == pytest.approx(4e6 / (0.1 * COPIED_BYTES))
    assert point.account()["gigaflops_per_second"] == pytest.approx(2)


def test_ceilings_are_medians_of_the_run() -> None:
    copies = [{"host": Timing(np.array([9.0, 1.0])), "GPU": Timing(np.array([1.0]))}, {"host": Timing(np.array([2.0]))}]
    ceilings = Ceilings.of(copies, 1e9)
    assert ceilings.copy == {
        "host": pytest.approx(COPIED_BYTES / 2e-3),
        "GPU": pytest.approx(COPIED_BYTES / 1e-3),
    }


def test_copies_copy(context: Context) -> None:
    copy = HostCopy()
    copy._source[::4096] = 7
    copy()
    assert (copy._target == copy._source).all()
    before = context.live_objects
    on_gpu = GpuCopy(context)
    places = (123, on_gpu._source.size - 8)
    for place in places:
        on_gpu._source.write(b"glrender", offset=place)
    on_gpu()
    assert [on_gpu._target.read(8, offset=place) for place in places] == [b"glrender"] * 2
    on_gpu.release()
    assert context.live_objects == before


def test_a_product_of_matrices_takes_time() -> None:
    assert 0 < matrix_product_flops(64, rounds=1) < np.inf


@pytest.mark.parametrize("place", ["host", "GPU"])
def test_the_picture_can_be_drawn_with_few_points_and_many(place: str, tmp_path: Path) -> None:
    made = [
        Point(f"stage {k}", (640, 480), n, place, Work(1e6 * n, 1e5 * n * (k + 1)), 1.0 + k, 0.5)
        for k in range(12)
        for n in (65, 257)
    ]
    made.append(Point("reading", (640, 480), 65, "host", Work(1e6, 0), 1.0, 0.2))
    ceilings = Ceilings({"host": 1e10, place: 3e10}, 4e10)
    for some in (made, made[:1]):
        sizes = (SizeReport((640, 480), 65, {}, {}, {}, tuple(some)),)
        plot_roofline(tmp_path / "plot.png", Report("a renderer", 2, (0, 0), 1, stages=sizes, ceilings=ceilings))
        picture = cv2.imread(str(tmp_path / "plot.png"))
        assert picture.shape[1] > 1000
        assert picture.std() > 5
