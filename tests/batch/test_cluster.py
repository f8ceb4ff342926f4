"""The same job on a dask.distributed cluster: several processes of this machine, one of which is killed."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from poison import NoRoom

from glrender.batch import cluster
from glrender.batch.job import Job, make_plan
from glrender.batch.manifest import read_manifest
from glrender.batch.run import Workers, run_job
from glrender.errors import InputError, UsageError

distributed = pytest.importorskip("distributed", reason="an extra that is not installed here")

ReadJob = Callable[..., Job]


@pytest.fixture(scope="module")
def local_cluster() -> Iterator[Any]:
    settings = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": ":0"}
    cluster = distributed.LocalCluster(**settings, host="127.0.0.1", silence_logs=50)
    yield cluster
    with contextlib.suppress(TimeoutError):  # a busy machine may take longer to end processes than dask allows for
        cluster.close()


def test_a_worker_that_is_killed_costs_nothing(
    local_cluster: Any, tmp_path: Path, read: ReadJob, in_this_process: None
) -> None:
    job = read(views=[{"type": "orbit", "count": 60}], outputs=[{"type": "image"}, {"type": "depth"}])
    plan, here = make_plan(job), Workers(1, (0,))
    killed: list[int] = []

    def advance(done: int, total: int) -> None:
        if done and not killed:
            killed.append(next(iter(local_cluster.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    address = local_cluster.scheduler_address
    outcome = run_job(plan, tmp_path / "out", here, scheduler=address, advance=advance)
    assert killed
    assert (outcome.done, outcome.failed, outcome.problem) == (60, {}, None)
    run_job(plan, tmp_path / "calm", here)
    for path in (tmp_path / "calm").rglob("*.png"):
        name = path.relative_to(tmp_path / "calm")
        assert (tmp_path / "out" / name).read_bytes() == path.read_bytes()


def test_an_interruption_finishes_what_is_under_way(local_cluster: Any, tmp_path: Path, read: ReadJob) -> None:
    plan, sent = make_plan(read(views=[{"type": "orbit", "count": 640}])), []

    def advance(done: int, total: int) -> None:
        if done and not sent:
            sent.append(os.kill(os.getpid(), signal.SIGTERM))

    address, out = local_cluster.scheduler_address, tmp_path / "out"
    outcome = run_job(plan, out, Workers(1, (0,)), scheduler=address, advance=advance)
    assert outcome.interrupted
    assert 0 < outcome.done < 640
    listed = {name for line in read_manifest(out) for name in line.get("files", ())}
    assert {str(path.relative_to(out)) for path in out.rglob("*.png")} == listed, "and no file that nobody knows"


def test_a_scheduler_that_is_lost_leaves_what_can_be_gone_on_with(
    tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, out, killed = make_plan(read(views=[{"type": "orbit", "count": 640}])), tmp_path / "out", []
    with _processes_of_a_cluster(tmp_path) as (scheduler, address):

        def advance(done: int, total: int) -> None:
            if done and not killed:
                monkeypatch.setattr(cluster, "RECOUNT", -1.0)  # so that it is asked again at once
                killed.append(scheduler.kill())

        outcome = run_job(plan, out, Workers(1, (0,)), scheduler=address, advance=advance)
    assert outcome.problem is not None
    assert outcome.problem.startswith(f"scheduler: {address} is gone: ")
    assert not outcome.failed
    assert 0 < outcome.done < 640
    assert sum("view" in line for line in read_manifest(out)) == outcome.done


@pytest.mark.parametrize("call", ["scheduler_info", "submit"])
def test_nor_does_one_that_is_lost_at_once_leave_anything_else(
    local_cluster: Any, tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def lose(client: Any, *_: object, **__: object) -> None:
        raise distributed.comm.CommClosedError("Stream is closed")

    monkeypatch.setattr(distributed.Client, call, lose)
    address = local_cluster.scheduler_address
    outcome = run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler=address)
    assert outcome.problem == f"scheduler: {address} is gone: Stream is closed"


def test_what_is_wrong_here_is_no_lost_scheduler(
    local_cluster: Any, tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(client: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(distributed.Client, "nthreads", fail)
    with pytest.raises(OSError, match="Too many open files"):
        run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address)


@pytest.mark.parametrize("error", [OSError("Timed out trying to connect"), TimeoutError("no answer within 30 s")])
def test_a_scheduler_that_does_not_answer_is_a_lost_one(
    local_cluster: Any, tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(client: Any) -> None:
        raise error

    monkeypatch.setattr(distributed.Client, "nthreads", fail)
    outcome = run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address)
    assert outcome.problem is not None
    assert f"is gone: {error}" in outcome.problem


def test_a_task_that_is_cancelled_while_it_is_looked_at_is_no_failure(
    local_cluster: Any, tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As all are by which a scheduler was lost after it had told that they failed."""
    plan = make_plan(replace(read(views=[{"type": "orbit", "count": 1}]), outputs=(NoRoom(0),)))
    looked: list[Any] = []
    exception = distributed.Future.exception

    def vanish(task: Any, *arguments: Any) -> Any:
        looked.append(task)
        return None if len(looked) == 1 else exception(task, *arguments)

    monkeypatch.setattr(distributed.Future, "exception", vanish)
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address)
    assert len(looked) == 2
    assert not outcome.failed
    assert outcome.problem == "no room is left"


