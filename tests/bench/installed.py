"""Peers, where they are here."""

import pytest

from glrender.bench.peers import PeerMissing, load_peer


def installed(name: str) -> type:
    """The class of a peer; the test is skipped where it cannot be used."""
    try:
        return load_peer(name)[0]
    except PeerMissing as missing:
        pytest.skip(f"{name}: {missing}")
