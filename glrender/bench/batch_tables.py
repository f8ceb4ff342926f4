"""Batches for people."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from glrender.bench.batch_benchmark import IMAGE, PLAIN, VERTICES, BatchReport
from glrender.bench.tables import milliseconds, plain_table


def batch_tables(report: BatchReport, peers: Mapping[str, str]) -> Iterator[Table]:
    """What a view takes, the rates of workers, and the ratios that matter."""
    where = f"{VERTICES} x {VERTICES} vertices, {IMAGE[0]} x {IMAGE[1]} pixels, RGB"
    table = plain_table(
        f"{where}; milliseconds in one process", *("what", "median", "min", "x plain:\nmedian of\nthe ratios")
    )
    for name, timing in report.timings.items():
        said = f"{name} (median depth {1e3 * report.agreement[name]:.2f} mm off)" if name in report.agreement else name
        table.add_row(said, *milliseconds(timing), f"{timing.ratio(report.timings[PLAIN]):.2f}")
    for peer, version in peers.items():
        if peer not in report.agreement:
            table.add_row(peer, version)
    yield table

    table = plain_table(
        f"{where}; an image PNG each, median (best)",
        *("workers", "views a second", "processor's\nms a view", "cores busy"),
    )
    for workers, rates in report.rates.items():
        milliseconds_a_view = f"{np.median(rates.milliseconds):.1f}"
        table.add_row(str(workers), _median_and_best(rates.views), milliseconds_a_view, f"{rates.cores:.2f}")
    yield table

    if report.cluster is not None:
        head = (
            f"the same by dask.distributed, a worker a core; {report.cluster.report_bytes:.0f} bytes a view come back"
        )
        table = plain_table(head, "views a task", "views a second")
        for size, views in report.cluster.views.items():
            table.add_row(str(size), _median_and_best(views))
        yield table

    table = plain_table("batches", "ratio", "median over the rounds")
    for name, ratio in report.ratios.items():
        table.add_row(name, f"{ratio:.2f}")
    yield table


def _median_and_best(views: NDArray[np.float64]) -> str:
    return f"{np.median(views):.0f} ({views.max():.0f})"
