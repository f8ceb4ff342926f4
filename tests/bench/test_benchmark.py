"""The whole measurement, small, and its tables."""

import json
from io import StringIO

import numpy as np
import pytest
from passes import need_compute
from rich.console import Console

from glrender.bench import stages as stages_module
from glrender.bench.benchmark import USUAL_PARTS, Plan, Report, run_benchmark
from glrender.bench.ceilings import HOST_COPY
from glrender.bench.printing import print_report
from glrender.bench.scene import reference_scene
from glrender.bench.solvers import ITERATIVE, MULTIGRID, fusion_system
from glrender.bench.stage_benchmark import SizeReport, time_stages
from glrender.bench.stages import COMPACT, COMPUTED, FULL, PLAIN, READ, RESIDUALS, STENCIL, TOTAL, FirstCalls, Stages
from glrender.bench.stages import PARTS as TOTAL_PARTS
from glrender.bench.timing import Timing
from glrender.gl.context import Context
from glrender.gl.equations_path import EquationsPath
from glrender.gl.program import COMPUTE_VERSION
from glrender.io.report import to_json


def printed(report: Report) -> str:
    out = StringIO()
    print_report(report, Console(file=out, width=80))
    return out.getvalue()


@pytest.fixture(scope="module")
def report() -> Report:
    plan = Plan(sizes=(65,), images=((320, 240),), rounds=2, solver_rounds=1)
    steps: list[tuple[int, int]] = []
    done = run_benchmark(plan, lambda *step: steps.append(step))
    assert steps == [(k + 1, len(USUAL_PARTS)) for k in range(len(USUAL_PARTS))]
    return done


def test_a_small_run_has_every_part(report: Report) -> None:
    (size,) = report.stages
    assert {PLAIN, COMPACT, RESIDUALS, STENCIL, TOTAL, FULL} <= set(size.timings)
    assert set(size.shares) == set(TOTAL_PARTS) & set(size.timings)
    assert all((timing.milliseconds > 0).all() and len(timing.milliseconds) == 2 for timing in size.timings.values())
    assert list(size.ratios) == ["derivative pass / plain pass"]
    assert size.fastest_peer is None
    assert report.first_calls is not None
    assert report.first_calls.shaders > 0
    assert report.solvers is not None
    (solvers,) = report.solvers.times
    assert solvers.iterations[ITERATIVE] > 2 * solvers.iterations[MULTIGRID] > 0
    (fusion,) = report.fusion
    assert fusion.shape == (65, 65)
    assert fusion.image == (320, 240)
    assert report.first_frames is not None
    assert report.first_frames > 0
    assert report.aging is None


def test_its_tables_fit_a_terminal_of_80_columns(report: Report) -> None:
    text = printed(report)
    assert max(map(len, text.splitlines())) <= 80
    assert report.renderer in text
    for stage in report.stages[0].timings:
        assert stage in text
    for words in ("320 x 240", "median of", "marginal", "frames/s", "flop/byte", "copying (host: "):
        assert words in text, words
    assert HOST_COPY not in text


def test_its_numbers_go_into_a_file(report: Report) -> None:
    account = json.loads(json.dumps(to_json(report.account()), allow_nan=False))
    (size,) = account["stages"]
    assert (size["vertices"], size["image"]) == (65, [320, 240])
    assert size["milliseconds"][TOTAL]["median"] == pytest.approx(report.stages[0].timings[TOTAL].median)
    assert account["solvers"]["times"][0]["vertices"] == 65
    assert account["fusion"][0]["frames_per_second"] > 0
    assert account["ceilings"]["copy"]["host"] > 0
    plain = next(point for point in account["points"] if point["stage"] == PLAIN)
    assert plain["gigabytes_per_second"] == pytest.approx(1e-6 * plain["bytes"] / plain["milliseconds"])


def made_up_report(peers: dict[str, str], agreement: dict[str, tuple[float, float]]) -> Report:
    milliseconds = {PLAIN: 4, COMPACT: 8, READ: 2, RESIDUALS: 1, STENCIL: 4, TOTAL: 16}
    milliseconds |= {"DEODR forward": 5, "DEODR forward + backward": 20}
    milliseconds |= {"Mitsuba forward": 4, "Mitsuba forward + backward": 32}
    timings = {
        name: Timing(np.full(3, float(value)))
        for name, value in milliseconds.items()
        if name.split()[0] not in ("DEODR", "Mitsuba") or name.split()[0] in agreement
    }
    image = (640, 480)
    sizes = SizeReport(image, 65, timings, {}, agreement, ()), SizeReport(image, 513, timings, {}, {}, ())
    first = FirstCalls(100.0, 200.0)
    return Report("llvmpipe", 2, (0.1, 1.2), 3, stage_peers=peers, first_calls=first, stages=sizes)


