"""Why a key does nothing here: what is told instead."""

from glrender.viewer.colors import Kind
from glrender.viewer.controls import Command
from glrender.viewer.layers import FrameLayer, SurfaceLayer
from glrender.viewer.painter import shown_layer
from glrender.viewer.rig import FOV_RANGE
from glrender.viewer.sources import Source, StillSource
from glrender.viewer.state import EXAGGERATIONS, ViewState

FRAME = "a frame's own picture: 1 shows the map"

ABSENT = {
    "7": "no colours here, whose derivatives these would be",
    "9": "neither sigma nor ground to drive on here",
    "0": "no frame of a sequence here, or none yet",
}
"""What is told of a digit that has no layer."""

_OF_MAP = {Command.WIREFRAME, Command.NORMALS, Command.LIGHT, Command.TRAJECTORY, Command.LOWER, Command.HIGHER}
_OF_VIEW = {Command.NARROWER, Command.WIDER}
_ON_SURFACE = {Command.WIREFRAME, Command.LIGHT}


def why_nothing(command: Command, source: Source, state: ViewState) -> str:
    """Why a command would change nothing that is seen; empty where it does something."""
    scene, layer = source.scene, shown_layer(source.scene, state)
    (narrowest, widest), (flattest, steepest) = FOV_RANGE, EXAGGERATIONS
    still = isinstance(source, StillSource)
    for commands, nothing, reason in (
        (_OF_MAP | _OF_VIEW, isinstance(layer, FrameLayer), FRAME),
        (
            _ON_SURFACE,
            not isinstance(layer, SurfaceLayer),
            f"{layer.name} has neither edges nor light: 1 shows the map",
        ),
        (
            {Command.TRAJECTORY},
            len(scene.trajectory) < 2 and len(scene.frustum) == 0,
            "no camera here: a sequence has one once a frame is fused",
        ),
        ({Command.COLORMAP}, layer.kind is Kind.COLOR, f"{layer.name} has colours of its own"),
        (
            {Command.LOGARITHM},
            layer.kind not in (Kind.SEQUENTIAL, Kind.SIGNED),
            f"{layer.name} has no logarithm: depth, derivatives and sigma have",
        ),
        ({Command.NARROWER}, state.rig.fov <= narrowest, f"{narrowest:g}° is the narrowest"),
        ({Command.WIDER}, state.rig.fov >= widest, f"{widest:g}° is the widest"),
        ({Command.LOWER}, state.exaggeration <= flattest, f"{flattest:g} times as high is the flattest"),
        ({Command.HIGHER}, state.exaggeration >= steepest, f"{steepest:g} times as high is the most"),
        ({Command.PAUSE, Command.STEP}, still, "nothing here goes on by itself: a sequence does"),
        ({Command.PAUSE, Command.STEP}, source.finished, "all is fused"),
        ({Command.NEXT_OBJECT}, not still, "a sequence becomes a single map"),
        ({Command.NEXT_OBJECT}, not scene.others, "there is no other object"),
    ):
        if command in commands and nothing:
            return reason
    return ""
