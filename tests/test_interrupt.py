"""A Ctrl-C that arrives within a step is acted on after it."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from glrender.interrupt import interruptible_after


def test_the_step_is_finished_first() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), interruptible_after():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        done = True
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_of_the_step_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), interruptible_after():
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_somebody_elses_handler_stays() -> None:
    received: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: received.append(number))
    try:
        with interruptible_after():
            os.kill(os.getpid(), signal.SIGTERM)
            assert received == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_just_run() -> None:
    ran: list[int] = []

    def step() -> None:
        with interruptible_after():
            ran.append(1)

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert ran == [1]


def test_the_first_process_too_waits_with_signals_until_it_ignores_them() -> None:
    program = (
        "import time; from multiprocessing import get_context; from pathlib import Path\n"
        "from glrender.interrupt import interrupts_blocked\n"
        "process = get_context('spawn').Process(target=time.sleep, args=(60,), daemon=True)\n"
        "with interrupts_blocked(): process.start()\n"
        "print(Path(f'/proc/{process.pid}/status').read_text()); process.kill()"
    )
    status = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    (blocked,) = (int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigBlk"))
    assert all(blocked >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM))
