"""Panels with sliders over the window, by Dear ImGui; the window does without them where it is not installed.

ImGui is told of the window's events here and draws by its own OpenGL backend, so that it need not share GLFW with us:
its package brings a GLFW of its own, and two that know one window would crash.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glrender.interrupt import interruptible_after
from glrender.viewer.colors import COLORMAPS, Kind
from glrender.viewer.controls import Button, Command
from glrender.viewer.hints import why_nothing
from glrender.viewer.hud import STATUS
from glrender.viewer.layers import FrameLayer, Layer, layers_here
from glrender.viewer.notes import FONT
from glrender.viewer.painter import shown_layer
from glrender.viewer.rig import FOV_RANGE
from glrender.viewer.session import Session
from glrender.viewer.state import CUTS, EXAGGERATIONS, ViewState
from glrender.viewer.weights import Weighed, Weights
from glrender.viewer.window import ButtonEvent, CharEvent, Event, KeyEvent, MoveEvent, ScrollEvent

INSTALL = "panels need the extra viewer: pip install 'glrender[viewer]'"

# Ends of the sliders that set `Weights`.
LOSS_SCALES = (0.5, 20.0)
SLOPE_SIGMAS = (0.02, 10.0)
STEP_SLOPES = (0.05, 20.0)
WIDTH = 262.0
"""Width of the panel, in units of the content scale."""
_FOLDED_WIDTH = 100.0
"""Width of a panel that is folded to its title."""
_BORDER = 8.0
"""Between the panel and the window's borders."""
_MOST = 0.6
"""Share of the window's width: a panel that would take more is folded to its title until that is clicked."""

_SWITCHES = (
    ("wireframe", "wireframe", Command.WIREFRAME),
    ("normals", "normals", Command.NORMALS),
    ("cameras", "trajectory", Command.TRAJECTORY),
    ("light", "light", Command.LIGHT),
)
"""What is switched by ticking a box: its label, the field of the view, and the command that does the same."""
_FONT_SIZE = 14.0
_BUTTONS = {Button.LEFT: 0, Button.RIGHT: 1, Button.MIDDLE: 2}
_KEYS = {"Enter": "enter", "Backspace": "backspace", "Escape": "escape", "Tab": "tab"}


def make_overlay(content_scale: float) -> Overlay | None:
    """Panels for the current OpenGL context; None where imgui-bundle is not installed."""
    try:
        with interruptible_after():  # within its import it would end the process with a core dump
            from imgui_bundle import imgui
    except ImportError:
        return None
    return Overlay(imgui, content_scale)


