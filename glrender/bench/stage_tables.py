"""Stages and what they achieve, for people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.table import Table

from glrender.bench.peers import PEER_SIZES
from glrender.bench.roofline import Ceilings, Point
from glrender.bench.stage_benchmark import SizeReport
from glrender.bench.stages import PLAIN
from glrender.bench.tables import milliseconds, plain_table


def stage_tables(sizes: Sequence[SizeReport], peers: Mapping[str, str]) -> Iterator[Table]:
    """A table for each size of image and map, and the ratios of each image."""
    for image in dict.fromkeys(size.image for size in sizes):
        of_image = [size for size in sizes if size.image == image]
        yield from (_size_table(size, peers) for size in of_image)
        yield _ratio_table(of_image)


def _size_table(size: SizeReport, peers: Mapping[str, str]) -> Table:
    table = plain_table(
        f"{size.vertices} x {size.vertices} vertices, {size.image[0]} x {size.image[1]} pixels, RGB; milliseconds",
        *("stage", "median", "min", "x plain:\nmedian of\nthe ratios", "of the\ntotal"),
    )
    shares = size.shares
    for stage, timing in size.timings.items():
        share = f"{shares[stage]:.0%}" if stage in shares else ""
        table.add_row(stage, *milliseconds(timing), f"{timing.ratio(size.timings[PLAIN]):.2f}", share)
    if size.vertices in PEER_SIZES:
        for peer, version in peers.items():
            if peer not in size.agreement:
                table.add_row(peer, version)
    return table


def _ratio_table(sizes: Sequence[SizeReport]) -> Table:
    width, height = sizes[0].image
    table = plain_table(
        f"{width} x {height}: ratios (medians over the rounds); difference of gradients to ours (relative L2)",
        *("vertices", *(str(size.vertices) for size in sizes)),
    )
    for row in dict.fromkeys(name for size in sizes for name in size.ratios):
        table.add_row(row, *(f"{size.ratios[row]:.2f}" if row in size.ratios else "" for size in sizes))
    if any(size.agreement for size in sizes):
        table.add_row("fastest peer", *(size.fastest_peer or "" for size in sizes))
    for peer in dict.fromkeys(name for size in sizes for name in size.agreement):
        for k, of in enumerate(("heights", "colours")):  # as Gradient has them
            errors = (f"{size.agreement[peer][k]:.0e}" if peer in size.agreement else "" for size in sizes)
            table.add_row(f"{peer} gradient by {of}", *errors)
    return table


def roofline_tables(points: Iterable[Point], ceilings: Ceilings) -> Iterator[Table]:
    """For each image, and for the solvers, what stages achieve on the largest map, and their shares on all maps."""
    points = list(points)
    for image in dict.fromkeys(point.image for point in points):
        yield _roofline_table([point for point in points if point.image == image], image, ceilings)


def _roofline_table(points: Sequence[Point], image: tuple[int, int] | None, ceilings: Ceilings) -> Table:
    sizes = sorted({point.vertices for point in points})
    largest = sizes[-1]
    what = "solvers" if image is None else f"{image[0]} x {image[1]}"
    table = plain_table(
        f"{what}: bytes and operations that the work needs, a second, at {largest} x {largest}; "
        f"share of the bandwidth of copying ({_said(ceilings)})",
        *("stage", "GB/s", "Gflop/s", "flop/byte", *(str(n) for n in sizes)),
    )
    for stage in dict.fromkeys(point.stage for point in points):
        by_size = {point.vertices: point for point in points if point.stage == stage}
        shares = [f"{by_size[n].share:.0%}" if n in by_size else "" for n in sizes]
        point = by_size[max(by_size)]
        achieved = f"{1e-9 * point.bandwidth:.1f}", f"{1e-9 * point.speed:.1f}", f"{point.intensity:.1f}"
        table.add_row(stage, *achieved, *shares)
    return table


def _said(ceilings: Ceilings) -> str:
    return ", ".join(f"{where}: {1e-9 * copied:.1f} GB/s" for where, copied in ceilings.copy.items())
