"""Whether a camera sits otherwise on its carrier, whose poses are given, than was said.

If it does, all given poses are off by one twist in the camera's axes, which looks as if each had an error of its own
that depends on how the camera moves. Over a short way that is next to nothing, and a twist that is estimated
nevertheless takes up the noise of the poses: a camera 3 mm off came out 17 mm off. So a mount is only estimated if the
poses ask for it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

BY_HAND = (0.02, 0.05)
"""Metres and radians: how well a camera's place on its carrier is known if measured by hand, along and about each
axis."""
DECISIVE = 3.0
"""Gain in log likelihood from which on there is one: strong evidence (Kass and Raftery, *Bayes Factors*, 1995)."""
_MOST_LASTING = 0.99  # correlation of errors from one photograph to the next


class MountEvidence(NamedTuple):
    """What poses that were adjusted without a mount say of one."""

    gain: float
    """In log likelihood, by a mount known `BY_HAND`."""
    lasting: float
    """How many poses in a row share one error, in effect: what all poses have wrong alike is known as if there were so
    many times fewer of them."""


def mount_evidence(information: Float64, off: Float64, followed: Float64) -> MountEvidence:
    """What N poses say of a mount, where an adjustment without one has left them.

    `information` (N, 6, 6) is that of each given pose, `off` (N, 6) by what they came out to be off, twists, and
    `followed` (N, 6, 6) the share of a mount that each pose would take up, if all given ones were off by it. What
    poses have wrong may last for some photographs, and then is worth that many fewer: how many is told by what is left
    beside the mount.
    """
    held = np.eye(6) - followed
    told, pull = (information @ held).sum(axis=0), np.einsum("nij,nj->i", information, off)
    known = np.diag(1 / np.square(np.repeat(BY_HAND, 3)))
    left = off - held @ np.linalg.solve(told + known, pull)
    lasting = _lasting(information, left)
    told, pull = told / lasting + known, pull / lasting
    gain = pull @ np.linalg.solve(told, pull) + np.linalg.slogdet(known)[1] - np.linalg.slogdet(told)[1]
    return MountEvidence(0.5 * float(gain), lasting)


def _lasting(information: Float64, left: Float64) -> float:
    """The factor by which a sum of errors varies more than if they were independent: that of a Gauss-Markov process."""
    scaled = left * np.sqrt(np.einsum("nii->ni", information))
    scaled = scaled - scaled.mean(axis=0)
    products, squares = float((scaled[1:] * scaled[:-1]).sum()), float(np.square(scaled).sum())
    correlation = np.clip(products / squares, 0.0, _MOST_LASTING) if squares else 0.0
    return float((1 + correlation) / (1 - correlation))
