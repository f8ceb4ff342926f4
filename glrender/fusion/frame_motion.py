"""How the frames disagree as wholes: a random motion of what each one sees, estimated from what they say.

A frame f sees block b higher than it is by

    sum_s c_fbs x_fs + misfit_fb,

where its states x_fs (shifts, tilts) each follow a Gauss-Markov process over the frames, with covariance
sigma² phi^|f - g| between frames f and g, and the misfit is independent. States of one kind have one sigma and one phi.
The blocks' heights are unknown. This is a linear mixed model, whose sigmas and phis are those of greatest likelihood,
found by expectation maximisation (Laird and Ware, *Random-Effects Models for Longitudinal Data*, Biometrics 1982). The
heights are eliminated, so that what all frames have in common is not taken for agreement.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.fusion.frame_log import Opinions
from glrender.parallel import blas_on_one_core

Float64 = NDArray[np.float64]

_FEWEST = 3  # frames that a variance and a correlation can be told from
_MOST_CORRELATED = 0.99
_DECISIVE = 5.0  # gain in log likelihood: Kass and Raftery, *Bayes Factors*, JASA 1995
_DRIFTING = 0.5  # correlation from which on a process does not say how far it will go: it may not have been there yet
_LEAST = 1e-9  # metres: what frames of one ideal plane differ by is nothing, and cannot be divided by
_HELD = 1e18  # precision of what is known to be 0
_MOST_ITERATIONS, _CONVERGED = 200, 1e-3
_TAIL = 3.0  # misfits beyond as many sigma are of things that moved or were seen past an edge: Cauchy's weights
_KEPT = 0.776  # of the mean square of normal misfits, by these weights


@dataclass(frozen=True)
class Process:
    """A stationary Gauss-Markov process over frames, or over groups of frames that follow each other."""

    sigma: float
    """Standard deviation of each of its values."""
    correlation: float = 0.0
    """Between one value and the next."""

    def precision(self, count: int) -> Float64:
        """(count, count): inverse of the covariance of as many values."""
        diagonal = np.full(count, 1 + self.correlation**2)
        diagonal[[0, -1]] = 1
        beside = np.full(count - 1, -self.correlation)
        matrix = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
        return matrix / ((1 - self.correlation**2) * self.sigma**2)

    def covariance(self, count: int) -> Float64:
        """(count, count): of as many values."""
        values = np.arange(count)
        return self.sigma**2 * np.power(self.correlation, np.abs(np.subtract.outer(values, values)))


@dataclass(frozen=True, eq=False)
class FrameMotion:
    """The mixed model of some opinions, fitted."""

    kinds: tuple[Process, ...]
    """The process of each kind of state."""
    misfit_sigma: float
    """Standard deviation of what is left of a block, metres."""
    trust: Float64
    """(N, K), 0 to 1: what a robust loss leaves of each opinion's weight; 0 where there is none."""
    opinions: Opinions

    @cached_property
    def weight(self) -> Float64:
        """(N, K) 1/m²: of each opinion, given the states."""
        return _divided(self.trust, self.misfit_sigma**2 + _divided(1.0, self.opinions.compared))

    @staticmethod
    def fit(
        opinions: Opinions, columns: Float64, kind: tuple[int, ...], asked: tuple[int, ...] | None = None
    ) -> "FrameMotion":
        """The states lift blocks by `columns` (N, K, S), metres a unit; state s is of the kind number kind[s].

        Only the states `asked` (all unless given) tell what processes of their kind are like.

        All sigmas are 0 where the frames are too few to disagree, or do so no more than their noise has it.
        """
        compared = opinions.compared > 0
        frames = np.count_nonzero(compared.any(axis=1))
        again = np.count_nonzero(compared) - np.count_nonzero(compared.any(axis=0))
        still = FrameMotion((Process(0.0),) * (1 + max(kind)), 0.0, np.zeros(compared.shape), opinions)
        if frames < _FEWEST or again < 3 * frames:
            return still
        with blas_on_one_core():  # on shared cores its threads take longer for such small matrices
            moving = still._maximized(columns, kind, asked or tuple(range(len(kind))))
            without = still._maximized(columns[..., :0], (), (), moving.trust)
            gain = moving._log_likelihood(columns, kind) - without._log_likelihood(columns[..., :0], ())
        return moving if gain > _DECISIVE else replace(without, kinds=still.kinds)

    def constant_covariance(self, columns: Float64, states: list[Process], rise: Float64, prior: Float64) -> Float64:
        """(C, C): how well the frames know errors that are the same in all of them and lift blocks by `rise` (N, K, C).

        `states` with `columns` (N, K, S) are what frames have wrong beside; `prior` (C, C) is the covariance before.
        """
        if not self.trust.any():
            return prior
        with blas_on_one_core():
            matrix, _ = self._equations(columns, rise)
            count = len(matrix) - len(prior)
            matrix[:count, :count] += _precision(len(rise), states)
            explained = matrix[count:, :count] @ np.linalg.solve(matrix[:count, :count], matrix[:count, count:])
        return np.linalg.inv(matrix[count:, count:] - explained + np.linalg.inv(prior))

    def _maximized(
        self, columns: Float64, kind: tuple[int, ...], asked: tuple[int, ...], trust: Float64 | None = None
    ) -> "FrameMotion":
        """The most likely fit; `trust` as given, or found by reweighting."""
        N, _, S = columns.shape
        rise, compared = self.opinions.rise, self.opinions.compared > 0
        members = [[s for s in asked if kind[s] == number] for number in sorted(set(kind))]
        # How much a unit of each kind lifts what is seen, root mean square.
        lift = [float(np.sqrt(np.mean(np.square(columns[compared][:, group])))) or 1.0 for group in members]
        # By how much frames differ about the mean of each block, whatever strays; from below, strays stay strays.
        fit = replace(self, trust=compared.astype(np.float64) if trust is None else trust)
        scale = max(SIGMA_PER_MEDIAN * float(np.median(np.abs(rise - fit._means(rise))[compared])), _LEAST)
        fit = replace(fit, kinds=tuple(Process(scale / 4 / each, 0.5) for each in lift), misfit_sigma=scale)
        nothing = np.zeros((*compared.shape, 0))
        for _ in range(_MOST_ITERATIONS):
            data, vector = fit._equations(columns, nothing)
            covariance = np.linalg.inv(data + _precision(N, [fit.kinds[number] for number in kind]))
            states = covariance @ vector
            moment = (covariance + np.outer(states, states)).reshape(N, S, N, S)
            kinds = tuple(
                _process(np.mean([moment[:, s, :, s] for s in group], axis=0), scale / each)
                for group, each in zip(members, lift, strict=True)
            )
            left = rise - np.einsum("fbs,fs->fb", columns, states.reshape(N, S))
            left = left - fit._means(left)
            freedom = np.count_nonzero(compared) - np.count_nonzero(compared.any(axis=0)) - np.sum(covariance * data)
            excess = np.sum(fit.weight * np.square(left)) / max(freedom, 1.0)
            if trust is None:
                excess /= _KEPT
            before, misfit = fit, max(fit.misfit_sigma * float(np.sqrt(excess)), _LEAST)
            fit = replace(fit, kinds=kinds, misfit_sigma=misfit)
            if trust is None:
                variance = before.misfit_sigma**2 + _divided(1.0, self.opinions.compared)
                fit = replace(fit, trust=np.where(compared, 1 / (1 + np.square(left) / (_TAIL**2 * variance)), 0.0))
            if _alike(before, fit, lift):
                break
        return fit

    def _log_likelihood(self, columns: Float64, kind: tuple[int, ...]) -> float:
        """Of what the frames said, but for a constant."""
        data, vector = self._equations(columns, np.zeros((*self.trust.shape, 0)))
        precision = _precision(len(columns), [self.kinds[number] for number in kind])
        said = self.opinions.rise - self._means(self.opinions.rise)
        square = np.sum(self.weight * np.square(said)) - vector @ np.linalg.solve(data + precision, vector)
        total = self.weight.sum(axis=0)
        determinants = (
            np.sum(np.log(self.weight[self.weight > 0]))
            - np.sum(np.log(total[total > 0]))
            + np.linalg.slogdet(precision)[1]
            - np.linalg.slogdet(data + precision)[1]
        )
        return 0.5 * float(determinants - square)

    def _means(self, values: Float64) -> Float64:
        """(K,): weighted means of (N, K) over the frames; 0 for a block that nothing is known of."""
        return _divided((self.weight * values).sum(axis=0), self.weight.sum(axis=0))

    def _equations(self, columns: Float64, constant: Float64) -> tuple[Float64, Float64]:
        """Normal equations, the heights of the blocks eliminated: (N S + C, N S + C) and (N S + C,).

        Their unknowns are the states, frame by frame, and what multiplies `constant` (N, K, C).
        """
        (N, K, S), C = columns.shape, constant.shape[2]
        of_states = N * S
        weighted = columns * self.weight[..., None]
        from_frames = weighted.transpose(0, 2, 1)
        total = self.weight.sum(axis=0)
        sums = np.empty((K, of_states + C))
        sums[:, :of_states] = weighted.transpose(1, 0, 2).reshape(K, of_states)
        sums[:, of_states:] = np.einsum("fb,fbc->bc", self.weight, constant)
        sums /= np.sqrt(np.where(total > 0, total, 1))[:, None]
        matrix = -(sums.T @ sums)
        state = np.arange(of_states).reshape(N, S)
        matrix[state[:, :, None], state[:, None, :]] += from_frames @ columns
        cross = (from_frames @ constant).reshape(of_states, C)
        matrix[:of_states, of_states:] += cross
        matrix[of_states:, :of_states] += cross.T
        matrix[of_states:, of_states:] += np.einsum("fb,fbc,fbd->cd", self.weight, constant, constant)
        said = self.opinions.rise - self._means(self.opinions.rise)
        pull = (from_frames @ said[..., None]).ravel()
        return matrix, np.concatenate([pull, np.einsum("fb,fbc,fb->c", self.weight, constant, said)])


