"""Bundle adjustment: the poses at which photographs agree about where their points are, whatever their surface.

Gauss-Newton with Levenberg's damping over all poses and the inverse depths of all points (Triggs and others, *Bundle
Adjustment: A Modern Synthesis*, 2000; inverse depths after Civera, Davison and Montiel, 2008). The poses that were
given stay in as a prior: they hold place, direction and scale. What all of them have wrong alike, seen from the camera,
is its place on what carries it, and one more unknown:

    T_camera_world = exp(own error) exp(mount) T_camera_world, given
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.sparse import csc_array, diags_array
from scipy.sparse.linalg import SuperLU

from glrender.assembly.statistics import SIGMA_PER_MEDIAN
from glrender.frontend.estimate import RadialError, TimeEstimate
from glrender.frontend.focal import FocalError
from glrender.frontend.ground_errors import GroundErrors, ground_errors, similarities
from glrender.frontend.lasting_errors import LastingErrors
from glrender.frontend.mount import MountEvidence, mount_evidence
from glrender.frontend.point_matches import Matches
from glrender.frontend.point_term import LOSS, SHARED, PointTerm, Views, point_term, rho
from glrender.frontend.pose_blocks import assembled, factored
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.parallel import run_together

Float64 = NDArray[np.float64]

LEAST_SIGMA = 0.05
"""Pixels: no corner is found again better."""
MOST_STEPS = 30
_HELD = 1e12  # information of a mount that there is not
_READOUT = 0.03  # seconds that a shutter may take from the first row to the last, unless photographs tell better
_RADIAL = 0.03  # of k1, the same
_SETTLED = 1e-4  # of the cost: a smaller gain is none, by a step that nothing holds back
_DAMPING = (1e-9, 1e-4, 1e6)  # of the diagonal: the least, the first, and that from which nothing leads on


@dataclass(frozen=True, eq=False)
class BundlePrior:
    """What is known of N poses before their photographs are looked at."""

    poses: Float64
    """(N, 4, 4) T_world_camera, as given."""
    information: Float64
    """(N, 6, 6) of each one's own twist in its camera frame."""
    mount: Float64 | None
    """(6, 6) information of the twist that they share; None: there is none."""
    free: bool = False
    """Whether place, direction and scale of all poses together are what they are, as of poses that were tracked from
    nothing, rather than known as well as the poses."""

    @property
    def of_mount(self) -> Float64:
        """(6, 6) information of the shared twist, also where it is 0."""
        return _HELD * np.eye(6) if self.mount is None else self.mount

    def off(self, state: "BundleState") -> Float64:
        """(N, 6): each pose's own error, a twist."""
        mounted = self.poses @ se3.exp(-state.mount)
        return np.stack([se3.log(se3.inverse(T) @ G) for T, G in zip(state.poses, mounted, strict=True)])

    def cost(self, state: "BundleState") -> float:
        """Half the squares, over their variances."""
        off = self.off(state)
        own = np.einsum("ni,nij,nj->", off, self.information, off)
        return 0.5 * float(own + state.mount @ self.of_mount @ state.mount)

    def strain(self, state: "BundleState") -> float:
        """How many standard deviations the poses are off by: places, directions or mount, whichever is off by most.

        Root mean squares over poses and axes; about 1 at most where the prior is right.
        """
        squares = np.square(self.off(state)) * np.einsum("nii->ni", self.information)
        mount = np.square(state.mount) * self.of_mount.diagonal()
        return float(np.sqrt(max(part.mean() for part in (squares[:, :3], squares[:, 3:], mount[:3], mount[3:]))))

    def lasting(self, state: "BundleState", motions: Float64) -> LastingErrors | None:
        """How the poses' own errors last, of which photographs do not tell `motions` (N, 6, 7) of all poses; None where
        these are no errors."""
        if self.free:
            return None
        untold, known = self._untold(motions)
        return LastingErrors.told(self.information, self.off(state), state.poses, untold, known)

    def excess(self, lasting: LastingErrors, motions: Float64) -> Float64:
        """(7, 7): by how much the poses know less of `motions` (N, 6, 7), since their errors last."""
        return lasting.excess_of_motions(*self._untold(motions))[:7, :7]

    def _untold(self, motions: Float64) -> tuple[Float64, Float64]:
        """`motions` (N, 6, 7), with that of the mount where there is one, and what is known of them otherwise."""
        if self.mount is None:
            return motions, np.zeros((7, 7))
        of_mount = np.broadcast_to(np.eye(6), (len(motions), 6, 6))
        return np.concatenate([motions, of_mount], axis=2), block_diag(np.zeros((7, 7)), self.mount)

    def told_sigma(self, state: "BundleState", covariances: Float64) -> tuple[float, float]:
        """(metres, radians): standard deviation of the poses' own errors along and about each axis, as they came out.

        Their squares over how many of them photographs tell: of an error that is left as uncertain by `covariances`
        (N, 6, 6) as the prior has it, nothing (Koch, *Maximum Likelihood Estimate of Variance Components*, 1986).
        """
        left = np.einsum("nii->ni", self.information) * np.einsum("nii->ni", covariances)
        squares, told = np.square(self.off(state)), np.clip(1 - left, 0, 1)
        along, about = (np.sqrt(squares[:, k].sum() / max(told[:, k].sum(), 1.0)) for k in (np.s_[:3], np.s_[3:]))
        return float(along), float(about)


