"""`glrender info`, with OpenGL, without it, and used wrongly."""

import json
import os
import subprocess
import sys

import pytest

from glrender.cli.main import main
from glrender.gl.context import Context
from glrender.gl.equations_path import equations_path


def test_it_names_the_renderer_and_the_paths(context, capsys):
    assert main(["info"]) == 0
    out = capsys.readouterr().out
    assert context.renderer in out
    assert "EGL device 0" in out
    assert "yes       derivatives, full layout" in out
    path = equations_path(context)
    assert f"{path.where:<9} normal equations, because {path.reason}" in out
    assert "apt-get" not in out


def test_as_json_it_can_be_read_back(context, capsys):
    assert main(["info", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["devices"][0]["gl"]["renderer"] == context.renderer
    assert report["devices"][0]["gl"]["limits"]["max_draw_buffers"] >= 8
    assert report["devices"][0]["gl"]["normal_equations"]["where"] in ("gpu", "host")


def test_a_gpu_is_said_to_make_the_normal_equations_itself(context, capsys, monkeypatch):
    monkeypatch.setattr(Context, "is_software", property(lambda _: False))
    assert main(["info"]) == 0
    assert equations_path(context).where in capsys.readouterr().out.splitlines()[-1].split()[:1]


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_without_opengl_it_says_what_to_install_and_fails(options):
    result = subprocess.run(
        [sys.executable, "-m", "glrender", "info", *options],
        env=os.environ | {"__EGL_VENDOR_LIBRARY_FILENAMES": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 1
    assert "no OpenGL here" in result.stdout
    assert result.stdout.count("apt-get install -y --no-install-recommends libegl1 libgl1") == 1
    assert result.stderr == ""


def test_wrong_use_ends_with_status_2(capsys):
    assert main(["info", "--jason"]) == 2
    assert "--jason" in capsys.readouterr().err
