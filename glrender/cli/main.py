"""The command line: finds the verb, reads its options, runs it, and turns what goes wrong into one line.

A verb is a module with `run(options) -> int`, whose argument is a frozen dataclass: its fields are the options
and the docstrings under them are the help. Only the module of the verb that is asked for is imported.
"""

import os
import re
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
    except KeyboardInterrupt:
        return _report("interrupted", FAILED, debug)
    except GlrenderError as error:
        return _report(str(error), error.exit_status, debug)
    except Exception as error:  # whatever a verb did not foresee still ends in one line, not in a traceback
        name = type(error).__name__
        return _report(f"unexpected {name}: {error} (run again with --debug for the traceback)", FAILED, debug)


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

    config = (DisallowNone, FlagCreatePairsOff, PositionalMetavarFromFieldName)
    complaint = StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(options_type, prog=f"glrender {verb}", args=arguments, config=config)
    except SystemExit as end:
        if not end.code:
            return None
        raise UsageError(f"{_unbox(complaint.getvalue())} (see glrender {verb} -h)") from None


_NO_VALUE = re.compile(r"Error parsing (\S+): no type matching (.+) could be instantiated from \[(.*?)\]\.")
"""How tyro begins to tell of a value that is none; what follows are the types of our own options."""


def _unbox(text: str) -> str:
    """What tyro says in a framed box of several paragraphs, as one line without its own pointer to the help."""
    text = re.sub(r"\x1b\[[0-9;]*m|\[/?bold\]", "", text)
    paragraphs: list[list[str]] = [[]]
    for line in text.splitlines()[1:]:  # the first is the frame, with a title that the text repeats
        words = line.strip("│ ")
        if set(words) <= set("─-╰╯"):
            paragraphs.append([])
        else:
            paragraphs[-1].append(words)
    said = (" ".join(paragraph) for paragraph in paragraphs)
    line = "; ".join(part for part in said if part and not part.startswith(("For full helptext", "Argument helptext")))
    if (value := _NO_VALUE.match(line)) is not None:
        option, expected, received = value.groups()
        return f"{option}: received {received}, expected {re.sub('[{}]', '', expected)}"
    return line


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