@dataclass(frozen=True, eq=False)
class BundleState:
    """What a bundle adjustment estimates."""

    poses: Float64
    """(N, 4, 4) T_world_camera."""
    mount: Float64
    """(6,) twist by which all given poses are off alike, in the camera frame."""
    inverse_depths: tuple[Float64, ...]
    """(n,) of the points of each of the matches, 1/m."""


@dataclass(frozen=True, eq=False)
class Adjusted:
    """What came of a bundle adjustment."""

    state: BundleState
    ground: GroundErrors
    """What remains uncertain of the poses, and of the ground, place for place."""
    shift: Float64
    """(3, 3) m², in the world's axes: covariance of what all that a photograph shows is shifted by, on average over
    the photographs. They agree about the ground that they share to much less than that."""
    sigma: float
    """Pixels: standard deviation along each axis of the matches that are no outliers."""
    inliers: float
    """The share of the matches whose robust weight is above one half."""
    focal_error: FocalError
    """What all of them say of the camera's focal length, whatever the shutter does."""
    readout: TimeEstimate
    """From the exposure of an image's first row to that of its last, to first order, whatever the focal length is."""
    radial_error: RadialError
    """What they say of the lens, whatever the focal length is and the shutter does."""
    strain: float
    """How well the given poses were said to be known, see `BundlePrior.strain`."""
    given_sigma: tuple[float, float]
    """Metres and radians: how well they are known, see `BundlePrior.told_sigma`."""
    mount_evidence: MountEvidence | None
    """What they say of a mount, see `glrender.frontend.mount`; None where there is one."""
    converged: bool


def adjust(
    camera: Camera, matches: Sequence[Matches], prior: BundlePrior, start: BundleState, rates: Float64
) -> Adjusted:
    """The poses, mount and inverse depths that explain `matches` best, from `start` on.

    `rates` (N, 6) say how the cameras move, see `glrender.frontend.point_term.Views`; 0 where that is not known.
    At least one point must have been found. The standard deviation of the matches is estimated anew at every step.
    """
    problem = _Bundle(camera, matches, prior, rates)
    state, converged = problem.settled(start, MOST_STEPS, _DAMPING[1])
    problem.weigh(state)
    terms = problem.terms(state)
    factor = factored(problem.matrix(terms))
    motions = similarities(state.poses)
    lasting = prior.lasting(state, motions)
    excess = None if lasting is None else prior.excess(lasting, motions)
    ground = ground_errors(matches, terms, state.poses, state.inverse_depths, factor, prior.information, excess)
    focal_error, readout, radial_error = problem.camera_errors(terms, factor, state)
    # The prior, which these are compared with, knows nothing of errors that last.
    each_alone = ground.poses if excess is None else ground.poses - motions @ excess @ motions.mT
    return Adjusted(
        state=state,
        ground=ground,
        shift=problem.shift(terms, factor, state, excess),
        sigma=problem.sigma,
        inliers=problem.inliers(state),
        focal_error=focal_error,
        readout=readout,
        radial_error=radial_error,
        strain=prior.strain(state),
        given_sigma=prior.told_sigma(state, each_alone),
        mount_evidence=None if prior.mount is not None else problem.mount_evidence(factor, state),
        converged=converged,
    )


def best_state(
    camera: Camera, matches: Sequence[Matches], prior: BundlePrior, start: BundleState, most_steps: int
) -> BundleState:
    """What a few steps lead to from a `start` near by; what it leaves uncertain, `adjust` tells."""
    return _Bundle(camera, matches, prior, np.zeros((len(start.poses), 6))).settled(start, most_steps, _DAMPING[0])[0]


