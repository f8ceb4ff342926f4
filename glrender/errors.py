"""The exceptions that users of glrender see.

Each message says what was received, what was expected and what to do about it.
The command line prints it as one line and exits with `exit_status`.
"""


class GlrenderError(Exception):
    """Base of every error that glrender raises on purpose."""

    exit_status = 1


class UsageError(GlrenderError):
    """A command or call was used wrongly: an unknown option, name or combination."""

    exit_status = 2


class InputError(GlrenderError, ValueError):
    """A value, array or file does not have the content it must have."""


class GLError(GlrenderError):
    """OpenGL reported an error, or an object was used after it was released."""


class ContextError(GLError):
    """No usable OpenGL context could be made."""


class ShaderError(GLError):
    """A shader did not compile or link; the message gives file, line and source."""


class LimitError(GLError):
    """A request exceeds a limit of this machine's OpenGL."""


class SolverError(GlrenderError):
    """A linear system could not be solved: it is singular or not finite."""


class ProcessError(GlrenderError):
    """A process that does a part of the work was killed, or failed as nobody had foreseen."""
