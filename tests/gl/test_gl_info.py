"""What is reported about a machine with and without OpenGL."""

import json

from glrender.gl.egl import INSTALL_COMMAND
from glrender.gl.equations_path import equations_path
from glrender.gl.info import machine_info


def test_it_reports_what_a_context_on_each_device_has(context):
    info = machine_info()
    assert info.usable
    assert info.install is None
    assert set(info.versions) == {"glrender", "moderngl", "numpy", "python"}
    gl = info.devices[0].gl
    assert gl is not None
    assert (gl.vendor, gl.renderer, gl.version) == (context.vendor, context.renderer, context.version)
    assert gl.limits == context.limits
    assert gl.software == context.is_software
    assert gl.paths == {
        "forward": True,
        "derivatives_compact": True,
        "derivatives_full": True,
        "compute": context.version_code >= 430,
    }
    assert gl.normal_equations == equations_path(context)


def test_without_a_driver_it_says_what_to_install(without_gl):
    result = without_gl(
        "import json; from dataclasses import asdict; from glrender.gl.info import machine_info;"
        "info = machine_info(); print(json.dumps(asdict(info) | {'usable': info.usable}))"
    )
    info = json.loads(result.stdout)
    assert not info["usable"]
    assert info["install"] == INSTALL_COMMAND
    (device,) = info["devices"]
    assert device["gl"] is None
    assert device["problem"].startswith("no OpenGL here: ")
    assert "apt-get" not in device["problem"]  # said once, by `install`