def test_ratios_are_to_the_plain_pass_and_to_the_faster_peer() -> None:
    peers = {"DEODR": "0.2.3", "Mitsuba": "3.9.1"}
    size = made_up_report(peers, {"DEODR": (8e-4, 6e-4), "Mitsuba": (3e-5, 2e-6)}).stages[0]
    assert size.fastest_peer == "DEODR"
    assert size.ratios == {
        "derivative pass / plain pass": 2,
        "plain pass / DEODR forward": 0.8,
        "total / fastest peer forward + backward": 0.8,
    }
    assert size.shares == {COMPACT: 0.5, READ: 0.125, RESIDUALS: 0.0625, STENCIL: 0.25}


def test_where_compute_shaders_make_the_equations_they_are_what_peers_are_compared_with() -> None:
    size = made_up_report({"DEODR": "0.2.3"}, {"DEODR": (8e-4, 6e-4)}).stages[0]
    size.timings[COMPUTED] = Timing(np.full(3, 2.0))
    assert size.ratios["total / fastest peer forward + backward"] == 0.1


def test_tables_show_ratios_shares_and_agreement() -> None:
    peers = {"DEODR": "0.2.3", "Mitsuba": "3.9.1"}
    text = printed(made_up_report(peers, {"DEODR": (8e-4, 6e-4), "Mitsuba": (3e-5, 2e-6)}))
    rows = {" ".join(line.split()) for line in text.splitlines()}
    assert "derivative pass 8.00 8.00 2.00 50%" in rows
    assert "total / fastest peer forward + backward 0.80" in rows
    assert "DEODR gradient by heights 8e-04" in rows
    assert "noisy" not in text


def test_a_peer_that_is_missing_stands_where_its_times_would() -> None:
    peers = {"DEODR": "0.2.3", "Mitsuba": "not installed: pip install glrender[bench]"}
    text = printed(made_up_report(peers, {"DEODR": (8e-4, 6e-4)}))
    assert "Mitsuba: not installed: pip install glrender[bench]" in text
    small, large = text.split("65 x 65 vertices")[1].split("513 x 513 vertices")
    assert "Mitsuba" in small
    assert "Mitsuba" not in large


def test_noise_is_mentioned() -> None:
    report = made_up_report({}, {})
    report.stages[0].timings[PLAIN].milliseconds[1:] = 9.0  # both sizes have the same timings
    assert "noisy: 2 of 12 medians" in " ".join(printed(report).split())


def test_the_solvers_get_a_map_with_observed_heights(context: Context) -> None:
    system = fusion_system(context, 65)
    assert system.stencil.channels == 0
    assert system.count == 640 * 480
    assert (system.diagonal() > 0).all()


def test_compute_shaders_make_the_same_total(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    need_compute(context)
    monkeypatch.setattr(stages_module, "equations_path", lambda *_: EquationsPath("gpu", "a test wants it"))
    before = context.live_objects
    with Stages(context, reference_scene(9, (64, 48))) as stages:
        equations = stages.candidates()[COMPUTED]()
        expected = stages.total()
    assert context.live_objects == before
    assert equations.count == expected.count
    np.testing.assert_allclose(equations.vector, expected.vector, rtol=1e-4, atol=1e-5 * abs(expected.vector).max())


def test_on_a_gpu_drawing_is_held_against_its_own_memory(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Context, "is_software", False)
    before = context.live_objects
    size = time_stages(context, (64, 48), 9, {}, rounds=1)
    assert context.live_objects == before
    assert set(size.copies) == {"host", "GPU"}
    where = {point.stage: point.where for point in size.points}
    assert {stage for stage, place in where.items() if place == "GPU"} == {PLAIN, COMPACT, FULL}
    assert where[READ] == where[STENCIL] == "host"
    assert TOTAL not in where, "both have a part in it"
    assert (COMPUTED in size.timings) == (context.version_code >= COMPUTE_VERSION)
