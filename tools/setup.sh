#!/usr/bin/env bash
# Makes .venv with glrender (editable) and its development tools, and sees to it that OpenGL works;
# `setup.sh bench` adds what the benchmark compares with. It asks for nothing: system packages
# that are missing are installed as root or by a sudo that needs no password; otherwise one message names the
# command to run. Run again, it does what is left to do.
set -euo pipefail
cd "$(dirname "$0")/.."

GL_PACKAGES="libegl1 libgl1" # libgl1 brings Mesa's software driver along
WINDOW_PACKAGES="xvfb xauth xdotool" # a display without a screen, and a hand, for the tests of the viewer's window

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }
}

# install_packages WHY PACKAGE...
install_packages() {
    local why=$1 sudo=() said=""
    shift
    [ "$(id -u)" -eq 0 ] || { sudo=(sudo -n) && said="sudo "; }
    if ! can_install; then
        fail "$why. On Debian or Ubuntu, run" \
            "    ${said}apt-get update && ${said}apt-get install -y --no-install-recommends $*" \
            "(on other systems, install what these packages are called there), then make again. Nothing else needs root."
    fi
    echo "setup: $why: installing $*"
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "found no Python 3.11 or later (looked for ${PYTHON:-python3 and python3.11 to python3.13}; PYTHON=... names another)"
}

make_venv() {
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian keeps ensurepip apart. The GL packages come along, so that root is asked for once.
        # shellcheck disable=SC2086
        install_packages "Python cannot make virtual environments here" \
            "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" $GL_PACKAGES
    fi
    "$python" -m venv --clear .venv
}

install_python_packages() {
    echo "setup: installing the Python packages of the extra '$1' into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable ".[$1]"
}

# Whether OpenGL works is known only once a context has been made: a library that loads may have no driver.
make_context() {
    .venv/bin/python -c 'import glrender; glrender.Context().close()'
}

load_mitsuba() {
    .venv/bin/python -c 'import mitsuba'
}

# There is no Open3D for some versions of Python; then there is nothing to load.
load_open3d() {
    .venv/bin/python -c 'from importlib.util import find_spec as f; f("open3d") and __import__("open3d")'
}

case ${1:-dev} in
dev)
    .venv/bin/python -m pip --version >/dev/null 2>&1 || make_venv
    install_python_packages dev
    if ! make_context 2>/dev/null; then
        # shellcheck disable=SC2086
        install_packages "OpenGL does not work on this machine yet" $GL_PACKAGES
        make_context || fail "OpenGL still does not work; '.venv/bin/glrender info' tells more"
    fi
    if ! command -v Xvfb >/dev/null || ! command -v xdotool >/dev/null; then
        if can_install; then
            # shellcheck disable=SC2086
            install_packages "the tests of the viewer's window need a display without a screen" $WINDOW_PACKAGES
        else
            echo "setup: without $WINDOW_PACKAGES the tests of the viewer's window are skipped; all else works"
        fi
    fi
    ;;
bench)
    install_python_packages bench
    if ! load_mitsuba 2>/dev/null; then
        install_packages "Mitsuba does not load on this machine yet" libatomic1
        load_mitsuba || fail "Mitsuba still does not load"
    fi
    if ! load_open3d 2>/dev/null; then
        install_packages "Open3D does not load on this machine yet" libusb-1.0-0
        load_open3d || fail "Open3D still does not load"
    fi
    ;;
*)
    fail "unknown extra '$1'; expected dev or bench"
    ;;
esac
