"""The peers render the same scene: their gradients are ours."""

import pytest

from glrender.bench import peers
from glrender.bench.peers import PEERS, PeerMissing, load_peer, make_peer
from glrender.bench.scene import reference_scene
from glrender.bench.stages import Stages
from glrender.gl.context import Context

# DEODR interpolates without perspective; Mitsuba's rays decide otherwise at a few edges between triangles.
AGREEMENT = {"DEODR": 1e-3, "Mitsuba": 2e-4}


@pytest.mark.parametrize("name", PEERS)
def test_gradients_agree(context: Context, name: str) -> None:
    try:
        adapter, _ = load_peer(name)
    except PeerMissing as missing:
        pytest.skip(f"{name}: {missing}")
    scene = reference_scene(65)
    peer = make_peer(adapter, scene)
    with Stages(context, scene) as stages:
        own = stages.gradient()
    for _ in range(2):  # the first gradient must not leave anything behind that the second adds to
        assert max(peer.gradient().errors(own)) < AGREEMENT[name]
    peer.forward()


def test_a_peer_that_is_not_installed_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PEERS, "DEODR", ("no-such-package", "glrender.bench.peer_deodr", "DeodrPeer"))
    with pytest.raises(PeerMissing, match=r"^not installed: pip install glrender\[bench\]$"):
        load_peer("DEODR")


@pytest.mark.parametrize("kind", [ImportError, OSError, AttributeError])
def test_a_peer_that_does_not_load_tells_why(kind: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(module: str) -> None:
        raise kind("libLLVM.so: cannot open shared object file")

    monkeypatch.setattr(peers, "version", lambda package: "3.9.1")
    monkeypatch.setattr(peers.importlib, "import_module", fail)
    with pytest.raises(PeerMissing, match=r"^3\.9\.1 does not load: libLLVM\.so: cannot open"):
        load_peer("Mitsuba")
