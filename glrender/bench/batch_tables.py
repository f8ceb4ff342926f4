"""Batches for people."""

from collections.abc import Iterator, Mapping

import numpy as np
from rich.table import Table

from glrender.bench.batch_benchmark import IMAGE, PLAIN, THREADS, VERTICES, WORKERS, BatchReport
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
        f"{where}; views a second with an image PNG each, median (best)",
        *("llvmpipe's threads", *(f"{workers} worker{'s' if workers > 1 else ''}" for workers in WORKERS)),
    )
    for threads in THREADS:
        rates = [report.rates[workers, threads] for workers in WORKERS]
        table.add_row(str(threads), *(f"{np.median(rate):.0f} ({rate.max():.0f})" for rate in rates))
    yield table

    table = plain_table("batches", "ratio", "median over the rounds")
    for name, ratio in report.ratios.items():
        table.add_row(name, f"{ratio:.2f}")
    yield table