class Overlay:
    """The panels of one window."""

    def __init__(self, imgui: Any, content_scale: float) -> None:
        self._imgui = imgui
        self._context = imgui.create_context()
        io = imgui.get_io()
        io.set_ini_filename("")  # where panels lie is nothing to keep in whichever folder we are in
        io.fonts.add_font_from_file_ttf(str(FONT), _FONT_SIZE)
        imgui.style_colors_dark()
        style = imgui.get_style()
        style.window_rounding = style.frame_rounding = 3
        style.scale_all_sizes(content_scale)
        style.font_scale_dpi = content_scale
        imgui.backends.opengl3_init("#version 330")
        self._scale = content_scale
        self._takes = (WIDTH + 2 * _BORDER) * content_scale
        self._panel = (0.0, 0.0, 0.0, 0.0)  # left, top, width, height
        self._folded = self._narrow = False  # closed but for its title; in a window that is too narrow for it
        self._mouse = (-1.0, -1.0)
        self._busy = self._list_open = False
        self._weights: Weights | None = None  # while a slider that changes them is held

    def concerns(self, event: Event) -> bool:
        """Whether it is a click on the panels, or typed while they take a number or a list is open, as far as the last
        picture tells."""
        match event:
            case ButtonEvent(_, _, x, y, _, _):
                return self.owns(x, y)
            case KeyEvent() | CharEvent():
                return self._list_open or bool(self._imgui.get_io().want_text_input)
        return False

    def feed(self, event: Event) -> bool:
        """Tell the panels what happened; whether it is theirs alone."""
        imgui = self._imgui
        io = imgui.get_io()
        match event:
            case MoveEvent(x, y):
                io.add_mouse_pos_event(x, y)
                self._mouse = x, y
                return self._busy
            case ButtonEvent(button, down, x, y, _, control):
                io.add_key_event(imgui.Key.mod_ctrl, control)  # with it, a slider takes a number from the keys
                io.add_mouse_pos_event(x, y)
                io.add_mouse_button_event(_BUTTONS[button], down)
                self._mouse = x, y
                return down and self.owns(x, y)
            case ScrollEvent(steps):
                io.add_mouse_wheel_event(0, steps)
                return self.owns(*self._mouse)
            case CharEvent(code):
                io.add_input_character(code)
            case KeyEvent(key, down, control, _):
                io.add_key_event(imgui.Key.mod_ctrl, control and down)
                if key in _KEYS:
                    io.add_key_event(getattr(imgui.Key, _KEYS[key]), down)
                if key == "Escape" and down and self._list_open:
                    self._click_aside()
                    return True
                return bool(io.want_text_input) and down
        return False

    def _click_aside(self) -> None:
        """Close a list by a click beside it: ImGui's own Escape comes only with its other keys, and Tab is ours."""
        io = self._imgui.get_io()
        io.add_mouse_pos_event(0, 0)
        io.add_mouse_button_event(0, True)
        io.add_mouse_button_event(0, False)
        io.add_mouse_pos_event(*self._mouse)

    def covered(self, session: Session, size: tuple[int, int]) -> float:
        """Pixels at the right border of a window of `size` that are the panel's and not the picture's."""
        return self._takes if session.panels and not self._folded and self._takes <= _MOST * size[0] else 0.0

    def draw(self, session: Session, size: tuple[int, int], seconds: float) -> bool:
        """Draw the panels into the framebuffer in use, `seconds` after the last time; whether they changed anything."""
        imgui = self._imgui
        io = imgui.get_io()
        io.display_size = imgui.ImVec2(*size)
        io.delta_time = max(seconds, 1e-4)
        before = session.state, session.playing, len(session.wishes), self._folded
        imgui.backends.opengl3_new_frame()
        imgui.new_frame()
        restarted = False
        self._panel = (0.0, 0.0, 0.0, 0.0)
        if session.panels and not session.help:
            border = _BORDER * self._scale
            if self._narrow != (self._takes > _MOST * size[0]):
                self._narrow = self._folded = not self._narrow
                imgui.set_next_window_collapsed(self._narrow)
            width = (_FOLDED_WIDTH if self._folded else WIDTH) * self._scale
            lowest = size[1] - STATUS * self._scale
            imgui.set_next_window_pos(imgui.ImVec2(size[0] - width - border, border))
            imgui.set_next_window_size(imgui.ImVec2(width, 0))
            imgui.set_next_window_size_constraints(imgui.ImVec2(width, 0), imgui.ImVec2(width, lowest - 2 * border))
            imgui.begin("view (Tab)", flags=imgui.WindowFlags_.no_nav | imgui.WindowFlags_.no_move)
            self._folded = imgui.is_window_collapsed()
            imgui.push_item_width(0.55 * width)
            session.state = self._view(session)
            self._buttons(session)
            if isinstance(session.source, Weighed):
                restarted = self._fusion(session, session.source)
            imgui.pop_item_width()
            self._panel = (*imgui.get_window_pos(), *imgui.get_window_size())
            imgui.end()
        # A slider that is held, or a list that hangs out of the panel.
        self._list_open = imgui.is_popup_open("", imgui.PopupFlags_.any_popup)
        self._busy = imgui.is_any_item_active() or self._list_open
        imgui.render()
        imgui.backends.opengl3_render_draw_data(imgui.get_draw_data())
        return restarted or before != (session.state, session.playing, len(session.wishes), self._folded)

    def owns(self, x: float, y: float) -> bool:
        """Whether the mouse is the panels' at a pixel. ImGui's own answer is that of the last picture, and comes too
        late for a press that follows a move at once."""
        left, top, width, height = self._panel
        return self._busy or (left <= x < left + width and top <= y < top + height)

    def release(self) -> None:
        """Release what ImGui has in the OpenGL context."""
        self._imgui.backends.opengl3_shutdown()
        self._imgui.destroy_context(self._context)

    def _view(self, session: Session) -> ViewState:
        state, scene = session.state, session.source.scene
        shown = shown_layer(scene, state)
        here = [layer.name for layer in layers_here(scene.surface, scene.comparison)]
        layer = self._choice("shows", shown.name, here)
        state = replace(state, layer=layer) if layer != shown.name else state
        state = self._colors(session, state, shown)
        if isinstance(shown, FrameLayer):
            return state
        exaggeration = self._slider("exaggeration", state.exaggeration, EXAGGERATIONS, "%.2f×", True)
        state = replace(state, exaggeration=exaggeration)
        rig = state.rig
        fov = self._slider("field of view", rig.fov, FOV_RANGE, "%.0f°")
        state = replace(state, rig=rig.with_fov(fov)) if fov != rig.fov else state
        useful = [switch for switch in _SWITCHES if not why_nothing(switch[2], session.source, session.state)]
        for number, (label, field, _) in enumerate(useful):
            if number % 2:
                self._imgui.same_line(0.45 * WIDTH * self._scale)
            state = replace(state, **{field: self._imgui.checkbox(label, getattr(state, field))[1]})
        if state.light and not why_nothing(Command.LIGHT, session.source, session.state):
            azimuth = self._slider("light from", state.light_azimuth, (0.0, 360.0), "%.0f°")
            elevation = self._slider("light above", state.light_elevation, (0.0, 90.0), "%.0f°")
            state = replace(state, light_azimuth=azimuth, light_elevation=elevation)
        return state

    def _colors(self, session: Session, state: ViewState, shown: Layer) -> ViewState:
        if shown.kind is Kind.COLOR:
            return state
        names = COLORMAPS[shown.kind]
        name = names[state.colormap % len(names)]
        chosen = self._choice("colours", name, list(names))
        state = replace(state, colormap=names.index(chosen)) if chosen != name else state
        if shown.kind is Kind.IDS:
            return state
        cut = self._slider("cut at each end", state.cut, CUTS, "%.1f %%")
        state = replace(state, cut=cut)
        if why_nothing(Command.LOGARITHM, session.source, session.state):
            return state
        return replace(state, logarithmic=self._imgui.checkbox("logarithmic", state.logarithmic)[1])

    def _buttons(self, session: Session) -> None:
        for number, (label, command) in enumerate(
            (
                ("reset", Command.RESET),
                ("copy", Command.COPY),
                ("paste", Command.PASTE),
                ("picture", Command.SCREENSHOT),
                ("depth", Command.SAVE_DEPTH),
            )
        ):
            if number:
                self._imgui.same_line()
            if self._imgui.small_button(label):
                session.perform(command)

    def _fusion(self, session: Session, source: Weighed) -> bool:
        """Sliders that weigh a sequence otherwise; whether it was started again."""
        imgui = self._imgui
        imgui.separator_text("fusion")
        if not session.source.finished:
            if imgui.small_button("pause" if session.playing else "go on"):
                session.perform(Command.PAUSE)
            imgui.same_line()
            if imgui.small_button("one frame"):
                session.perform(Command.STEP)
        weights, top = self._weights or source.weights, min(STEP_SLOPES[1], source.largest_step)
        loss = self._slider("loss scale", weights.loss_scale, LOSS_SCALES, "%.2f σ", True)
        released = imgui.is_item_deactivated_after_edit()
        slope = self._slider("prior: slope", weights.slope_sigma, SLOPE_SIGMAS, "%.2f", True)
        released |= imgui.is_item_deactivated_after_edit()
        text = "%.2f" if weights.step_slope < STEP_SLOPES[1] else "none"
        step = self._slider("prior: step", min(weights.step_slope, top), (STEP_SLOPES[0], top), text, True)
        released |= imgui.is_item_deactivated_after_edit()
        moved = Weights(loss, slope, source.largest_step if step == top else step)
        self._weights = moved if imgui.is_any_item_active() else None
        if released:  # not while a slider moves: everything is fused again
            session.reweigh(source, moved)
        return released

    def _choice(self, label: str, chosen: str, names: list[str]) -> str:
        return names[self._imgui.combo(label, names.index(chosen), names)[1]]

    def _slider(
        self, label: str, value: float, ends: tuple[float, float], text: str, logarithmic: bool = False
    ) -> float:
        flags = self._imgui.SliderFlags_
        kind = flags.logarithmic if logarithmic else flags.none
        changed, moved = self._imgui.slider_float(label, value, *ends, text, kind | flags.always_clamp)
        return moved if changed else value
