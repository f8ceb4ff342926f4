"""Loops and pieces of work on all cores."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from glrender.parallel import (
    CORES,
    begin,
    blas_on_one_core,
    cores_free,
    even_parts,
    run_parts,
    run_together,
    share_cores,
)


def test_results_come_in_the_order_of_the_parts() -> None:
    parts = even_parts(100)
    assert run_parts(lambda scale, first, last: (scale * first, scale * last), parts, 2) == [
        (2 * first, 2 * last) for first, last in parts
    ]
    assert run_parts(lambda first, last: None, []) == []


def test_parts_cover_all_rows_once() -> None:
    for count in (0, 1, CORES, 7 * CORES + 1):
        rows = [row for first, last in even_parts(count) for row in range(first, last)]
        assert rows == list(range(count))


def test_processes_share_the_cores() -> None:
    try:
        for processes in (1, CORES, 10 * CORES):
            share_cores(processes)
            assert len(even_parts(1000)) == max(1, CORES // processes)
    finally:
        share_cores(1)


def test_cores_that_work_are_not_free() -> None:
    assert cores_free() == CORES
    go = threading.Event()
    try:
        share_cores(2)
        own = cores_free()
    finally:
        share_cores(1)
    waits = []
    for count in range(1, CORES + 2):
        waits.append(begin(partial(go.wait, 30)))
        assert cores_free() == max(1, CORES // (1 + count))
    assert own == max(1, CORES // 2)
    go.set()
    assert all(wait() for wait in waits)
    for _ in range(1000):  # a thread tells what it has done before it may be counted as free
        if cores_free() == CORES:
            break
        time.sleep(0.001)
    assert cores_free() == CORES
    try:
        share_cores(CORES)
        assert cores_free() == 1
    finally:
        share_cores(1)


def test_work_within_work_ends() -> None:
    """Where every thread is busy with something that waits for parts of its own, each does these itself."""

    def nested(depth: int, first: int, last: int) -> int:
        if depth == 0:
            return last - first
        return sum(run_parts(nested, [(first, last)] * 3, depth - 1))

    done: list[list[int]] = []
    worker = threading.Thread(
        target=lambda: done.append(run_together(*[partial(nested, 3, 0, 1)] * (4 * CORES))), daemon=True
    )
    worker.start()
    worker.join(30)
    assert done == [[27] * (4 * CORES)]


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_comes_once_nothing_runs_any_more(failing: int) -> None:
    running = [0]
    lock = threading.Lock()

    def work(k: int) -> None:
        with lock:
            running[0] += 1
        try:
            if k == failing:
                raise ValueError(k)
            threading.Event().wait(0.05)
        finally:
            with lock:
                running[0] -= 1

    with pytest.raises(ValueError, match=str(failing)):
        run_together(*(partial(work, k) for k in range(3)))
    assert running == [0]


def test_what_is_begun_goes_on_beside() -> None:
    began, may_end = threading.Event(), threading.Event()

    def work() -> str:
        began.set()
        assert may_end.wait(30)
        return threading.current_thread().name

    result = begin(work)
    assert began.wait(30)  # nobody has asked for its result
    may_end.set()
    assert result().startswith("glrender")


def test_what_no_thread_has_begun_is_done_by_who_asks() -> None:
    may_end = threading.Event()
    busy = [begin(partial(may_end.wait, 30)) for _ in range(CORES)]
    try:
        assert begin(threading.current_thread)() is threading.current_thread()
    finally:
        may_end.set()
    assert all(wait() for wait in busy)


def test_an_error_of_what_was_begun_comes_with_its_result() -> None:
    def fail() -> None:
        raise ValueError("late")

    result = begin(fail)
    with pytest.raises(ValueError, match="late"):
        result()


def blas_threads() -> list[int]:
    """Of each library that has a BLAS."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.mark.parametrize("last", ["this", "another"])
def test_blas_keeps_to_one_core_until_the_last_thread_has_left(last: str) -> None:
    np.linalg.inv(np.eye(3))  # there is a BLAS
    with threadpool_limits(2, "blas"), ThreadPoolExecutor(1) as another:  # this thread was the first to limit it
        before = blas_threads()
        assert max(before) > 1
        here, there = blas_on_one_core(), blas_on_one_core()
        leave = {
            "this": partial(here.__exit__, None, None, None),
            "another": lambda: another.submit(there.__exit__, None, None, None).result(),
        }
        another.submit(there.__enter__).result()
        assert set(blas_threads()) == {1}
        here.__enter__()
        for name in sorted(leave, key=lambda name: name == last):
            assert set(blas_threads()) == {1}, "the last is still within it"
            leave[name]()
        assert blas_threads() == before


def test_blas_is_anybodys_again_once_all_have_left() -> None:
    with ThreadPoolExecutor(1) as another:  # which lives on

        def within() -> None:
            with blas_on_one_core():
                pass

        with threadpool_limits(2, "blas"):
            another.submit(within).result()
            with threadpool_limits(1, "blas"):
                assert set(blas_threads()) == {1}, "by a limit of the user's own, in this thread"


def test_blas_that_is_imported_later_keeps_to_one_core_too() -> None:
    """Whether nobody was within it when it came, or somebody; all get back what they had."""
    script = """
import numpy
from threadpoolctl import threadpool_info
from glrender.parallel import CORES, blas_on_one_core
blas_threads = lambda: [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]
with blas_on_one_core():
    assert set(blas_threads()) == {1}, blas_threads()
import scipy.linalg
with blas_on_one_core():
    assert set(blas_threads()) == {1} and len(blas_threads()) == 2, blas_threads()
    import cv2
    with blas_on_one_core():
        assert set(blas_threads()) == {1} and len(blas_threads()) == 3, blas_threads()
assert set(blas_threads()) == {min(2, CORES)}, blas_threads()
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "OPENBLAS_NUM_THREADS": "2"}, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
