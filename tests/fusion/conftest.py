"""What the tests of fusion share."""

from collections.abc import Iterator

import pytest
from flights import Flight

from glrender.fusion.heightmap import HeightMapFusion
from glrender.gl.context import Context


@pytest.fixture
def fusion(context: Context, flight: Flight) -> Iterator[HeightMapFusion]:
    """An empty one over the ground of the test file's `flight`."""
    fusion = flight.fusion(context)
    yield fusion
    fusion.release()
