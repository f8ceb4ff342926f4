"""Poses, shutter, lens and clock, told in turns until photographs tell what was undone, and looked up by, before.

Each is told once the others are known, so all of them settle together. The first turn looks for the points of the
photographs twice, since over a plane, from poses as they were given, a shutter is told badly. The next ones begin where
the one before ended, so that once is enough to tell what is left; where that is nothing, they look a second time.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glrender.errors import InputError
from glrender.frontend.estimate import RadialError, TimeEstimate
from glrender.frontend.point_matches import Corners, find_corners, without_corners
from glrender.frontend.refine_poses import RefinedPoses
from glrender.geometry.intensity import intensity
from glrender.io.images import FrameError
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline.shutter import Shutter
from glrender.pipeline.turning_clock import UNKNOWN

Float64 = NDArray[np.float64]

AS_SAID = RadialError(0.0, float("inf"))
"""Of a lens that nothing is told about."""

MOST_TURNS = 6
"""One leaves about a sixth of what was wrong with the readout, and half of what was wrong with the clock beside it."""

Refine = Callable[[list[Corners], Float64, RefinedPoses | None], RefinedPoses]
"""refine(prepared, given, before): one round, from given poses (N, 4, 4); the first one, or the one after `before`."""


@dataclass(frozen=True, eq=False)
class Settled:
    """What the last turn has come to."""

    refined: RefinedPoses
    given: Float64
    """(N, 4, 4): the poses that were refined, looked up by the clock."""
    shutter: Shutter
    """As undone in the photographs."""
    told: Shutter
    """As they tell then."""
    lens: RadialError
    """As undone in them."""
    lens_told: RadialError
    """As they tell then."""
    clock: TimeEstimate
    """By which poses were looked up."""
    asked_for: TimeEstimate
    """As the poses ask for then."""
    confirmed: bool
    """Whether each is the same, as far as can be told."""


def refine_in_turns(
    sequence: Sequence,
    entries: tuple[FrameEntry, ...],
    prepared: list[Corners],
    keyframes: tuple[FrameEntry, ...],
    refine: Refine,
    given_by: Callable[[TimeEstimate], Float64],
    clock_of: Callable[[RefinedPoses], TimeEstimate] = lambda refined: UNKNOWN,
    lens_of: Callable[[RefinedPoses], RadialError] = lambda refined: AS_SAID,
    has_settled: Callable[[RefinedPoses], bool] = lambda refined: True,
) -> Settled:
    """Refine the poses of photographs, `prepared` from `entries` as they are on file, see `read_photographs`.

    `given_by` looks their poses (N, 4, 4) up by a clock, and `refine` makes one round of them. Of refined poses,
    `clock_of` tells which clock they ask for, `lens_of` by how much more the lens bends rays than it was taken to, and
    `has_settled` whether one more round with the same photographs would make the same assumptions again. InputError if
    a photograph can no longer be read, and what `refine` raises.
    """
    shutter, lens, clock, given = Shutter(), AS_SAID, UNKNOWN, given_by(UNKNOWN)

    def heard(refined: RefinedPoses) -> Settled:
        told, left, asked_for = shutter.told(entries, refined), lens_of(refined), clock_of(refined)
        lens_told = RadialError(lens.applied + left.k1, left.sigma)
        confirmed = (
            shutter.is_confirmed_by(told) and lens.is_confirmed_by(lens_told) and clock.is_confirmed_by(asked_for)
        )
        return Settled(refined, given, shutter, told, lens, lens_told, clock, asked_for, confirmed)

    turn, found = 1, heard(refine(prepared, given, refine(prepared, given, None)))
    while not (found.confirmed and has_settled(found.refined)) and turn < MOST_TURNS:
        turn, anew = turn + 1, not found.confirmed
        if anew and (shutter.row_motions or found.told.row_motions or lens.applied or found.lens_told.applied):
            prepared = read_again(undone(sequence, found.told, found.lens_told), entries, keyframes)
        if anew:
            shutter, lens, clock = found.told, found.lens_told, found.asked_for
            given = given_by(clock)
        found = heard(refine(prepared, given, found.refined.over_planes(prepared) if anew else found.refined))
        if anew and (found.confirmed or turn == MOST_TURNS):
            found = heard(refine(prepared, given, found.refined))
    return found


def undone(sequence: Sequence, shutter: Shutter, lens: RadialError) -> Sequence:
    """The same photographs as they would look through the lens that was told, all rows exposed at once."""
    through = sequence.with_lens(lens.applied) if lens.applied else sequence
    return through.with_row_motions(shutter.row_motions)


def read_photographs(
    sequence: Sequence, photographs: tuple[FrameEntry, ...], keyframes: tuple[FrameEntry, ...]
) -> tuple[tuple[FrameEntry, ...], list[Corners]]:
    """Those that can be read, prepared for refining: the keyframes with their corners."""
    with_corners = {entry.index for entry in keyframes}
    entries, prepared = [], []
    for entry in photographs:
        try:
            image = sequence.read(entry).image
        except FrameError:
            continue  # told of by whoever fuses it
        assert image is not None
        entries.append(entry)
        shown = intensity(image)
        anchor = entry.index in with_corners
        prepared.append(find_corners(sequence.camera, shown) if anchor else without_corners(shown))
    if len(entries) < 2:
        raise InputError(
            f"{sequence.folder}: {len(entries)} of {len(photographs)} photographs can be read, expected at least two "
            "to refine their poses"
        )
    return tuple(entries), prepared


def read_again(sequence: Sequence, entries: tuple[FrameEntry, ...], keyframes: tuple[FrameEntry, ...]) -> list[Corners]:
    """The same photographs, prepared anew; InputError if one of them can no longer be read."""
    again, prepared = read_photographs(sequence, entries, keyframes)
    lost = [entry.color_path for entry in entries if entry not in again]
    if lost:
        raise InputError(f"{lost[0]}: can no longer be read, expected the photograph that it was a minute ago")
    return prepared