@contextlib.contextmanager
def _processes_of_a_cluster(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A scheduler, and its address, and a worker of its own: two processes that know nothing of this one."""
    told = folder / "scheduler.json"
    dask = [sys.executable, "-m", "dask"]
    settings = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    with subprocess.Popen([*dask, "scheduler", "--scheduler-file", told, *settings]) as scheduler:
        worker = subprocess.Popen([*dask, "worker", "--scheduler-file", told, "--nthreads", "1", "--no-dashboard"])
        try:
            with distributed.Client(scheduler_file=told, timeout=60, set_as_default=False) as client:
                client.wait_for_workers(1, timeout=60)
                address = client.scheduler.address
            yield scheduler, address
        finally:
            scheduler.kill()
            worker.terminate()
            worker.wait(timeout=60)


def test_views_that_fail_are_told_one_by_one(local_cluster: Any, tmp_path: Path, read: ReadJob) -> None:
    below = {"type": "look_at", "eyes": [[0, 0, 0]], "targets": [[1, 0, 0]]}
    plan = make_plan(read(views=[{"type": "orbit", "count": 2}, below, {"type": "orbit", "count": 2}]))
    said: list[str] = []
    outcome = run_job(
        plan, tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address, tell=said.append
    )
    assert outcome.done == 4
    assert list(outcome.failed) == [2]
    assert said[0].startswith("view 2: the camera at (0, 0, 0) is 0.1 m below")


def test_a_full_disk_ends_the_run(local_cluster: Any, tmp_path: Path, read: ReadJob) -> None:
    plan = make_plan(replace(read(), outputs=(NoRoom(3),)))
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address)
    assert outcome.problem == "no room is left"
    assert not outcome.complete


def test_inputs_may_be_urls(local_cluster: Any, tmp_path: Path, read: ReadJob) -> None:
    read()
    url = f"file://{tmp_path}/map.npz"
    plan = make_plan(read(scene=[{"type": "heightmap", "source": url}], views=[{"type": "orbit", "count": 1}]))
    with fsspec.open(url) as file:
        assert file.read(2) == b"PK"
    outcome = run_job(plan, tmp_path / "out", Workers(1, (0,)), scheduler=local_cluster.scheduler_address)
    assert outcome.complete


def test_devices_go_round_on_each_machine() -> None:
    workers = {f"tcp://{host}:{port}": {"host": host} for host in ("a", "b") for port in (1, 2, 3)}
    found = cluster._devices_by_worker(workers, (4, 7))
    assert [found[address] for address in sorted(workers)] == [4, 7, 4, 4, 7, 4]


def test_a_scheduler_that_does_not_answer_is_told(
    tmp_path: Path, read: ReadJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.5)
    with pytest.raises(InputError, match="scheduler: no answer from tcp://127.0.0.1:1"):
        run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler="tcp://127.0.0.1:1")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["host", "tcp://host", "host:port", "http://host:8786", "tcp://:8786", ""])
def test_what_is_no_address_is_refused(tmp_path: Path, read: ReadJob, address: str) -> None:
    with pytest.raises(UsageError, match=f"scheduler: received '{address}', expected its address, such as tcp://host"):
        run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler=address)


def test_a_scheduler_without_workers_is_told(tmp_path: Path, read: ReadJob) -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0", host="127.0.0.1", silence_logs=50) as empty,
        pytest.raises(InputError, match="has no workers; start some with `dask worker"),
    ):
        run_job(make_plan(read()), tmp_path / "out", Workers(1, (0,)), scheduler=empty.scheduler_address)
