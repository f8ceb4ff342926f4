"""What a finished map gives reason to doubt."""

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glrender.cli.fuse_warnings import warnings_of
from glrender.cli.simulate import Options, make_noise, make_scene
from glrender.fusion.frame_motion import Process
from glrender.gl.context import Context
from glrender.io.sequence import Sequence
from glrender.io.sequence_folder import open_sequence
from glrender.pipeline.fuse import SequenceOptions, fuse_sequence
from glrender.simulate.recording import record

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


def askew(degrees: float) -> dict[str, Any]:
    return {"shared_errors": {"shift": Process(0.038, 0.99), "tilt": Process(math.radians(degrees), 0.99)}}


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
        (followed(38, 8), ["lost on the way: 30 of 100 frames have no pose. the camera .* the last 8 of 100 frames"]),
        (followed(8, 5), [r"^the camera was lost after rgb/12.5.png and never found.*the last 5 of 100 frames"]),
        (CAMERA | seen(0.42), []),
        (CAMERA | {"observed_of_seen": 0.6}, []),
        (CAMERA | {"observed_of_seen": 0.11}, ["^89% of the cells that are seen are left unknown.*larger --spacing$"]),
        (measured(900, 3.9), []),
        (
            measured(900, 11.6),
            [r"lie off the map by 12 times their noise \(21 mm, median\).*--time-offset.*--calibrate"],
        ),
        (measured(900, 3.9) | askew(0.8), []),
        (
            measured(900, 9.6) | askew(3.3),
            ["^frames disagree as wholes by 38 mm and 3.3 degrees.*trajectory is this rec"],
        ),
        (measured(900, 11.6) | askew(3.3), ["trajectory is this recording's"]),
        (measured(270, 46.8), ["^73% of the depths say nothing of the map: they are of walls"]),
        (measured(270, 1.7) | seen(0.1), []),
        (CAMERA | seen(0.95), ["95% of the pixels have a depth that other photographs deny.*try --refine-poses"]),
        (refined(0.9, RIGHT) | seen(0.1), []),
        (refined(0.9, RIGHT) | seen(0.9), ["90% of the pixels.*their clock and the camera$"]),
        (followed(0, 0) | seen(0.9), ["^90% of the pixels.*followed camera sees has to be ground"]),
        (refined(8.4, RIGHT), [r"move the poses by 8 times.*\(10.0 mm, 0.50 deg.*camera to world.*--time-offset"]),
        (
            refined(0.9, SHORT),
            ["a focal length that is 5.0 ± 0.4 % shorter than the photographs have in camera.yaml"],
        ),
        (refined(8.4, SHORT), ["move the poses by 8 times", "the camera, unless it is the poses that are wrong"]),
    ],
    ids=[
        "given",
        "followed",
        "lost at times",
        "lost often",
        "lost often and for good",
        "lost for good",
        "good",
        "cells enough",
        "cells too small",
        "depth camera",
        "scattered",
        "agreeing",
        "askew",
        "both",
        "walls",
        "by motion",
        "contradicted",
        "refined",
        "wrongly",
        "followed wrongly",
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


def driven(context: Context, folder: Path, seed: int) -> Sequence:
    """A drive over a terrain of its own; all of them begin at the same time."""
    folder.mkdir()
    options = Options(
        folder, size=(3, 3), relief=0.2, path="rover", frames=120, altitude=0.9, width=80, height=60, seed=seed
    )
    scene = make_scene(options, np.random.default_rng(seed))
    scene = replace(scene, times=scene.times[:30], poses=scene.poses[40 * seed :][:30])
    record(context, scene, make_noise(options, scene), np.random.SeedSequence(seed), folder)
    return open_sequence(folder)


def test_the_trajectory_of_another_recording_is_warned_of(context: Context, tmp_path: Path) -> None:
    own, other = (driven(context, tmp_path / str(seed), seed) for seed in range(2))
    options = SequenceOptions(use="depth", spacing=0.05)
    assert not list(warnings_of(fuse_sequence(context, own, options).report))
    mixed = fuse_sequence(context, replace(own, trajectory=other.trajectory), options)
    assert any("trajectory is this recording's" in warning for warning in warnings_of(mixed.report))
