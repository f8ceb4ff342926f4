"""Other differentiable renderers, each rendering the same scene the fastest way that we found in its own functions.

They give the gradient of the loss, a number a vertex; our stages give the Jacobian's normal equations, of which
the gradient is the right side. Both are compared, so that the same thing is timed.
"""

import importlib
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from glrender.bench.gradient import Gradient
from glrender.bench.scene import Scene


class Peer(Protocol):
    """A renderer with the scene loaded; each call returns when its work is done."""

    def forward(self) -> object:
        """Image and depth."""

    def forward_backward(self) -> object:
        """Image, depth, and the loss's gradient with respect to all vertex positions and colours."""

    def gradient(self) -> Gradient:
        """The same gradient, of the heights and colours of our map."""


class PeerMissing(Exception):
    """A peer cannot be used here; the message says why."""


PEERS = {
    "DEODR": ("deodr", "glrender.bench.peer_deodr", "DeodrPeer"),
    "Mitsuba": ("mitsuba", "glrender.bench.peer_mitsuba", "MitsubaPeer"),
}
"""Each peer's package, and the module and class that speak to it."""

SIZES = (65, 129, 257)
"""Maps on which peers are timed."""


def load_peer(name: str) -> tuple[type, str]:
    """The class of a peer, to be made of a Scene, and its version; raises PeerMissing."""
    package, module, adapter = PEERS[name]
    try:
        found = version(package)
    except PackageNotFoundError:
        raise PeerMissing("not installed: pip install glrender[bench]") from None
    try:
        return getattr(importlib.import_module(module), adapter), found
    except ImportError as error:
        raise PeerMissing(f"{found} does not load: {error}") from None


def make_peer(adapter: type, scene: Scene) -> Peer:
    """A peer with the scene loaded."""
    peer: Peer = adapter(scene)
    return peer
