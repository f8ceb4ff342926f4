"""Fusion's times for people."""

from collections.abc import Iterator, Mapping, Sequence

from rich.table import Table

from glrender.bench.aging import SETTLED, Aging
from glrender.bench.fusion_benchmark import OURS, FusionTimes
from glrender.bench.tables import milliseconds, plain_table


def fusion_tables(times: Sequence[FusionTimes]) -> Iterator[Table]:
    """Frames, the stages of one, and the peers."""
    table = plain_table(
        f"fusion, {times[0].recording}; milliseconds a frame",
        *("pixels", "cells", "of mm", "median", "min", "frames/s"),
    )
    for each in times:
        frame = each.timings[OURS]
        table.add_row(*_where(each), f"{1e3 * each.spacing:.1f}", *milliseconds(frame), f"{1e3 / frame.median:.1f}")
    yield table

    names = list(dict.fromkeys(name for each in times for name in each.stages))
    table = plain_table("the stages of a frame, medians", "pixels", "cells", *(n.replace("_", "\n") for n in names))
    for each in times:
        medians = (f"{each.stages[name].median:.1f}" if name in each.stages else "" for name in names)
        table.add_row(*_where(each), *medians)
    yield table
    if any(each.agreement for each in times):
        yield _peer_table(times)


def _peer_table(times: Sequence[FusionTimes]) -> Table:
    table = plain_table(
        "the same frames into voxels as large as the cells; milliseconds a frame",
        *("pixels", "cells", "peer", "median", "min", "ours x:\nratio of\nmedians", "mm\napart"),
    )
    for each in times:
        for name, apart in each.agreement.items():
            timing = each.timings[name]
            ratio = f"{each.ratios[name]:.2f}"
            table.add_row(*_where(each), name, *milliseconds(timing), ratio, f"{1e3 * apart:.1f}")
    return table


def unusable_lines(times: Sequence[FusionTimes], peers: Mapping[str, str]) -> Iterator[str]:
    """Which volumes of a peer that is here do not work."""
    for name in dict.fromkeys(name for each in times for name in each.unusable):
        peer, volume = name.split(", ")
        yield f"{peer} {peers[peer]}: left out is its {volume}, which integrates nothing"


def aging_lines(aging: Aging) -> Iterator[str]:
    """What a frame costs in an old map, and what memory does."""
    (width, height), (rows, cols), (few, many) = aging.image, aging.shape, aging.frames
    yield (
        f"after {many} frames of {width} x {height} pixels into {rows} x {cols} cells, a frame takes {aging.ratio:.2f} "
        f"times what the same frame takes after {few} (median of the ratios; {aging.old.median:.1f} and "
        f"{aging.young.median:.1f} ms)"
    )
    yield (
        f"resident memory grew by {aging.growth / 1024:+.1f} KiB a frame between frames {SETTLED} and {many}"
        if many > 2 * SETTLED
        else f"resident memory grew by {aging.growth / 1024:+.1f} KiB a frame; {many} frames are few to tell"
    )


def _where(times: FusionTimes) -> tuple[str, str]:
    (width, height), (rows, cols) = times.image, times.shape
    return f"{width} x {height}", f"{rows} x {cols}"
