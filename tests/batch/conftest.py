"""A small scene and jobs of it."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glrender.batch import run
from glrender.batch.job import Job, Plan, job_of
from glrender.batch.ledger import Ledger
from glrender.batch.maker import ViewMaker, encode_view, write_files
from glrender.batch.messages import Done, Failed
from glrender.errors import InputError
from glrender.geometry.heightmap import HeightMap

WriteJob = Callable[..., Path]


@pytest.fixture(scope="session", autouse=True)
def _workers_without_pytest() -> Iterator[None]:
    """Processes that are spawned import the module that this one was started with: here that would be pytest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["__main__"], "__spec__", None)
        patch.delattr(sys.modules["__main__"], "__file__", raising=False)
        yield


@pytest.fixture(scope="session")
def ground() -> HeightMap:
    """A coloured map of 17 x 21 vertices, 2 m x 1.6 m, up to 0.2 m high."""
    x, y = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-0.8, 0.8, 17))
    colors = np.stack([0.5 + 0.4 * np.sin(4 * x), 0.5 + 0.4 * np.cos(5 * y), 0.5 + 0.3 * np.sin(3 * x * y)], axis=-1)
    heights = 0.1 + 0.1 * np.sin(3 * x) * np.cos(2 * y)
    return HeightMap(heights.astype(np.float32), 0.1, (-1.0, -0.8), colors.astype(np.float32))


def content(**changes: Any) -> dict[str, Any]:
    """What a job file of 6 small views of the map says, with some keys changed."""
    return {
        "scene": [{"type": "heightmap", "source": "map.npz"}],
        "camera": {"width": 48, "height": 36, "fov": 50},
        "views": [{"type": "orbit", "count": 6}],
        "outputs": [{"type": "image"}, {"type": "depth"}],
    } | changes


@pytest.fixture
def write_job(tmp_path: Path, ground: HeightMap) -> WriteJob:
    """write_job(key=…) writes a job file and its map; returns the job file."""

    def write(**changes: Any) -> Path:
        ground.save(tmp_path / "map.npz")
        path = tmp_path / "job.json"
        path.write_text(json.dumps(content(**changes)))
        return path

    return write


@pytest.fixture
def read(tmp_path: Path, ground: HeightMap) -> Callable[..., Job]:
    """read(key=…): the job that such a file says."""

    def read(**changes: Any) -> Job:
        ground.save(tmp_path / "map.npz")
        return job_of(str(tmp_path / "job.json"), content(**changes))

    return read


class InThisProcess:
    """Stands in for the pool of worker processes, each of which takes seconds to start."""

    def __init__(self, plan: Plan, folder: Path, ledger: Ledger, workers: int, devices: tuple[int, ...]) -> None:
        self._plan, self._folder, self._ledger, self._device = plan, folder, ledger, devices[0]

    def run(self) -> None:
        with ViewMaker(self._plan, self._device) as maker:
            for view in self._ledger.missing:
                try:
                    files = write_files(self._folder, encode_view(self._plan, maker.render(view)))
                except InputError as error:
                    self._ledger.record(Failed(view, str(error)))
                else:
                    self._ledger.record(Done(view, tuple(files)))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let jobs be rendered here, for tests of what is around it."""
    monkeypatch.setattr(run, "Pool", InThisProcess)
