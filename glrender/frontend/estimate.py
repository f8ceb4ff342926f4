"""A number that photographs tell beside what is looked for, and that may be none."""

from dataclasses import dataclass
from typing import ClassVar, Self

_CERTAIN = 4.0  # standard deviations from which on it is any


@dataclass(frozen=True)
class Estimate:
    """A number and how well it is known; what it is of, and what it is worth, is for each kind to say."""

    value: float
    sigma: float
    """Its standard deviation; infinite where nothing tells."""
    WORTH: ClassVar[float] = 0.0
    """From which on it makes a difference."""

    @property
    def is_certain(self) -> bool:
        """Whether it surely is any, and so much that it matters."""
        return abs(self.value) > max(_CERTAIN * self.sigma, self.WORTH)

    @property
    def applied(self) -> float:
        """The number; 0 where it may be none."""
        return self.value if self.is_certain else 0.0

    def is_confirmed_by(self, later: Self) -> bool:
        """Whether what is told once this one is applied is the same, as far as that can be told."""
        return abs(later.applied - self.applied) <= max(2 * later.sigma, self.WORTH)
