"""What the viewer's tests share: a small scene, and a display without a screen."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.viewer.painter import Painter

INSTALL = "apt-get install -y --no-install-recommends xvfb xauth xdotool"


@pytest.fixture(scope="session")
def hills() -> HeightMap:
    """A coloured map of 33 x 41 vertices with a corner that nobody has seen."""
    y, x = np.mgrid[-0.8:0.8:33j, -1:1:41j]
    heights = 0.12 * np.sin(4 * x) * np.cos(5 * y) + 0.05 * x
    heights[:8, :9] = np.nan
    colors = np.stack([0.5 + 0.4 * np.sin(9 * x), 0.5 + 0.4 * np.cos(8 * y), 0.4 + 0 * x], axis=-1)
    return HeightMap(heights, 0.05, (-1.0, -0.8), colors, sigma=0.002 + 0.01 * np.abs(heights))


@pytest.fixture(scope="module")
def painter(context: Context, request: pytest.FixtureRequest) -> Iterator[Painter]:
    """Of pictures of the test file's SIZE; it leaves nothing behind."""
    before = context.live_objects
    painter = Painter(context, request.module.SIZE)
    yield painter
    painter.release()
    assert context.live_objects == before


@pytest.fixture(scope="session")
def map_file(hills: HeightMap, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a file."""
    path = tmp_path_factory.mktemp("viewer") / "hills.npz"
    hills.save(path)
    return path


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of a display that nobody looks at."""
    server = shutil.which("Xvfb")
    if server is None or shutil.which("xdotool") is None:
        pytest.skip(f"windows are tested on a virtual display: {INSTALL}")
    reading, writing = os.pipe()
    command = [server, "-displayfd", str(writing), "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"]
    process = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as answer:
        number = answer.readline().strip()
    if not number:
        pytest.fail(f"Xvfb ended with status {process.wait()} before it had a display")
    yield f":{number}"
    process.terminate()
    process.wait(timeout=10)
