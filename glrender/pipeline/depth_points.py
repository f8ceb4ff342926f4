"""Some points of some depth images, to see by which poses, or at which scale, the images agree."""

from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.geometry import se3
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence
from glrender.io.trajectory import Trajectory

Float64 = NDArray[np.float64]

_FRAMES, _PIXELS = 40, 2500  # looked at: in all, and of each frame
_LEVEL, _STEEP = 0.2, 6.0  # of the cells, those that scatter least; times as much, what any counts for at most


def read_pixels(
    sequence: Sequence, entries: Sequence_[FrameEntry], pixels: tuple[slice, slice]
) -> list[tuple[FrameEntry, Float64, Float64]]:
    """Of each entry's depth image, those of some `pixels` that measured: (n, 3) rays of z = 1 and (n,) depths, metres.

    Damaged images are left to whoever uses them; InputError where all are.
    """
    directions = sequence.camera.rays()[pixels]
    read: list[tuple[FrameEntry, Float64, Float64]] = []
    damaged: list[FrameError] = []
    for entry in entries:
        try:
            z = sequence.read_depth(entry)[pixels].astype(np.float64)
        except FrameError as error:
            damaged.append(error)
            continue
        seen = np.isfinite(z) & (z > 0)
        read.append((entry, directions[seen], z[seen]))
    if not read:
        raise InputError(f"{sequence.folder}: none of {len(damaged)} depth images can be read: {damaged[0]}")
    return read


@dataclass(frozen=True, eq=False)
class Cells:
    """How the points of each cell scatter, where there are a few."""

    distances: Float64
    """(n,) metres: mean distance from the cell's median."""
    counts: NDArray[np.int64]
    """(n,): points."""

    @property
    def most(self) -> float:
        """Metres: six times what a cell scatters by that is among the most level fifth. Cells with something upright
        scatter by all of its height, whatever the poses; no cell is to count for more than this."""
        return _STEEP * float(np.quantile(self.distances, _LEVEL))

    def spread(self, most: float) -> float:
        """Mean over the points of how much their cells scatter, metres; no cell counts for more than `most`."""
        return float(np.average(np.minimum(self.distances, most), weights=self.counts))

    def share_below(self, most: float) -> float:
        """Share of the points in cells that scatter by less than `most` metres."""
        return float(self.counts[self.distances < most].sum() / self.counts.sum())


@dataclass(frozen=True, eq=False)
class DepthPoints:
    """Some depth points of some frames."""

    trajectory: Trajectory
    """The poses by which they are compared."""
    depth_scale: float
    """Counts per metre by which they were read."""
    times: list[float]
    points: list[Float64]
    """(n, 3) camera coordinates for each time."""
    cell: float
    """Metres: side of the cells in which the points are compared."""

    @staticmethod
    def of(sequence: Sequence, entries: tuple[FrameEntry, ...]) -> "DepthPoints":
        """Those of up to 40 of the frames; InputError where none can be read, or has measured anything."""
        trajectory = sequence.given_trajectory()
        deep = [entry for entry in entries if entry.depth_path is not None]
        if not deep:
            raise InputError(f"{sequence.folder}: none of {len(entries)} frames has a depth image")
        camera = sequence.camera
        step = camera.step_leaving(_PIXELS)
        chosen = [deep[k] for k in np.unique(np.linspace(0, len(deep) - 1, _FRAMES).astype(int))]
        times, points = [], []
        for entry, rays, z in read_pixels(sequence, chosen, np.s_[::step, ::step]):
            # Beyond twice the usual distance a depth camera's noise hides everything.
            near = z < 2 * np.median(z) if z.size else np.zeros(0, bool)
            times.append(entry.time)
            points.append(rays[near] * z[near, None])
        if not sum(map(len, points)):
            raise InputError(f"{sequence.folder}: none of {len(points)} depth images measured anything")
        found = DepthPoints(trajectory, sequence.depth_scale, times, points, np.nan)
        return replace(found, cell=found.depth / camera.fx * step)

    @property
    def depth(self) -> float:
        """Metres: their median."""
        return float(np.median(np.concatenate(self.points)[:, 2]))

    def with_poses(self, first: float, last: float) -> "DepthPoints":
        """Those of the frames that have a pose at all offsets from `first` to `last` seconds."""

        def posed(time: float) -> bool:
            return self.trajectory.covers(time) and not self.trajectory.gap(time)

        covered = [k for k, t in enumerate(self.times) if posed(t + first) and posed(t + last)]
        return replace(self, times=[self.times[k] for k in covered], points=[self.points[k] for k in covered])

    def at_scale(self, depth_scale: float) -> "DepthPoints":
        """As though they had been read by `depth_scale` counts per metre."""
        factor = self.depth_scale / depth_scale
        points = [factor * points for points in self.points]
        return replace(self, depth_scale=depth_scale, points=points, cell=factor * self.cell)

    def scatter(self, offset: float, T_world_map: Float64, fewest: float = 0.5) -> float:
        """How the points of a cell scatter (`Cells.spread`), beside the size of the cell, by the poses `offset` seconds
        later; infinite where less than this part of the points, or none, are in cells with others."""
        posed = self.with_poses(offset, offset)
        cells = posed.cells(offset, T_world_map)
        if cells is None or cells.counts.sum() < fewest * sum(map(len, posed.points)):
            return float("inf")
        return cells.spread(cells.most) / self.cell

    def cells(self, offset: float, T_world_map: Float64) -> Cells | None:
        """The cells with five points or more, by the poses `offset` seconds later. None if fewer than half of the
        frames, or than two, have a pose then, or if no cell has as many points."""
        T_map_world = np.linalg.inv(T_world_map)
        world = []
        for time, points in zip(self.times, self.points, strict=True):
            if self.trajectory.covers(time + offset):
                world.append(se3.transformed(T_map_world @ self.trajectory.at(time + offset), points))
        if len(world) < max(2, len(self.times) / 2):
            return None
        x, y, z = np.concatenate(world).T
        cells = np.stack([np.floor(x / self.cell), np.floor(y / self.cell)]).astype(np.int64)
        cells -= cells.min(axis=1, keepdims=True)
        cell = cells[0] * (cells[1].max() + 1) + cells[1]
        order = np.lexsort((z, cell))
        cell, z = cell[order], z[order]
        first = np.flatnonzero(np.diff(cell, prepend=-1))
        count = np.diff(first, append=len(cell))
        median = z[first + count // 2]
        enough = count >= 5
        if not enough.any():
            return None
        distance = np.add.reduceat(np.abs(z - np.repeat(median, count)), first) / count
        return Cells(distance[enough], count[enough])
