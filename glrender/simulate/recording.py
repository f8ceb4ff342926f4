"""Recording a scene: every frame is rendered, spoilt by noise, and written as a sequence with its truth."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glrender.advance import Advance, silently
from glrender.gl.context import Context
from glrender.interrupt import interruptible_after
from glrender.io.sequence_writer import SequenceWriter
from glrender.io.trajectory import Trajectory, write_trajectory
from glrender.render.forward import ForwardRenderer
from glrender.simulate.noise import NoiseModel, NoiseSource, choose_depth_scale
from glrender.simulate.scene import Scene


@dataclass(frozen=True)
class RecordingSummary:
    """What was written of a scene."""

    frames: int
    """Frames in the sequence; fewer than the scene has if it was interrupted."""
    depth_scale: float
    """Counts of a depth image per metre."""
    seen: float
    """Share of all pixels, of all frames, that see the terrain."""


def record(
    context: Context,
    scene: Scene,
    noise: NoiseModel,
    seed: np.random.SeedSequence,
    folder: Path,
    advance: Advance = silently,
) -> RecordingSummary:
    """Write `scene` into `folder`: a sequence, `truth.npz` and `truth_trajectory.txt`.

    Images come from the true poses, the sequence's trajectory is the one with noise. `advance` is called with
    (frames done, frames in all). KeyboardInterrupt ends the sequence after the frames that are done; before
    the first one it is passed on.
    """
    renderer = ForwardRenderer(context, scene.camera)
    source = NoiseSource(noise, seed)
    depth_scale = choose_depth_scale(scene.deepest(), noise)
    writer = SequenceWriter(folder, scene.camera, depth_scale)
    measured: list[np.ndarray] = []
    seen = 0.0
    try:
        for time, T_world_camera in zip(scene.times, scene.poses, strict=True):
            with interruptible_after():
                rendering = renderer.render(scene.surface, T_world_camera)
                writer.add(time, source.image(rendering.image), source.depth(rendering.depth))
                measured.append(source.pose(T_world_camera))
                seen += float((rendering.depth > 0).mean())
            advance(len(measured), len(scene.poses))
    except KeyboardInterrupt:
        if not measured:
            raise
    finally:
        renderer.release()
    done = len(measured)
    writer.finish(Trajectory(scene.times[:done], np.stack(measured)))
    write_trajectory(folder / "truth_trajectory.txt", Trajectory(scene.times[:done], scene.poses[:done]))
    scene.truth.save(folder / "truth.npz")
    return RecordingSummary(done, depth_scale, seen / done)
