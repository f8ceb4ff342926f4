"""The whole measurement, small, and its tables."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from glrender.bench.benchmark import Report, SizeReport, run_benchmark
from glrender.bench.solvers import ITERATIVE, MULTIGRID, fusion_system
from glrender.bench.stages import COMPACT, FULL, PARTS, PLAIN, READ, RESIDUALS, STENCIL, TOTAL, FirstCalls
from glrender.bench.tables import print_report
from glrender.bench.timing import Timing
from glrender.gl.context import Context
from glrender.io.report import to_json


def printed(report: Report) -> str:
    out = StringIO()
    print_report(report, Console(file=out, width=80))
    return out.getvalue()


def test_a_small_run() -> None:
    steps = []
    report = run_benchmark((65,), peers=False, rounds=2, solver_rounds=1, advance=lambda *step: steps.append(step))
    assert steps == [(1, 2), (2, 2)]
    (size,) = report.sizes
    assert {PLAIN, COMPACT, RESIDUALS, STENCIL, TOTAL, FULL} <= set(size.timings)
    assert set(size.shares) == set(PARTS) & set(size.timings)
    assert all((timing.milliseconds > 0).all() and len(timing.milliseconds) == 2 for timing in size.timings.values())
    assert list(size.ratios) == ["derivative pass / plain pass"]
    assert size.fastest_peer is None
    assert report.first_calls.shaders > 0
    assert report.solvers[0].iterations[ITERATIVE] > 2 * report.solvers[0].iterations[MULTIGRID] > 0
    text = printed(report)
    assert report.renderer in text
    assert all(stage in text for stage in size.timings)
    assert "marginal" in text
    account = json.loads(json.dumps(to_json(report.account()), allow_nan=False))
    assert account["sizes"][0]["milliseconds"][TOTAL]["median"] == pytest.approx(size.timings[TOTAL].median)
    assert account["solvers"][0]["vertices"] == 65


def made_up_report(peers: dict[str, str], agreement: dict[str, tuple[float, float]]) -> Report:
    milliseconds = {PLAIN: 4, COMPACT: 8, READ: 2, RESIDUALS: 1, STENCIL: 4, TOTAL: 16}
    milliseconds |= {"DEODR forward": 5, "DEODR forward + backward": 20}
    milliseconds |= {"Mitsuba forward": 4, "Mitsuba forward + backward": 32}
    timings = {
        name: Timing(np.full(3, float(value)))
        for name, value in milliseconds.items()
        if name.split()[0] not in ("DEODR", "Mitsuba") or name.split()[0] in agreement
    }
    sizes = (SizeReport(65, timings, agreement), SizeReport(513, timings, {}))
    return Report("llvmpipe", 2, (0.1, 1.2), 3, peers, FirstCalls(100.0, 200.0), sizes, ())


def test_ratios_are_to_the_plain_pass_and_to_the_faster_peer() -> None:
    peers = {"DEODR": "0.2.3", "Mitsuba": "3.9.1"}
    size = made_up_report(peers, {"DEODR": (8e-4, 6e-4), "Mitsuba": (3e-5, 2e-6)}).sizes[0]
    assert size.fastest_peer == "DEODR"
    assert size.ratios == {
        "derivative pass / plain pass": 2,
        "plain pass / DEODR forward": 0.8,
        "total / fastest peer forward + backward": 0.8,
    }
    assert size.shares == {COMPACT: 0.5, READ: 0.125, RESIDUALS: 0.0625, STENCIL: 0.25}


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
    report.sizes[0].timings[PLAIN].milliseconds[1:] = 9.0  # both sizes have the same timings
    assert "noisy: 2 of 12 medians" in " ".join(printed(report).split())


def test_the_solvers_get_a_map_with_observed_heights(context: Context) -> None:
    system = fusion_system(context, 65)
    assert system.stencil.channels == 0
    assert system.count == 640 * 480
    assert (system.diagonal() > 0).all()
