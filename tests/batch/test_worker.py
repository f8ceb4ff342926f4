"""What a worker does with views, whether its other threads encode them or only write them."""

from collections.abc import Callable
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest
from poison import NoRoom

from glrender.batch.job import Job, make_plan
from glrender.batch.maker import ViewMaker, make_folders
from glrender.batch.messages import Broken, Chunk, Done, Failed, Finish, Report
from glrender.batch.worker import _make_views, _Orders, _Reports
from glrender.io.files import DiskFullError

ReadJob = Callable[..., Job]
ways = pytest.mark.parametrize("alone", [False, True], ids=["others encode", "alone on a core"])


def reports_of(job: Job, folder: Path, alone: bool) -> dict[int, Report]:
    """What became of each view, in order; what is no single view's comes first, numbered from -1 down."""
    plan = make_plan(job)
    make_folders(plan, folder)
    employer, worker = Pipe()
    for order in (Chunk(tuple(range(plan.count))), Finish()):
        employer.send(order)
    with ViewMaker(plan, 0) as maker:
        _make_views(_Orders(worker), _Reports(worker), maker, plan, folder, alone)
    received = [employer.recv() for _ in range(plan.count)]
    assert not employer.poll()
    broken = [each for each in received if isinstance(each, Broken)]
    of_views = {each.view: each for each in received if isinstance(each, Done | Failed)}
    return {-1 - k: each for k, each in enumerate(broken)} | dict(sorted(of_views.items()))


def test_files_are_the_same_whoever_encodes_them(tmp_path: Path, read: ReadJob) -> None:
    outputs: list[dict[str, Any]] = [{"type": name} for name in ("image", "depth", "normals")]
    job = read(views=[{"type": "orbit", "count": 9}], outputs=outputs)
    apart, together = (reports_of(job, tmp_path / str(alone), alone) for alone in (False, True))
    assert apart == together
    assert sorted(apart) == list(range(9))
    for report in apart.values():
        assert isinstance(report, Done)
        for path, size, _ in report.files:
            content = (tmp_path / "False" / path).read_bytes()
            assert content == (tmp_path / "True" / path).read_bytes()
            assert len(content) == size


@ways
def test_a_view_that_cannot_be_rendered_or_encoded_fails_and_the_others_are_made(
    tmp_path: Path, read: ReadJob, alone: bool
) -> None:
    below, far = [0.0, 0.0, -5.0], [0.0, 0.0, 50.0]
    eyes = [[0.0, 0.0, 2.0], below, [0.1, 0.0, 2.0], far, [0.2, 0.0, 2.0]]
    job = read(views=[{"type": "look_at", "eyes": eyes, "targets": [[0.0, 0.01, 0.0]]}], outputs=[{"type": "depth"}])
    reports = reports_of(job, tmp_path / "out", alone)
    assert [k for k, report in reports.items() if isinstance(report, Failed)] == sorted((1, 3))
    assert all(isinstance(reports[k], Done) for k in (0, 2, 4))
    assert len(list((tmp_path / "out/depth").iterdir())) == 3


@ways
def test_a_full_disk_is_the_end_of_the_worker_whoever_finds_it_full(
    tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch, alone: bool
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise DiskFullError(f"{path}: cannot be written: No space left on device")

    job = read(views=[{"type": "orbit", "count": 2}])
    (first, *_) = reports_of(replace(job, outputs=(NoRoom(0),)), tmp_path / "one", alone).values()
    assert first == Broken("no room is left", hopeless=True)
    monkeypatch.setattr("glrender.batch.maker.write_bytes", full)
    for report in reports_of(job, tmp_path / "other", alone).values():
        assert isinstance(report, Broken)
        assert report.hopeless
        assert "No space left" in report.problem
