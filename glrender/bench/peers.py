"""Others' programs, timed beside ours, each doing the same the fastest way that we found in its own functions.

Differentiable renderers give the gradient of the loss, a number a vertex; our stages give the Jacobian's normal
equations, of which the gradient is the right-hand side. Solvers solve the same system, and volumes integrate the same
frames. What they make is compared with ours, so that the same thing is timed.
"""

import importlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glrender.bench.gradient import Gradient


class DifferentiablePeer(Protocol):
    """A differentiable renderer with the scene loaded; each call returns when its work is done."""

    def forward(self) -> object:
        """Image and depth."""

    def forward_backward(self) -> object:
        """Image, depth, and the loss's gradient with respect to all vertex positions and colours."""

    def gradient(self) -> Gradient:
        """The same gradient, of the heights and colours of our map."""


class SolverPeer(Protocol):
    """A solver with a system loaded; it is made of that and of the residual that is to be reached."""

    solvers: tuple[str, ...]
    """The names of what it can solve by."""

    def solve(self, solver: str) -> tuple[NDArray[np.float64], int]:
        """The solution, and the iterations that it took."""

    def release(self) -> None:
        """Give its memory back."""


class VolumePeer(Protocol):
    """A volumetric integration with a recording loaded; each call returns when its work is done."""

    unusable: tuple[str, ...]
    """Kinds of volumes that integrate nothing."""

    def start(self, voxel: float) -> tuple[str, ...]:
        """Make empty volumes with voxels of so many metres; the names of those that integrate anything."""

    def integrate(self, name: str, k: int) -> None:
        """Integrate frame k, counted as `Recording.index` does."""

    def points(self, name: str) -> NDArray[np.float64]:
        """(N, 3) points of the surface so far, metres in the world."""


class RendererPeer(Protocol):
    """A renderer with the scene loaded, which it keeps until the process ends."""

    def render(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """(height, width, 3) the colours as bytes, as they are, and (height, width) depth in metres."""


class PeerMissing(Exception):
    """A peer cannot be used here; the message says why."""


DIFFERENTIABLE = {
    "DEODR": ("deodr", "glrender.bench.peer_deodr", "DeodrPeer"),
    "Mitsuba": ("mitsuba", "glrender.bench.peer_mitsuba", "MitsubaPeer"),
}
"""Differentiable renderers: the package of each, and the module and class that adapt it."""

SOLVERS = {
    "PyAMG": ("pyamg", "glrender.bench.peer_pyamg", "PyamgPeer"),
    "PARDISO": ("pypardiso", "glrender.bench.peer_pardiso", "PardisoPeer"),
}
"""Solvers, likewise."""

VOLUMES = {"Open3D": ("open3d", "glrender.bench.peer_open3d", "Open3dPeer")}
"""What integrates frames into volumes, likewise."""

RENDERERS = {"pyrender": ("pyrender", "glrender.bench.peer_pyrender", "PyrenderPeer")}
"""What renders image and depth without derivatives, likewise."""

PEER_SIZES = (65, 129, 257)
"""Vertices along each side of the maps on which differentiable renderers are timed."""


def load_peer(name: str) -> tuple[type, str]:
    """The class of a peer, to be made of a Scene, a system or a Recording, and its version; raises PeerMissing."""
    package, module, adapter = (DIFFERENTIABLE | SOLVERS | VOLUMES | RENDERERS)[name]
    try:
        found = version(package)
    except PackageNotFoundError:
        raise PeerMissing("not installed: pip install glrender[bench]") from None
    try:
        return getattr(importlib.import_module(module), adapter), found
    except (ImportError, OSError, AttributeError) as error:  # as their authors leave it where a library is missing
        raise PeerMissing(f"{found} does not load: {error}") from None


def load_peers(names: Iterable[str]) -> tuple[dict[str, type], dict[str, str]]:
    """The classes of the peers that are here, and the version of each or why it is missing."""
    adapters, versions = {}, {}
    for name in names:
        try:
            adapters[name], versions[name] = load_peer(name)
        except PeerMissing as missing:
            versions[name] = str(missing)
    return adapters, versions
