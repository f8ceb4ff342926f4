"""What is rehearsed is what frames ask for: after it, none loads a compiled loop."""

import subprocess
import sys

import pytest

from glrender.fusion.options import FusionOptions
from glrender.fusion.rehearsal import rehearse_fusion
from glrender.gl.context import Context

FRAMES = """
import numpy as np
from numba.core.dispatcher import Dispatcher
from glrender.fusion.heightmap import HeightMapFusion
from glrender.fusion.options import FusionOptions
from glrender.fusion.rehearsal import rehearse_fusion
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.gl.context import Context

loaded, compile = [], Dispatcher.compile
Dispatcher.compile = lambda self, signature: (loaded.append(self.py_func.__name__), compile(self, signature))[1]
with Context() as context:
    rehearse_fusion(context, FusionOptions(), 3)
    before = len(loaded)
    camera = Camera(320, 240, 280.0, 280.0, 159.5, 119.5)
    fusion = HeightMapFusion(context, camera, 0.03, (-0.7, 0.8, -0.6, 0.6))
    for k in range(9):
        image = np.full((*camera.shape, 3), 0.3, np.float32)
        depth = np.full(camera.shape, 1.0 + 0.02 * (k % 2), np.float32)
        fusion.integrate(se3.look_at((0.03 * k, 0, 1), (0.03 * k, 0.1, 0)), image, depth)
    fusion.release()
    print(before, *loaded[before:])
"""


def test_nothing_is_left_to_load() -> None:
    """In a process of its own: other tests have loaded what there is."""
    found = subprocess.run([sys.executable, "-c", FRAMES], capture_output=True, text=True, timeout=300, check=True)
    before, *after = found.stdout.split()
    assert int(before) > 10
    assert after == []


@pytest.mark.parametrize(("heights_from", "channels"), [("depth", 0), ("both", 3), ("color", 1)])
def test_it_leaves_nothing(context: Context, heights_from: str, channels: int) -> None:
    before = context.live_objects
    rehearse_fusion(context, FusionOptions(heights_from=heights_from), channels)
    assert context.live_objects == before