class _Bundle:
    """The normal equations of one adjustment, over the N twists of the poses and that of the mount."""

    def __init__(self, camera: Camera, matches: Sequence[Matches], prior: BundlePrior, rates: Float64) -> None:
        self._camera, self._matches, self._prior, self._rates = camera, matches, prior, rates
        self.sigma = 1.0
        self._seen: tuple[BundleState, list[Views]] | None = None

    def settled(self, start: BundleState, most_steps: int, damping: float) -> tuple[BundleState, bool]:
        """The best state from `start` on, by steps that are held back by `damping` of the diagonal at first, and
        whether nothing better is near."""
        least, _, most = _DAMPING
        state, converged = start, False
        for _ in range(most_steps):
            self.weigh(state)
            before = self.cost(state)
            terms = self.terms(state)
            matrix, vector = self.matrix(terms), self.vector(terms, state)
            better, gain = state, 0.0
            while damping < most:
                moved = self.stepped(state, terms, matrix, vector, damping)
                gain = before - self.cost(moved)
                if gain >= 0:
                    better = moved
                    break
                damping *= 10
            stuck, state = better is state, better
            damping = max(damping / 10, least)
            # What hardly changes the cost, as a mount does, moves by next to nothing while it is damped.
            if gain < _SETTLED * before and (stuck or damping == least):
                converged = True
                break
        return state, converged

    def _views(self, state: BundleState) -> list[Views]:
        if self._seen is None or self._seen[0] is not state:
            pairs = zip(self._matches, state.inverse_depths, strict=True)
            self._seen = state, [Views.of(self._camera, each, w, state.poses, self._rates) for each, w in pairs]
        return self._seen[1]

    def _off(self, state: BundleState) -> Float64:
        """(matches, 2) pixels."""
        pairs = zip(self._matches, self._views(state), strict=True)
        return np.concatenate([views.off[each.found] for each, views in pairs])

    def weigh(self, state: BundleState) -> None:
        """Take the standard deviation of the matches from how they are off now."""
        self.sigma = max(SIGMA_PER_MEDIAN * float(np.median(np.abs(self._off(state)))), LEAST_SIGMA)

    def inliers(self, state: BundleState) -> float:
        return float(np.mean(LOSS.weight(np.linalg.norm(self._off(state), axis=1) / self.sigma) > 0.5))

    def cost(self, state: BundleState) -> float:
        pairs = zip(self._matches, self._views(state), strict=True)
        return self._prior.cost(state) + sum(rho(each, views, self.sigma) for each, views in pairs)

    def terms(self, state: BundleState) -> list[PointTerm]:
        parts = zip(self._matches, self._views(state), state.inverse_depths, strict=True)
        return run_together(
            *(partial(point_term, self._camera, each, views, w, self.sigma) for each, views, w in parts)
        )

    def stepped(
        self, state: BundleState, terms: list[PointTerm], matrix: csc_array, vector: Float64, damping: float
    ) -> BundleState:
        """One damped step on."""
        damped = csc_array(matrix + diags_array(damping * matrix.diagonal()))
        steps = factored(damped).solve(vector).reshape(-1, 6)
        poses = np.stack([T @ se3.exp(-xi) for T, xi in zip(state.poses, steps[:-1], strict=True)])
        moved = [w + term.steps(steps) for w, term in zip(state.inverse_depths, terms, strict=True)]
        # In front of the camera, however far away.
        return BundleState(poses, state.mount + steps[-1], tuple(np.maximum(w, 1e-3 * np.median(w)) for w in moved))

    def matrix(self, terms: list[PointTerm]) -> csc_array:
        information = self._prior.information
        N = len(information)
        blocks = {(k, k): information[k].copy() for k in range(N)}
        blocks |= {place: -information[k] for k in range(N) for place in ((k, N), (N, k))}
        blocks[N, N] = information.sum(axis=0) + self._prior.of_mount
        for term in terms:
            for a, i in enumerate(term.who):
                for b, j in enumerate(term.who):
                    block = term.matrix[6 * a : 6 * a + 6, 6 * b : 6 * b + 6]
                    blocks[i, j] = blocks[i, j] + block if (i, j) in blocks else block
        return assembled(blocks, N + 1)

    def vector(self, terms: list[PointTerm], state: BundleState) -> Float64:
        pull = np.einsum("nij,nj->ni", self._prior.information, self._prior.off(state))
        vector = np.vstack([-pull, pull.sum(axis=0) - self._prior.of_mount @ state.mount])
        for term in terms:
            vector[list(term.who)] += term.vector[:-SHARED].reshape(-1, 6)
        return vector.ravel()

    def shift(self, terms: list[PointTerm], factor: SuperLU, state: BundleState, excess: Float64 | None) -> Float64:
        """(3, 3), see `Adjusted`: points move with the pose of their anchor, and on their rays as all poses say.

        Each counts by the information that there is of its depth, as it does in a map. By `excess` (7, 7) poses know
        less of the `similarities`, since their errors last.
        """
        found, motions = [], similarities(state.poses).reshape(-1, 7)
        for each, w, term in zip(self._matches, state.inverse_depths, terms, strict=True):
            weight = term.own * w**4
            weight /= weight.sum()
            by = np.zeros((3, len(state.poses) + 1, 6))
            by[:, list(term.who)] = ((weight / w**2 * each.rays.T) @ term.following[:, :-SHARED]).reshape(3, -1, 6)
            by[:, each.anchor] -= np.hstack([np.eye(3), -se3.hat((weight / w) @ each.rays)])
            by = (state.poses[each.anchor, :3, :3] @ by.reshape(3, -1)).T
            found.append(by.T @ factor.solve(by))
            if excess is not None:
                by_motions = by[:-6].T @ motions
                found[-1] += by_motions @ excess @ by_motions.T
        return np.asarray(np.mean(found, axis=0))

    def mount_evidence(self, factor: SuperLU, state: BundleState) -> MountEvidence:
        """What the poses say of a mount; `factor` is of the equations that hold it at 0."""
        information = self._prior.information
        across = np.vstack([*information, np.zeros((6, 6))])
        followed = factor.solve(across)[:-6].reshape(-1, 6, 6)
        return mount_evidence(information, self._prior.off(state), followed)

    def camera_errors(
        self, terms: list[PointTerm], factor: SuperLU, state: BundleState
    ) -> tuple[FocalError, TimeEstimate, RadialError]:
        """The focal length and the readout as two more unknowns, and k1 as a third, to first order.

        Matches with one anchor are off alike where its image is noisy, or where its windows are seen aslant, so sigma
        is at least what the anchors' scores scatter by (White, *A Heteroskedasticity-Consistent Covariance Matrix
        Estimator*, 1980).
        """
        by_pose = np.zeros((len(state.poses) + 1, 6, SHARED))
        for term in terms:
            by_pose[list(term.who)] += term.matrix[:-SHARED, -SHARED:].reshape(-1, 6, SHARED)
        across = by_pose.reshape(-1, SHARED)
        own = np.sum([term.matrix[-SHARED:, -SHARED:] for term in terms], axis=0)
        explained = factor.solve(across)
        told = own - across.T @ explained
        if not told[0, 0] > 1e-6 * own[0, 0]:
            return FocalError(0.0, np.inf), TimeEstimate(0.0, _READOUT), RadialError(0.0, _RADIAL)
        told += np.diag([0.0, 1 / _READOUT**2, 1 / _RADIAL**2])
        vector = self.vector(terms, state)
        pull = np.sum([term.vector[-SHARED:] for term in terms], axis=0) - explained.T @ vector

        def found(count: int) -> tuple[Float64, Float64]:
            """(count,) each: the first so many unknowns, the others held, and their standard deviations."""
            covariance, some = np.linalg.inv(told[:count, :count]), np.arange(count) - SHARED
            values = covariance @ pull[:count]
            steps = (factor.solve(vector) - explained[:, :count] @ values).reshape(-1, 6)
            scatter = np.zeros((count, count))
            for term in terms:
                who, held = list(term.who), np.zeros(SHARED)
                held[:count] = values
                left = term.vector - term.matrix @ np.r_[steps[who].ravel(), held]
                by = explained.reshape(-1, 6, SHARED)[who].reshape(-1, SHARED)[:, :count]
                score = left[some] - by.T @ left[:-SHARED]
                scatter += np.outer(score, score)
            variances = np.maximum(covariance.diagonal(), (covariance @ scatter @ covariance).diagonal())
            return values, np.sqrt(variances)

        (share, readout), (share_sigma, readout_sigma) = found(2)
        (_, _, radial), (_, _, radial_sigma) = found(3)
        return (
            FocalError(float(share), float(share_sigma)),
            TimeEstimate(float(readout), float(readout_sigma)),
            RadialError(float(radial), float(radial_sigma)),
        )
