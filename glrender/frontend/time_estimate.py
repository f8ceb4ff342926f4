"""A span of time that photographs tell, which may be none: a shutter's readout, or how far a clock is off."""

from dataclasses import dataclass

_CERTAIN, _WORTH = 4.0, 1e-3  # standard deviations and seconds from which on it is any


@dataclass(frozen=True)
class TimeEstimate:
    """An estimate of a span of time."""

    seconds: float
    sigma: float
    """Its standard deviation, seconds; infinite where nothing tells."""

    @property
    def is_certain(self) -> bool:
        """Whether it surely is any, and so long that it matters."""
        return abs(self.seconds) > max(_CERTAIN * self.sigma, _WORTH)

    @property
    def applied(self) -> float:
        """Seconds; 0 where it may be none."""
        return self.seconds if self.is_certain else 0.0

    def is_confirmed_by(self, later: "TimeEstimate") -> bool:
        """Whether what is told once this one is applied is the same, as far as that can be told."""
        return abs(later.applied - self.applied) <= max(2 * later.sigma, _WORTH)