def _divided(a: Float64 | float, b: Float64) -> Float64:
    """a / b, and 0 where b is."""
    return np.divide(a, b, out=np.zeros(b.shape), where=b != 0)


def _precision(N: int, states: list[Process]) -> Float64:
    """(N S, N S): inverse of the covariance of S independent states of N frames, frame by frame.

    A state whose sigma is 0 is held at 0.
    """
    S = len(states)
    precision = np.zeros((N, S, N, S))
    for s, state in enumerate(states):
        precision[:, s, :, s] = state.precision(N) if state.sigma else _HELD * np.eye(N)
    return precision.reshape(N * S, N * S)


def _process(moment: Float64, drift: float) -> Process:
    """The process whose values have the expected products `moment` (N, N); sigma is at most `drift` where it drifts."""
    N = len(moment)
    variance = float(np.trace(moment)) / N
    correlation = float(np.trace(moment, offset=1)) / ((N - 1) * variance)
    sigma = float(np.sqrt(variance))
    return Process(
        min(sigma, drift) if correlation > _DRIFTING else sigma, float(np.clip(correlation, 0.0, _MOST_CORRELATED))
    )


def _alike(a: FrameMotion, b: FrameMotion, lift: list[float]) -> bool:
    """Whether two fits lead to about the same uncertainty."""
    largest = max([b.misfit_sigma, *(process.sigma * each for process, each in zip(b.kinds, lift, strict=True))])
    change = [abs(a.misfit_sigma - b.misfit_sigma) / largest]
    for p, q, each in zip(a.kinds, b.kinds, lift, strict=True):
        change += [abs(p.sigma - q.sigma) * each / largest, abs(p.correlation - q.correlation)]
    return max(change) < _CONVERGED
