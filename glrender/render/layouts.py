"""What each attachment of each pass holds, channel by channel: the one place that says so.

`C` below is the number of colour channels with derivatives: 3, 1 (grey), or 0 for a map without colours.
"""

COLORS = ("red", "green", "blue")
"""Channel names in attachments; a grey map uses the first alone."""


def compact_attachments(channels: int) -> dict[str, str]:
    """The compact layout.

    - `image`: r, g, b, depth [m]; of a grey map or one without colours: grey, d grey/d height [1/m], 0, depth.
    - `geometry`: bits of the floats b1, b2 (barycentrics; b0 = 1 - b1 - b2) and m_u = d depth/d height
      before b_k; triangle id + 1.
    - `image_wrt_height` (C = 3): w_u = d red, d green, d blue/d height before b_k [1/m]; spare.
    """
    attachments = {"image": "rgba32f", "geometry": "rgba32ui"}
    return attachments | ({"image_wrt_height": "rgba32f"} if channels == 3 else {})


def full_attachments(channels: int) -> dict[str, str]:
    """The full layout.

    - `image`: r, g, b, depth [m].
    - `normal`: unit normal of the triangle in camera axes; spare.
    - `vertex_ids`: indices of the three vertices, row by row; triangle id + 1.
    - `barycentric`: b0, b1, b2; spare.
    - `depth_wrt_height`: d depth/d height of vertex 0, 1, 2 [m/m]; spare.
    - `red_wrt_height` …: d colour/d height of vertex 0, 1, 2 [1/m]; spare. One per colour channel.
    """
    attachments = {
        "image": "rgba32f",
        "normal": "rgba32f",
        "vertex_ids": "rgba32ui",
        "barycentric": "rgba32f",
        "depth_wrt_height": "rgba32f",
    }
    return attachments | {f"{color}_wrt_height": "rgba32f" for color in COLORS[:channels]}


def pose_attachments(channels: int) -> dict[str, str]:
    """Derivatives with respect to the twist (v [m], omega [rad]) of the camera pose.

    - `depth_wrt_translation`, `depth_wrt_rotation`: three components each; spare.
    - `red_wrt_translation`, `red_wrt_rotation` …: the same, per colour channel.
    """
    quantities = ("depth", *COLORS[:channels])
    return {f"{of}_wrt_{part}": "rgba32f" for of in quantities for part in ("translation", "rotation")}


VISIBILITY = {"visibility": "r32ui"}
"""Triangle id + 1; 0 where nothing is seen."""

FORWARD = {"image": "rgba32f"}
"""r, g, b, depth [m]; a grey map has r = g = b."""

EDGES = {"edge": "r8ui"}
"""1 at occlusion boundaries."""

JUMP = 0.02
"""At an occlusion boundary, depths of neighbouring pixels differ by more than this share of the nearer one."""
