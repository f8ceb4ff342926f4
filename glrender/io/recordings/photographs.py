"""Photographs straight out of a recording, without a sequence folder in between."""

from collections.abc import Iterator

from glrender.errors import InputError
from glrender.geometry.camera import Camera
from glrender.io.color import bytes_to_linear
from glrender.io.images import FrameError
from glrender.io.recordings.recording import Recording
from glrender.io.resampling import Resampling
from glrender.io.sequence import Frame


def photographs(recording: Recording, camera: Camera) -> Iterator[Frame]:
    """The photographs of a recording one by one, linear and undistorted to the pinhole of `camera`.

    They are what `open_sequence(…, only="rgb")` reads of the recording once it is converted. A damaged one
    is left out and told in `recording.problems`. InputError for one of another size than `camera`.
    """
    resampling = Resampling.between(camera, camera.without_distortion())
    for picture in recording.pictures():
        if picture.kind != "rgb":
            continue
        try:
            pixels = picture.pixels()
        except FrameError as error:
            recording.problems.append(str(error))
            continue
        if pixels.shape[:2] != camera.shape:
            height, width = pixels.shape[:2]
            raise InputError(
                f"{picture.name}: {width} x {height} pixels, but the camera has {camera.width} x {camera.height}"
            )
        image = bytes_to_linear(pixels)
        if resampling is not None:
            image = resampling.color(image)
        yield Frame(picture.index, picture.time, picture.time, image, None)
