"""What a person does with the viewer: a source, a view, what is picked, and what each event makes of them."""

from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np

from glrender.errors import InputError
from glrender.viewer.controls import DIGITS, STEPWISE, Button, Command, Drag, Mouse, Moved, command_of, flight
from glrender.viewer.hints import ABSENT, FRAME, why_nothing
from glrender.viewer.hud import covered_height, heading_height
from glrender.viewer.layers import FrameLayer, Layer, ViewLayer, layers_here, next_layer
from glrender.viewer.painter import Annotations, Painter, shown_layer
from glrender.viewer.picking import (
    Footprint,
    Pick,
    consequence,
    describe,
    footprint,
    footprint_insets,
    pick_pixel,
)
from glrender.viewer.rig import Rig
from glrender.viewer.scene import Nudge, Scene
from glrender.viewer.sources import Source, StillSource
from glrender.viewer.state import EXAGGERATIONS, ViewState
from glrender.viewer.weights import Weighed, Weights

FLIGHT_SPEED = 0.6
"""Speed of flying: so many times the distance between camera and target a second."""

RAISE_PER_PIXEL = 0.04
"""How much dragging a vertex by a pixel raises it, as a share of the map's spacing. As a rule that is slower than the
mouse: raised by the spacing, a vertex already stands on slopes of 45 degrees, where a derivative says little."""

_WIREFRAME_FROM = 5.0
"""Pixels between vertices, below which edges fade, so that they do not cover the surface."""

_GROWN = 1.05
"""A map that grows gets another first view once so many times as much of it, or as many cameras, can be seen."""

_FOV_STEP = 1.12
_EXAGGERATION_STEP = 1.25


