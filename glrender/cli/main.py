"""The command line: finds the verb, reads its options, runs it, and turns what goes wrong into one line.

A verb is a module with `run(options) -> int`, whose argument is a frozen dataclass: its fields are the options
and the docstrings under them are the help. Only the module of the verb that is asked for is imported.
"""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from importlib import import_module
from io import StringIO
from typing import Any, get_type_hints

from glrender.cli.memory import keep_freed_memory
from glrender.errors import GlrenderError, UsageError

VERBS: dict[str, tuple[str, str]] = {
    "info": ("glrender.cli.info", "what OpenGL this machine has, and what to install when it has none"),
    "simulate": ("glrender.cli.simulate", "a sequence with known truth, from terrain"),
    "convert": ("glrender.cli.convert", "a video, a ROS bag or a folder of images becomes a sequence"),
    "fuse": ("glrender.cli.fuse", "a sequence becomes a height map, frame by frame"),
    "fit": ("glrender.cli.fit", "a height map fitted to all frames of a sequence jointly"),
    "eval": ("glrender.cli.eval", "how good a map is, against the truth or against frames held out"),
    "layers": ("glrender.cli.layers", "where a robot can drive on a map: slope, steps, free ground"),
    "view": ("glrender.cli.view", "a window on a map and its derivatives, or on a sequence that becomes one"),
    "batch": ("glrender.cli.batch", "many views of a scene, by many processes, into a folder"),
    "bench": ("glrender.cli.bench", "how long each stage takes on this machine"),
}
"""Each verb with its module and what it does."""

FAILED = GlrenderError.exit_status
HELP = """\
usage: glrender VERB [OPTIONS]

A differentiable OpenGL renderer, and height maps fused from images.

verbs:
{verbs}

options:
  -h, --help  this text; after a verb, that verb's options
  --version   the version of glrender
  --debug     show the traceback of an error (before or after the verb)
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrong use."""
    if argv is None:  # the process is this program's own
        _open_closed_streams()
        keep_freed_memory()
        argv = sys.argv[1:]
    arguments = list(argv)
    debug = "--debug" in arguments
    try:
        with _termination_as_interrupt():
            status = _dispatch([argument for argument in arguments if argument != "--debug"])
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # Whoever read our output has gone; what is still buffered must not raise again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt as stop:
        return _report(str(stop) or "interrupted", FAILED, debug)
    except GlrenderError as error:
        return _report(str(error), error.exit_status, debug)
    except MemoryError as error:
        said = str(error) or "no room for another array"
        return _report(f"out of memory: {said}; smaller images or a coarser map take less", FAILED, debug)
    except OSError as error:  # of a file that readers and writers do not speak of themselves
        place = "" if error.filename is None else f"{error.filename}: "
        return _report(f"{place}{error.strerror or error}", FAILED, debug)
    except Exception as error:  # whatever a verb did not foresee still ends in one line, not in a traceback
        name = type(error).__name__
        return _report(f"unexpected {name}: {error} (run again with --debug for the traceback)", FAILED, debug)


def _open_closed_streams() -> None:
    """Let what is said get lost where whoever started the process has closed a stream (`2>&-`): for Python it is None.

    Nor does the first file that is opened then become what others take for standard output.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        print(_help(), end="", file=sys.stderr)
        return UsageError.exit_status
    verb, *rest = arguments
    if verb in ("-h", "--help"):
        print(_help(), end="")
        return 0
    if verb == "--version":
        from importlib.metadata import version

        print(f"glrender {version('glrender')}")
        return 0
    if verb not in VERBS:
        raise UsageError(_unknown_verb(verb))
    run = import_module(VERBS[verb][0]).run
    (options_type,) = (hint for name, hint in get_type_hints(run).items() if name != "return")
    options = _read_options(options_type, verb, rest)
    return 0 if options is None else int(run(options))


def _help() -> str:
    return HELP.format(verbs="\n".join(f"  {verb:<10}  {does}" for verb, (_, does) in VERBS.items()))


def _unknown_verb(verb: str) -> str:
    if verb.startswith("-"):
        return f"unknown option {verb!r} before the verb; expected -h, --version or --debug"
    from difflib import get_close_matches

    guess = get_close_matches(verb, VERBS, n=1)
    hint = f"did you mean {guess[0]!r}? " if guess else ""
    return f"unknown verb {verb!r}; {hint}expected one of {', '.join(VERBS)}"


def _read_options(options_type: Any, verb: str, arguments: list[str]) -> Any | None:
    """The options, or None where the user asked for help and has got it; raises UsageError."""
    import tyro
    from tyro.conf import DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName

    from glrender.cli.complaints import told_in_one_line
    from glrender.cli.options import check_magnitudes

    config = (DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName)
    complaint = StringIO()
    try:
        with redirect_stderr(complaint):
            options = tyro.cli(options_type, prog=f"glrender {verb}", args=arguments, config=config)
    except SystemExit as end:
        if not end.code:
            return None
        raise UsageError(f"{told_in_one_line(complaint.getvalue())} (see glrender {verb} -h)") from None
    check_magnitudes(options, f"(see glrender {verb} -h)")
    return options


def _report(message: str, status: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    lines = (line.strip() for line in message.splitlines())
    print(f"glrender: error: {'; '.join(line for line in lines if line)}", file=sys.stderr)
    return status


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM do what Ctrl-C does, so that a verb which keeps its work on the one keeps it on the other."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set signal handlers
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
