"""What became of the views of a run, as it is told: kept in the manifest, counted, and reported on."""

from collections.abc import Callable
from dataclasses import dataclass, field

from glrender.advance import Advance
from glrender.batch.manifest import Manifest
from glrender.batch.messages import Done, Failed

Tell = Callable[[str], None]
"""Says a line, such as that a view failed."""


@dataclass
class Ledger:
    """The views of one run."""

    manifest: Manifest
    total: int
    """Views of the job."""
    advance: Advance
    tell: Tell
    failed: dict[int, str] = field(default_factory=dict)
    """By view: what is wrong with it."""
    problem: str | None = None
    """Why the run had to end early."""
    interrupted: bool = False
    """Whether the user ended it early."""

    def __post_init__(self) -> None:
        self.advance(self.settled, self.total)

    @property
    def settled(self) -> int:
        """Views that are done or have failed."""
        return len(self.manifest.done) + len(self.failed)

    @property
    def missing(self) -> list[int]:
        """Views that are neither, in order."""
        settled = self.manifest.done | self.failed.keys()
        return [view for view in range(self.total) if view not in settled]

    def record(self, report: Done | Failed) -> None:
        """Take note of a view."""
        if isinstance(report, Done):
            self.manifest.add_view(report.view, report.files)
        else:
            self.fail(report.view, report.problem)
        self.advance(self.settled, self.total)

    def fail(self, view: int, problem: str) -> None:
        """Take note that a view cannot be made."""
        self.failed[view] = problem
        self.tell(f"view {view}: {problem}")