class Session:
    """What is looked at and how; `wishes` are what only the window or a file can do."""

    def __init__(self, source: Source, painter: Painter, state: ViewState | None = None) -> None:
        self.painter = painter
        self.mouse = Mouse()
        self.held: set[str] = set()
        """Keys that are down."""
        self.wishes: list[Command | Path] = []
        """Commands for the window, and files to be opened, in order."""
        self.help = False
        self.panels = True
        """Whether the panels with the sliders are open."""
        self.open(source, state)

    def open(self, source: Source, state: ViewState | None = None) -> None:
        """Look at another source, as `state` has it or else at all of it."""
        self.source = source
        self.message = ""
        """What is told at the lower edge until the next event."""
        self.playing = True
        """Whether the source goes on by itself."""
        self._unchosen = state is None
        self._framed, self._framed_into = (0, 0), (0.0, 0.0)  # vertices and cameras, width and height
        self.home = self.state = ViewState(self._first_view()) if state is None else state
        self.forget_pick()

    @property
    def flying(self) -> bool:
        """Whether the view moves as long as keys are held."""
        return self.mouse.drag is Drag.LOOK and any(flight(self.held))

    @property
    def running(self) -> bool:
        """Whether there is something to do without any event."""
        return self.flying or (self.playing and not self.source.finished)

    def advance(self, seconds: float) -> None:
        """Do what goes on by itself, `seconds` after the last time."""
        if self.flying:
            right, up, forward = (FLIGHT_SPEED * seconds * part for part in flight(self.held))
            self.state = replace(self.state, rig=self.state.rig.fly(right, up, forward))
        if self.playing and not self.source.finished:
            self.step()

    def step(self) -> None:
        """Go on to the source's next state, if there is one."""
        if self.source.finished:
            return
        self.forget_pick()
        self.source.step()
        self._follow()

    def press_key(self, key: str, *, control: bool, repeated: bool = False) -> None:
        """A key goes down, or is `repeated` while it is held."""
        command = command_of(key, control=control, flying=self.mouse.drag is Drag.LOOK)
        if repeated and command not in STEPWISE:
            return  # Q, held a little longer than the button that one flies with, must not leave
        self.held.add(key)
        self.message = ""
        if key in DIGITS and not control:
            self._show_next(key)
        elif command is not None:
            self.perform(command)

    def release_key(self, key: str) -> None:
        """A key goes up."""
        self.held.discard(key)

    def perform(self, command: Command) -> None:
        """Do what a key asks for, or leave it to the window; where nothing would come of it, say why."""
        state, rig = self.state, self.state.rig
        if reason := why_nothing(command, self.source, state):
            self.message = reason
            return
        low, high = EXAGGERATIONS
        match command:
            case Command.HELP:
                self.help = not self.help
            case Command.QUIT if self.help:
                self.help = False
            case Command.RESET:
                home = replace(self.home, layer=state.layer)
                if home == state and self.pick is None:
                    self.message = "this is the first view"
                self.state = home
                self.forget_pick()
            case Command.WIREFRAME:
                self.state = replace(state, wireframe=not state.wireframe)
                pixels = rig.camera(*self.painter.size).fy * self.source.scene.surface.spacing / rig.distance
                if self.state.wireframe and pixels < _WIREFRAME_FROM:
                    self.message = "triangles are too small here for their edges to be seen: go nearer"
            case Command.NORMALS:
                self.state = replace(state, normals=not state.normals)
            case Command.LIGHT:
                self.state = replace(state, light=not state.light)
            case Command.TRAJECTORY:
                self.state = replace(state, trajectory=not state.trajectory)
            case Command.NEXT_OBJECT if isinstance(self.source, StillSource):
                self.forget_pick()
                self.source.choose_next()
            case Command.PAUSE:
                self.playing = not self.playing
                self.message = "" if self.playing else "paused; Space goes on"
            case Command.STEP:
                self.playing = False
                self.step()
            case Command.COLORMAP:
                self.state = replace(state, colormap=state.colormap + 1)
            case Command.LOGARITHM:
                self.state = replace(state, logarithmic=not state.logarithmic)
            case Command.NARROWER:
                self.state = replace(state, rig=rig.with_fov(rig.fov / _FOV_STEP))
            case Command.WIDER:
                self.state = replace(state, rig=rig.with_fov(rig.fov * _FOV_STEP))
            case Command.LOWER:
                self.state = replace(state, exaggeration=max(low, state.exaggeration / _EXAGGERATION_STEP))
            case Command.HIGHER:
                self.state = replace(state, exaggeration=min(high, state.exaggeration * _EXAGGERATION_STEP))
            case _:
                self.wishes.append(command)

    def reweigh(self, source: Weighed, weights: Weights) -> None:
        """Fuse a sequence, the one that is looked at, again with another robust loss and other priors."""
        self.forget_pick()
        source.restart(weights)
        self.playing, self.message = True, ""

    def paste(self, text: str) -> None:
        """Take over a view that was copied as text; say what is wrong with a text that is no view."""
        try:
            self.take(ViewState.from_json(text), "the clipboard")
        except InputError as error:
            self.message = f"nothing pasted: {error}"

    def take(self, state: ViewState, where: str) -> None:
        """Take over a view, and say that it is the one of `where`."""
        self.state = state
        self.message = f"the view of {where}"

    def press_button(self, button: Button, x: float, y: float, *, shift: bool, control: bool) -> None:
        """A mouse button goes down at a pixel."""
        self.message = ""
        if self.mouse.press(button, x, y, shift=shift, control=control):
            self._pick(x, y, vertex=True)

    def move_mouse(self, x: float, y: float) -> bool:
        """The mouse moves; whether that changes anything."""
        moved = self.mouse.move(x, y)
        if moved is not None:
            self._drag(moved)
        return moved is not None

    def release_button(self, button: Button) -> None:
        """A mouse button goes up."""
        clicked = self.mouse.release(button)
        if clicked is not None:
            self._pick(clicked.x, clicked.y, vertex=False)

    def scroll(self, steps: float) -> None:
        """The wheel turns."""
        if self._moves():
            self.state = replace(self.state, rig=self.state.rig.zoom(steps))

    def forget_pick(self) -> None:
        """Nothing is picked any more, and what was moved goes back."""
        self.pick: Pick | None = None
        self.nudge: Nudge | None = None
        self._footprint: tuple[tuple[object, ...], Footprint | None] | None = None

    def paint(self, status: str) -> None:
        """Paint all of it onto the painter's screen."""
        if self.painter.free != self._framed_into:
            self._frame()
        scene = self.source.scene
        lines: tuple[str, ...] = ()
        if self.pick is not None:
            lines = describe(self.pick, scene.surface)
            if self.nudge is not None:
                more, scene = self._with_footprint(scene, self.nudge)
                lines += more
        notes = Annotations(self.pick, scene.name, lines, self.message or status, self.help)
        self.painter.paint(scene, self.state, self.nudge, notes)

    def _follow(self) -> None:
        """Keep all of a map that grows, and its cameras, in the first view."""
        grown = (now > _GROWN * then for now, then in zip(self._amount(), self._framed, strict=True))
        if self.source.finished or any(grown):
            self._frame()

    def _frame(self) -> None:
        """Make a first view of all that there is now, and show it unless somebody has chosen another view."""
        if not self._unchosen:
            return
        before = self.home.rig
        self.home = replace(self.home, rig=self._first_view())
        if self.state.rig == before:
            self.state = replace(self.state, rig=self.home.rig)

    def _first_view(self) -> Rig:
        self._framed, self._framed_into = self._amount(), self.painter.free
        (width, height), scene = self.painter.free, self.source.scene
        units = height / self.painter.content_scale
        above, below = heading_height(scene.lines), covered_height(scene.insets, scene.plot, units)
        covered = above / units, below / units
        return Rig.looking_at(*scene.surfaces, beside=scene.cameras, aspect=width / height, covered=covered)

    def _amount(self) -> tuple[int, int]:
        """How many vertices have been seen, and how many cameras there are."""
        scene = self.source.scene
        return int(np.count_nonzero(np.isfinite(scene.surface.heights))), len(scene.trajectory)

    def _here(self) -> tuple[Layer, ...]:
        return layers_here(self.source.scene.surface, self.source.scene.comparison)

    def _show_next(self, key: str) -> None:
        shown = shown_layer(self.source.scene, self.state).name
        name = next_layer(key, shown, self._here())
        if name is None:
            self.message = ABSENT[key]
        elif name == shown:
            self.message = f"{name} is all that {key} shows here"
        else:
            self.state = replace(self.state, layer=name)

    def _moves(self) -> bool:
        """Whether what is shown is seen by the free camera, which can be moved; the user is told where it is not."""
        if not isinstance(shown_layer(self.source.scene, self.state), FrameLayer):
            return True
        self.message = FRAME
        return False

    def _drag(self, moved: Moved) -> None:
        if not self._moves():
            return
        rig = self.state.rig
        match moved.drag:
            case Drag.ORBIT:
                rig = rig.orbit(moved.right, moved.down)
            case Drag.LOOK:
                rig = rig.look(moved.right, moved.down)
            case Drag.PAN:
                rig = rig.pan(moved.right, moved.down, self.painter.size[1])
            case Drag.MOVE_VERTEX if self.pick is not None and self.nudge is not None:
                raised = -moved.down * RAISE_PER_PIXEL * self.source.scene.surface.spacing
                self.nudge = replace(self.nudge, change=self.nudge.change + raised)
        self.state = replace(self.state, rig=rig)

    def _pick(self, x: float, y: float, *, vertex: bool) -> None:
        self.forget_pick()
        if not self._moves():
            return
        self._choose_nearest(int(x), int(y))
        buffers = self.painter.buffers(self.source.scene, self.state, None)
        found = pick_pixel(buffers, int(x), int(y))
        if found is None:
            self.message = "nothing is seen there"
            return
        if vertex:
            self.pick, self.nudge = replace(found, vertex=found.nearest), Nudge(found.nearest)
        else:
            self.pick = found
        if self.playing and not self.source.finished:  # its next frame would take away what was picked
            self.perform(Command.PAUSE)

    def _choose_nearest(self, column: int, row: int) -> None:
        """Look at the one of several objects that is seen at a pixel."""
        scene, source = self.source.scene, self.source
        if not isinstance(source, StillSource) or not scene.others:
            return
        depths = [self.painter.buffers(scene, self.state, None).depth, *self.painter.other_depths(scene, self.state)]
        here = [float(depth[row, column]) or inf for depth in depths]
        nearest = int(np.argmin(here))
        if nearest > 0 and here[nearest] < inf:
            source.choose_other(nearest - 1)

    def _with_footprint(self, scene: Scene, nudge: Nudge) -> tuple[tuple[str, ...], Scene]:
        """Lines that tell of the vertex that is chosen, and the scene with pictures of its footprint and its moving."""
        layer = shown_layer(scene, self.state)
        of = layer.of if isinstance(layer, ViewLayer) else "depth"
        unit = "m" if of == "depth" else "of 1"
        seen_as = self.state, self.painter.size, self.painter.covered
        if self._footprint is None or self._footprint[0] != seen_as:
            before = footprint(self.painter.buffers(scene, self.state, None), nudge.vertex, of)
            self._footprint = seen_as, before
        before = self._footprint[1]
        if before is None:
            return ("the vertex is not seen from here",), scene
        pixels = int(np.count_nonzero(before.column))
        lines = [f"vertex in {pixels} pixels, ∂{of}/∂height of at most {np.abs(before.column).max():.3g} {unit}/m"]
        moved = None
        if nudge.change:
            after = self.painter.buffers(scene, self.state, nudge)
            moved = consequence(before, after, nudge.change * self.state.exaggeration, of)
            lines.append(f"moved by {1e3 * nudge.change:+.2f} mm: {moved.describe(unit)}")
        return tuple(lines), replace(scene, insets=footprint_insets(before, moved, unit))
