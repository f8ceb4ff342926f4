"""What `glrender eval` prints for people."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table


def print_tables(title: str, result: Mapping[str, Any]) -> None:
    """Print the outcome of an evaluation, whose keys are those of `glrender eval --json`."""
    numbers = Table(box=box.SIMPLE_HEAD, show_header=False)
    for justify in ("left", "right", "left"):
        numbers.add_column(justify=justify)
    for line in _numbers(result):
        numbers.add_row(*line)
    # Sentences are printed as they are: rich would break long paths.
    print(title)
    console = Console(highlight=False)
    console.print(numbers)
    if result["sigma_quartiles"]:
        console.print(_quartiles(result["sigma_quartiles"]))
    print(f"errors are the {result['error']}")
    if "calibration" in result:
        print(f"camera from {result['calibration']}; time offset {1000 * result['time_offset']:+.1f} ms")
    for skipped in result.get("skipped", ()):
        print(f"skipped frame {skipped.index}, {skipped.name}: {skipped.reason}")
    print(f"picture: {result['picture']}")


def _numbers(result: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Lines of name, value and remark."""

    def mm(name: str) -> str:
        return f"{result[f'{name}_mm']:,.2f} mm"

    frames = "frames" in result
    if frames:
        yield "frames judged", f"{result['frames']}", f"{len(result['skipped'])} skipped"
        yield "pixels judged", f"{result['pixels']:,}"
    else:
        if "trajectory_rmse_mm" in result:
            length, scale = result["trajectory_length_m"], result["trajectory_scale"]
            yield "trajectory error, RMS", mm("trajectory_rmse"), f"over {length:.2f} m, best scale {scale:.4f}"
        yield "cells judged", f"{result['count']:,}", f"of {result['cells']:,} with a height"
    yield "completeness", _percent(result["completeness"])
    yield "median |error|", mm("median_abs")
    yield "mean |error|", mm("mae")
    yield "RMSE", mm("rmse")
    yield "RMSE of errors < 5 cm", mm("rmse_5cm_band"), f"{_percent(result['within_5cm_band'])} of all"
    yield "1.4826 MAD", mm("robust_sigma"), f"{_percent(result['within_25cm_band'])} of errors < 25 cm"
    yield "mean error (offset)", mm("offset"), f"RMSE without it {mm('rmse_without_offset')}"
    if result.get("removed_offset_mm"):
        yield "median error, taken off", mm("removed_offset")
    if "relief_cells" in result:
        yield "relief: cells", f"{result['relief_cells']:,}", f"{_percent(result['relief_share'])} of the truth's"
        yield "relief: completeness", _percent(result["relief_completeness"])
        yield "relief: median |error|", mm("relief_median_abs")
        yield "relief: skill", f"{result['relief_skill']:.3f}", "1 is perfect, 0 a plane"
    if frames:
        yield "median error of each frame, RMS", mm("frame_offset_rms")
        yield "sigma, median", mm("sigma_median"), f"map {mm('map_sigma_median')}, sensor {mm('sensor_sigma_median')}"
    else:
        yield "sigma, median", mm("sigma_median")
    yield "within 1 sigma", _percent(result["within_1_sigma"]), "68 % if sigma is right"
    yield "within 2 sigma", _percent(result["within_2_sigma"]), "95 % if sigma is right"


def _quartiles(quartiles: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("quarter by sigma", "median sigma", "RMSE", "within 1 sigma", "within 2 sigma", box=box.SIMPLE_HEAD)
    for number, quartile in enumerate(quartiles, start=1):
        millimetres = (f"{quartile[f'{name}_mm']:,.2f} mm" for name in ("sigma_median", "rmse"))
        table.add_row(f"{number}", *millimetres, *(_percent(quartile[f"within_{k}_sigma"]) for k in (1, 2)))
    return table


def _percent(share: float) -> str:
    return "unknown" if math.isnan(share) else f"{share:.1%}"
