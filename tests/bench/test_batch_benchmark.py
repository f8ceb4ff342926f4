"""The benchmark of batches: what it measures, and what it makes of it."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from glrender.bench import batch_benchmark, batch_rates
from glrender.bench.batch_benchmark import BOTH, PLAIN, VIEW, BatchReport
from glrender.bench.batch_rates import ClusterRates, Rates
from glrender.bench.batch_tables import batch_tables
from glrender.bench.benchmark import BATCH, Plan, run_benchmark
from glrender.bench.timing import Timing
from glrender.io.report import to_json


def timing(*milliseconds: float) -> Timing:
    return Timing(np.array(milliseconds))


def test_a_small_run_measures_views_workers_and_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_rates, "VIEWS", 40)
    monkeypatch.setattr(batch_rates, "TASK_VIEWS", 40)
    monkeypatch.setattr(batch_rates, "WORKERS", (1,))
    monkeypatch.setattr(batch_rates, "TASKS", (4,))
    monkeypatch.setattr(batch_rates, "CORES", 1)
    monkeypatch.setattr(batch_benchmark, "IMAGE", (64, 48))
    done = run_benchmark(Plan(parts=(BATCH,), rounds=2, batch_rounds=1))
    assert done.batch is not None
    assert set(done.batch.rates) == {1}
    assert (done.batch.rates[1].views > 0).all()
    assert set(done.batch.ratios) == {"view / plain pass"}
    account = json.loads(json.dumps(to_json(done.account()["batch"]), allow_nan=False))
    assert account["rates"].keys() == {"1 workers"}
    if done.batch.cluster is not None:
        assert done.batch.cluster.views.keys() == {4}
        assert 100 < done.batch.cluster.report_bytes < 1000


def test_ratios_are_taken_round_by_round_and_told() -> None:
    timings = {PLAIN: timing(2, 4), VIEW: timing(3, 6), BOTH: timing(4, 8), "pyrender": timing(12, 24)}
    rates = {
        1: Rates(np.array([20.0, 22]), np.array([50.0, 50])),
        2: Rates(np.array([25.0, 40]), np.array([60.0, 50])),
    }
    cluster = ClusterRates({1: np.array([7.0, 9])}, 168.0)
    report = BatchReport(timings, {"pyrender": 0.001}, rates, cluster)
    assert report.ratios == {
        "view / plain pass": 1.5,
        "rate of image and depth / pyrender": 3.0,
        "2 workers / a single one": pytest.approx(np.median([25 / 20, 40 / 22])),
    }
    out = StringIO()
    for table in batch_tables(report, {"pyrender": "0.1.45", "other": "not installed"}):
        Console(file=out, width=100).print(table)
    told = "pyrender (median depth 1.00 mm off)", "not installed", "21 (22)", "1.05", "168 bytes", "8 (9)", "1.50"
    for words in told:
        assert words in out.getvalue()
