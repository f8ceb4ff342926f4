"""What a finished map gives reason to doubt."""

import re
from typing import Any

import pytest

from glrender.cli.fuse_warnings import warnings_of

CAMERA = {"camera": {"fx": 500.0}}
RIGHT = {"share_missing": 0.0, "sigma": 0.001, "wrong": False}
SHORT = {"share_missing": -0.05, "sigma": 0.004, "wrong": True}


def refined(strain: float, focal_length: dict[str, Any]) -> dict[str, Any]:
    sigma = {"metres": 0.01, "degrees": 0.5}
    refinement = {"strain": strain, "prior_sigma": sigma, "focal_length": focal_length}
    return CAMERA | {"poses_from": "refined", "pose_refinement": refinement}


def seen(inconsistent: float) -> dict[str, Any]:
    return {"depth_from_motion": {"shares": {"confident": 1 - inconsistent, "inconsistent": inconsistent}}}


def measured(used: int, robust_scale: float) -> dict[str, Any]:
    seen = {"measured": 1000, "used": used, "robust_scale": robust_scale, "median_abs_residual": 0.0213}
    unseen = {"measured": 0, "used": 0, "robust_scale": 1.0, "median_abs_residual": float("nan")}
    return CAMERA | {"residuals": {"frames": [seen, seen, unseen]}}


def followed(lost: int, at_end: int) -> dict[str, Any]:
    states = {"started": 1, "tracking": 99 - lost} | ({"lost": lost} if lost else {})
    return CAMERA | {"tracking": {"states": states, "lost_at_end": at_end, "last_found": "rgb/12.5.png"}}


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (CAMERA, []),
        (followed(0, 0), []),
        (followed(7, 0), []),
        (followed(30, 0), ["^the camera was lost on the way: 30 of 100 frames have no pose"]),
        (followed(8, 5), [r"^the camera was lost after rgb/12.5.png and never found.*the last 5 of 100 frames"]),
        (CAMERA | seen(0.42), []),
        (measured(900, 3.9), []),
        (
            measured(900, 11.6),
            [r"lie off the map by 12 times their noise \(21 mm, median\).*--time-offset.*--calibrate"],
        ),
        (measured(270, 46.8), ["^73% of the depths say nothing of the map: they are of walls"]),
        (measured(270, 1.7) | seen(0.1), []),
        (CAMERA | seen(0.95), ["95% of the pixels have a depth that other photographs deny.*try --refine-poses"]),
        (refined(0.9, RIGHT) | seen(0.1), []),
        (refined(0.9, RIGHT) | seen(0.9), ["90% of the pixels.*their clock and the camera$"]),
        (refined(8.4, RIGHT), [r"move the poses by 8 times.*\(10.0 mm, 0.50 degrees\).*--time-offset"]),
        (refined(0.9, SHORT), ["a focal length that is 5.0 ± 0.4 % shorter than fx 500.0"]),
        (refined(8.4, SHORT), ["move the poses by 8 times", "the camera, unless it is the poses that are wrong"]),
    ],
    ids=[
        "given",
        "followed",
        "lost at times",
        "lost often",
        "lost for good",
        "good",
        "depth camera",
        "scattered",
        "walls",
        "by motion",
        "contradicted",
        "refined",
        "wrongly",
        "strained",
        "focal length",
        "one or the other",
    ],
)
def test_what_is_warned_of(report: dict[str, Any], told: list[str]) -> None:
    warnings = list(warnings_of(report))
    assert len(warnings) == len(told)
    for warning, expected in zip(warnings, told, strict=True):
        assert re.search(expected, warning), warning
