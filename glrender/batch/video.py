"""Films of all views in order, made when the last of them is there."""

import contextlib
import shutil
from pathlib import Path
from typing import Any

from glrender.batch.job import Plan
from glrender.batch.manifest import Manifest, record_of_file
from glrender.batch.outputs import Video, film_of, folder_of
from glrender.errors import InputError
from glrender.io.files import write_error
from glrender.io.images import read_color

CODEC = "libx264"


def finish_videos(plan: Plan, folder: Path, manifest: Manifest) -> None:
    """Make the films that are missing, and remove their frames; InputError if one cannot be made."""
    for video in plan.job.videos:
        name = film_of(video)
        if name not in manifest.films:
            _encode(plan, folder, video)
            manifest.add_file(record_of_file(folder, name))
        shutil.rmtree(folder / folder_of(video), ignore_errors=True)


def check_video(plan: Plan) -> None:
    """InputError unless the images of the plan can be the frames of one film, and its package is there."""
    if not plan.job.videos:
        return
    sizes = {(camera.width, camera.height) for camera, _ in plan.cameras}
    if len(sizes) > 1 or any(side % 2 for size in sizes for side in size):
        said = ", ".join(f"{width} x {height}" for width, height in sorted(sizes))
        raise InputError(f"video: received images of {said}, expected one even width and height for all")
    try:
        import av  # noqa: F401
    except ImportError:
        raise InputError("video: making one needs PyAV, which is not installed; pip install av") from None


def _encode(plan: Plan, folder: Path, video: Video) -> None:
    import av

    target = folder / film_of(video)
    temporary = target.with_name(target.name + ".part")
    camera, _ = plan.cameras[0]
    try:
        with av.open(str(temporary), "w", format="mp4") as container:
            # x264's tree over macroblocks reads memory that nobody wrote where a row has 5 of them, or 15, say.
            options = {"crf": str(video.quality), "x264-params": "mbtree=0"}
            stream: Any = container.add_stream(CODEC, rate=video.rate, options=options)
            stream.width, stream.height, stream.pix_fmt = camera.width, camera.height, "yuv420p"
            for index in range(plan.count):
                frame = av.VideoFrame.from_ndarray(read_color(folder / plan.path(video, index)), format="rgb24")
                # Where the encoder converts it by itself, one film in a hundred has other bytes (PyAV 18.1).
                container.mux(stream.encode(frame.reformat(format=stream.pix_fmt)))
            container.mux(stream.encode(None))
        temporary.replace(target)
    except OSError as error:  # of which PyAV's errors are, too
        raise write_error(target, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
