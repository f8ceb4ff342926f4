"""The peers render the same scene: their gradients are ours."""

import pytest
from installed import installed

from glrender.bench import peers
from glrender.bench.peers import DIFFERENTIABLE, DifferentiablePeer, PeerMissing, load_peer, load_peers
from glrender.bench.scene import reference_scene
from glrender.bench.stages import Stages
from glrender.gl.context import Context

# DEODR interpolates without perspective; Mitsuba's rays decide otherwise at a few edges between triangles.
AGREEMENT = {"DEODR": 1e-3, "Mitsuba": 2e-4}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_agree(context: Context, name: str) -> None:
    scene = reference_scene(65)
    peer: DifferentiablePeer = installed(name)(scene)
    with Stages(context, scene) as stages:
        own = stages.gradient()
    for _ in range(2):  # the first gradient must not leave anything behind that the second adds to
        assert max(peer.gradient().errors(own)) < AGREEMENT[name]
    peer.forward()


@pytest.mark.parametrize("kind", ["DIFFERENTIABLE", "SOLVERS", "VOLUMES", "RENDERERS"])
def test_peers_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    known = getattr(peers, kind)
    for name, (_, module, adapter) in known.items():
        monkeypatch.setitem(known, name, ("no-such-package", module, adapter))
    adapters, versions = load_peers(known)
    assert not adapters
    assert versions == dict.fromkeys(known, "not installed: pip install glrender[bench]")


@pytest.mark.parametrize("kind", [ImportError, OSError, AttributeError])
def test_a_peer_that_does_not_load_tells_why(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(module: str) -> None:
        raise kind("libLLVM.so: cannot open shared object file")

    monkeypatch.setattr(peers, "version", lambda package: "3.9.1")
    monkeypatch.setattr(peers.importlib, "import_module", fail)
    with pytest.raises(PeerMissing, match=r"^3\.9\.1 does not load: libLLVM\.so: cannot open"):
        load_peer("Mitsuba")
