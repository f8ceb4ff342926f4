"""What a worker and its employer tell each other."""

from dataclasses import dataclass

from glrender.batch.job import Plan
from glrender.batch.manifest import FileRecord


@dataclass(frozen=True, eq=False)
class Begin:
    """The job; the first order, given when a worker is awake."""

    plan: Plan


@dataclass(frozen=True)
class Chunk:
    """Render these views after those that you have."""

    views: tuple[int, ...]


@dataclass(frozen=True)
class Finish:
    """There will be no further chunk: end when yours are done."""


@dataclass(frozen=True)
class Stop:
    """Finish the views that are under way, leave the others, and end."""


@dataclass(frozen=True)
class Awake:
    """A worker's process is there and listens."""


@dataclass(frozen=True)
class Started:
    """A worker is ready to render."""

    renderer: str
    """OpenGL's name of what draws."""


@dataclass(frozen=True)
class Done:
    """A view's files are there."""

    view: int
    files: tuple[FileRecord, ...]


@dataclass(frozen=True)
class Failed:
    """A view cannot be made; another try would give the same."""

    view: int
    problem: str


@dataclass(frozen=True)
class Broken:
    """The worker ends here, for a reason that is no single view's."""

    problem: str
    hopeless: bool
    """Whether another worker would meet the same, such as a full disk."""


Order = Begin | Chunk | Finish | Stop
Report = Awake | Started | Done | Failed | Broken
