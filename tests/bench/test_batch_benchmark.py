"""The benchmark of batches: what it measures, and what it makes of it."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from glrender.bench import batch_benchmark
from glrender.bench.batch_benchmark import BOTH, PLAIN, VIEW, BatchReport
from glrender.bench.batch_tables import batch_tables
from glrender.bench.benchmark import BATCH, Plan, run_benchmark
from glrender.bench.timing import Timing


def timing(*milliseconds: float) -> Timing:
    return Timing(np.array(milliseconds))


def test_a_small_run_measures_views_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_benchmark, "VIEWS", 12)
    monkeypatch.setattr(batch_benchmark, "THREADS", (1,))
    monkeypatch.setattr(batch_benchmark, "IMAGE", (64, 48))
    done = run_benchmark(Plan(parts=(BATCH,), rounds=2, batch_rounds=1))
    assert done.batch is not None
    assert set(done.batch.rates) == {(1, 1), (2, 1)}
    assert all((rate > 0).all() for rate in done.batch.rates.values())
    assert set(done.batch.ratios) == {"view / plain pass", "2 workers / best single one"}
    assert done.account()["batch"]["rates"].keys() == {"1 workers, 1 threads", "2 workers, 1 threads"}


def test_the_best_of_several_workers_is_held_against_the_best_single_one() -> None:
    timings = {PLAIN: timing(2, 4), VIEW: timing(3, 6), BOTH: timing(4, 8), "pyrender": timing(12, 24)}
    rates = {
        (1, 0): np.array([10.0, 12]),
        (1, 1): np.array([20.0, 22]),
        (2, 0): np.array([30.0, 33]),
        (2, 1): np.array([25.0, 40]),
    }
    for threads in (0, 1, 2):
        rates.setdefault((1, threads), np.array([1.0, 1]))
        rates.setdefault((2, threads), np.array([1.0, 1]))
    report = BatchReport(timings, {"pyrender": 0.001}, rates)
    assert report.ratios == {
        "view / plain pass": 1.5,
        "rate of image and depth / pyrender": 3.0,
        "2 workers / best single one": pytest.approx(np.median([25 / 20, 40 / 22])),
    }
    out = StringIO()
    for table in batch_tables(report, {"pyrender": "0.1.45", "other": "not installed"}):
        Console(file=out, width=100).print(table)
    for words in ("pyrender (median depth 1.00 mm off)", "not installed", "views a second", "21 (22)", "1.50"):
        assert words in out.getvalue()
