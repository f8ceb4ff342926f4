"""Views of simulated ground, and what finds depths in them, for all tests of depth from motion."""

from collections.abc import Iterator

import pytest
from motion_scene import Views, rover_views

from glrender.frontend.depth_from_motion import DepthFromMotion
from glrender.gl.context import Context


@pytest.fixture(scope="session")
def views(context: Context) -> Views:
    return rover_views(context)


@pytest.fixture(scope="module")
def sweep(context: Context, views: Views) -> Iterator[DepthFromMotion]:
    sweep = DepthFromMotion(context, views.camera)
    yield sweep
    sweep.release()
