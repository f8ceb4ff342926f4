"""What became of the frames of a camera that was followed, for `report.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

from glrender.io.sequence import FrameEntry, Skipped


def describe_tracking(
    states: Mapping[str, int], found: Sequence[FrameEntry], skipped: Sequence[Skipped]
) -> dict[str, Any]:
    """How many frames came to which state, how many of them in the end were lost, and the last that was `found`."""
    lost = [each for each in skipped if each.reason.startswith("lost: ") and each.index > found[-1].index]
    return {"states": dict(states), "lost_at_end": len(lost), "last_found": found[-1].name}
