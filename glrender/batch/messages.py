"""What a worker and its employer tell each other."""

from dataclasses import dataclass

from glrender.batch.manifest import FileRecord


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
class Started:
    """A worker is ready."""

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


Order = Chunk | Finish | Stop
Report = Started | Done | Failed | Broken
