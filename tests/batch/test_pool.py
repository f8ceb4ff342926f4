"""Workers that die, or never live."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from poison import Loaded, Poison

from glrender.batch import pool
from glrender.batch.job import Job, make_plan
from glrender.batch.run import Workers, run_job

ReadJob = Callable[..., Job]


def never_awake(*_: object) -> None:
    """In place of a worker's life."""
    raise SystemExit(1)


def test_a_view_that_kills_its_worker_takes_no_other_with_it(
    tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "RETRIES", 1)
    plan = make_plan(replace(read(views=[{"type": "orbit", "count": 20}]), outputs=(Poison(7),)))
    said: list[str] = []
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)), tell=said.append)
    assert outcome.failed == {7: "2 workers died with it, the last: killed by SIGKILL"}
    assert (outcome.done, outcome.total, outcome.complete) == (19, 20, False)
    assert said.count("a worker died: killed by SIGKILL; another takes its place") == 2
    assert "view 7: 2 workers died with it, the last: killed by SIGKILL" in said
    assert len(list((tmp_path / "out/poison").iterdir())) == 19


def test_a_reason_that_any_worker_would_meet_ends_the_run(tmp_path: Path, read: ReadJob) -> None:
    plan = make_plan(read())
    with open(tmp_path / "map.npz", "ab") as file:
        file.write(b"x")
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)))
    assert outcome.done == 0
    assert outcome.problem == f"{tmp_path / 'map.npz'}: has changed since the job began; run it again"
    assert not (tmp_path / "out").exists()


def test_workers_that_never_start_end_the_run(tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "RETRIES", 0)
    monkeypatch.setattr(pool, "work", never_awake)
    outcome = run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)))
    assert outcome.done == 0
    assert outcome.problem is not None
    assert outcome.problem.startswith("workers do not start: ended with status 1")


def test_a_worker_that_is_killed_before_it_has_the_job_is_replaced(
    tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a job of more bytes than a pipe holds: whoever writes it to a process that is gone would wait for ever."""
    job = read(views=[{"type": "orbit", "count": 600}], camera={"width": 4, "height": 3, "fov": 50})
    plan = make_plan(replace(job, outputs=(Loaded(0),)))
    assert plan.poses.nbytes > 2**16
    started: list[int] = []
    start = pool.Pool._start

    def start_and_kill(self: pool.Pool, device: int) -> None:
        start(self, device)
        started.append(self._workers[-1].process.pid or 0)
        if len(started) == 1:
            self._workers[-1].process.kill()

    monkeypatch.setattr(pool.Pool, "_start", start_and_kill)
    said: list[str] = []
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)), tell=said.append)
    assert said == ["a worker died: killed by SIGKILL; another takes its place"]
    assert len(started) == 2
    assert outcome.complete
    loaded = {path.read_text() for path in (tmp_path / "out/poison").iterdir()}
    assert loaded == {""}, "a worker starts twice as fast without them"
