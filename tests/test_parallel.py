"""Loops and pieces of work on all cores."""

import threading
from functools import partial

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from glrender.parallel import CORES, begin, blas_on_one_core, even_parts, run_parts, run_together, share_cores


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


def test_blas_keeps_to_one_core_until_the_last_has_left() -> None:
    np.linalg.inv(np.eye(3))  # there is a BLAS

    def threads() -> int:
        return max(library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas")

    with threadpool_limits(2, "blas"):
        before = threads()
        first, second = blas_on_one_core(), blas_on_one_core()
        first.__enter__()
        second.__enter__()
        assert threads() == 1
        first.__exit__(None, None, None)
        assert threads() == 1, "the second is still within it"
        second.__exit__(None, None, None)
        assert threads() == before
