"""Turns of refining, with photographs that say of shutter and clock what they are told to say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from glrender.frontend.estimate import TimeEstimate
from glrender.frontend.refine_poses import RefinedPoses
from glrender.geometry.row_motion import RowMotion
from glrender.io.sequence import FrameEntry, Sequence
from glrender.pipeline import refinement_turns
from glrender.pipeline.refinement_turns import MOST_TURNS, Settled, refine_in_turns
from glrender.pipeline.turning_clock import UNKNOWN

ENTRIES = tuple(FrameEntry(k, float(k), float(k), Path("a.png"), None) for k in range(3))
READOUT, LATE = 0.03, 0.02


@dataclass
class Photographs:
    """What they say of a readout of 30 ms and of a clock 20 ms late, as far as these are undone and looked up by."""

    answers: Callable[[float], float] = lambda left: 0.95 * left
    """Of what is left, what is told."""
    undone: list[float] = field(default_factory=lambda: [0.0])
    applied: list[float] = field(default_factory=list)
    rounds: list[str] = field(default_factory=list)
    """first, next, or anew."""

    def with_row_motions(self, motions: dict[int, RowMotion]) -> "Photographs":
        self.undone.append(float(motions[0].twist[0]) if motions else 0.0)
        return self

    def given_by(self, clock: TimeEstimate) -> np.ndarray:
        self.applied.append(clock.applied)
        return np.tile(np.eye(4), (3, 1, 1))

    def refine(self, prepared: object, given: object, before: Any) -> RefinedPoses:
        self.rounds.append("first" if before is None else "anew" if before == "anew" else "next")
        return cast(
            RefinedPoses,
            SimpleNamespace(
                rounds=[SimpleNamespace(readout=TimeEstimate(self.answers(READOUT - self.undone[-1]), 1e-4))],
                row_motions=lambda readout: [RowMotion(np.r_[readout, np.zeros(5)], np.zeros(3))] * 3,
                over_planes=lambda photographs: "anew",
            ),
        )

    def clock_of(self, refined: RefinedPoses) -> TimeEstimate:
        return TimeEstimate(self.applied[-1] + self.answers(LATE - self.applied[-1]), 1e-4)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settled]:
    monkeypatch.setattr(refinement_turns, "read_again", lambda *_: [])

    def run(photographs: Photographs, **options: Any) -> Settled:
        sequence = cast(Sequence, photographs)
        return refine_in_turns(sequence, ENTRIES, [], ENTRIES, photographs.refine, photographs.given_by, **options)

    return run


def test_what_is_undone_and_looked_up_by_is_what_is_told(run: Callable[..., Settled]) -> None:
    photographs = Photographs()
    settled = run(photographs, clock_of=photographs.clock_of)
    assert settled.confirmed
    assert settled.told.readout.seconds == pytest.approx(READOUT, abs=1e-4)
    assert settled.asked_for.seconds == pytest.approx(LATE, abs=1e-4)
    assert photographs.undone[-1] == settled.shutter.seconds == pytest.approx(READOUT, abs=1e-3)
    assert photographs.applied[-1] == settled.clock.seconds == pytest.approx(LATE, abs=1e-3)


def test_points_are_looked_for_twice_at_first_and_at_last(run: Callable[..., Settled]) -> None:
    photographs = Photographs(answers=lambda left: 0.8 * left)
    run(photographs, clock_of=photographs.clock_of)
    assert photographs.rounds == ["first", "next", "anew", "anew", "next"]


def test_no_shutter_and_no_clock_take_one_turn(run: Callable[..., Settled]) -> None:
    photographs = Photographs(answers=lambda left: 0.0)
    settled = run(photographs)
    assert settled.confirmed
    assert settled.asked_for == UNKNOWN
    assert photographs.rounds == ["first", "next"]
    assert photographs.undone == [0.0]


def test_it_is_said_where_nothing_settles(run: Callable[..., Settled]) -> None:
    photographs = Photographs(answers=lambda left: 1.9 * left)  # to and fro
    settled = run(photographs)
    assert not settled.confirmed
    assert photographs.rounds == ["first", "next", *["anew"] * (MOST_TURNS - 1), "next"]


def test_what_a_second_look_denies_is_undone_as_well(run: Callable[..., Settled]) -> None:
    photographs = Photographs()
    photographs.answers = lambda left: left + (0.005 if photographs.rounds[3:] == ["next"] else 0.0)
    settled = run(photographs)
    assert settled.confirmed
    assert photographs.rounds == ["first", "next", "anew", "next", "anew", "anew", "next"]
    assert photographs.undone == pytest.approx([0.0, READOUT, READOUT + 0.005, READOUT])
