"""Compiler logs of three drivers, traced back to files and lines without OpenGL."""

from pathlib import Path

import pytest

from glrender.gl.log import rewrite_log
from glrender.gl.source import Line, ShaderSource, load_source

LOGS = Path(__file__).parent / "fixtures" / "logs"
SOURCE = ShaderSource((Line("<defines>", 1, "#version 330 core"), Line("a.frag", 7, "  void main() {")), {})


@pytest.fixture
def broken(shaders, monkeypatch):
    monkeypatch.chdir(shaders)
    return load_source("broken_include.frag", shaders).configured({})


@pytest.mark.parametrize(
    ("driver", "messages"),
    [
        (
            "mesa",
            (
                "error: `missing' undeclared",
                "warning: `x' used uninitialized",
                "error: syntax error, unexpected '}', expecting ',' or ';'",
            ),
        ),
        (
            "nvidia",
            (
                'error C1503: undefined variable "missing"',
                'warning C7050: "x" might be used before being initialized',
                "error C0000: syntax error, unexpected '}', expecting ',' or ';' at token \"}\"",
            ),
        ),
        (
            "intel",
            (
                "error: 'missing' : undeclared identifier",
                "warning: 'x' : used uninitialized",
                "error: '}' : syntax error",
            ),
        ),
    ],
)
def test_messages_name_the_file_and_show_the_line(driver, messages, broken):
    rewritten = rewrite_log((LOGS / f"{driver}.log").read_text(), broken).splitlines()
    assert rewritten == [
        f"include/broken.glsl:3: {messages[0]}",
        "    return half_of(x) + missing;",
        f"broken_include.frag:7: {messages[1]}",
        "    color = vec4(broken(half_of(1.0)));",
        f"broken_include.frag:8: {messages[2]}",
        "    }",
    ]


def test_lines_without_a_place_stay_as_they_are():
    log = "Fragment shader failed to compile with the following errors:\n\n2 errors generated"
    assert rewrite_log(log, SOURCE) == log


def test_an_error_behind_the_last_line_is_shown_at_the_last():
    assert rewrite_log("0:9(1): error: unexpected end of file", SOURCE) == (
        "a.frag:7: error: unexpected end of file\n    void main() {"
    )


def test_an_error_in_a_define_is_shown_there():
    assert rewrite_log("0(1) : error C0204: version", SOURCE).startswith("<defines>:1: error C0204: version")
