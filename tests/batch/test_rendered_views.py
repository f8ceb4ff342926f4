"""Views of scenes: what each buffer and file holds, several objects in one image, and what stays in the context."""

import re
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy import sparse

from glrender.batch.outputs import Buffers, Depth, Ids, Image, Jacobian, Normals
from glrender.batch.rendered_view import BUFFERS, RenderedView
from glrender.batch.scene_renderer import SIZES, SceneRenderer
from glrender.errors import InputError, UsageError
from glrender.geometry import se3
from glrender.geometry.camera import Camera
from glrender.geometry.heightmap import HeightMap
from glrender.gl.context import Context
from glrender.io.color import linear_to_bytes
from glrender.pipeline.scene import Scene
from glrender.render.derivatives import DerivativeRenderer
from glrender.render.forward import ForwardRenderer

CAMERA = Camera(48, 36, 50.0, 50.0, 23.5, 17.5)
POSE = se3.look_at((0.0, -1.6, 1.6), (0.0, 0.0, 0.1))


@pytest.fixture
def block() -> HeightMap:
    """A grey plateau that rises out of the ground in its middle, on a grid of its own."""
    return HeightMap(np.full((3, 4), 0.25), 0.2, (-0.3, -0.2), np.full((3, 4, 1), 0.7))


@pytest.fixture
def view(context: Context, ground: HeightMap) -> RenderedView:
    with SceneRenderer(context) as renderer:
        return renderer.render(Scene.of(ground), CAMERA, POSE, BUFFERS)


def test_a_view_of_one_object_is_what_the_renderers_give(context: Context, ground: HeightMap) -> None:
    buffers = DerivativeRenderer(context, CAMERA).render(ground, POSE)
    plain = ForwardRenderer(context, CAMERA).render(ground, POSE)
    with SceneRenderer(context) as renderer:
        view = renderer.render(Scene.of(ground), CAMERA, POSE, BUFFERS)
        simple = renderer.render(Scene.of(ground), CAMERA, POSE)
    for name in set(BUFFERS) - {"object_ids", "depth_wrt_pose", "image_wrt_pose"}:
        np.testing.assert_array_equal(view[name], getattr(buffers, name), err_msg=name)
    assert buffers.pose is not None
    np.testing.assert_array_equal(view["image_wrt_pose"], buffers.pose.image_wrt_pose)
    np.testing.assert_array_equal(view["object_ids"], np.where(buffers.visible, 0, -1))
    np.testing.assert_array_equal(simple["image"], plain.image)
    np.testing.assert_array_equal(simple["depth"], plain.depth)
    with pytest.raises(UsageError, match="buffer 'normal': not among those that were asked for"):
        simple["normal"]
    with pytest.raises(UsageError, match="jacobian: this view was rendered without derivatives"):
        simple.jacobian("depth", "height")


def test_of_several_objects_the_nearest_is_seen(context: Context, ground: HeightMap, block: HeightMap) -> None:
    with SceneRenderer(context) as renderer:
        both = renderer.render(Scene.of([ground, block]), CAMERA, POSE, BUFFERS)
        apart = [renderer.render(Scene.of(each), CAMERA, POSE, BUFFERS) for each in (ground, block)]
    owner = both["object_ids"]
    assert (owner == 0).sum() > 100
    assert (owner == 1).sum() > 30
    for k, alone in enumerate(apart):
        mine = owner == k
        for name in ("depth", "normal", "triangle_ids", "vertex_ids", "depth_wrt_height", "depth_wrt_pose"):
            np.testing.assert_array_equal(both[name][mine], alone[name][mine], err_msg=name)
        for name in ("image", "image_wrt_height", "image_wrt_pose"):  # grey is all three colours alike
            np.testing.assert_array_equal(both[name][mine], np.broadcast_to(alone[name], both[name].shape)[mine])
    assert (both["triangle_ids"][owner < 0] == -1).all()
    jumps = owner[:, 1:] != owner[:, :-1]
    assert both["edges"][:, 1:][jumps & (owner[:, 1:] >= 0)].all()


@pytest.mark.parametrize(
    ("of", "wrt"), [("depth", "height"), ("image", "height"), ("image", "color"), ("depth", "pose"), ("image", "pose")]
)
def test_jacobians_of_several_objects_are_those_of_each_side_by_side(
    context: Context, ground: HeightMap, block: HeightMap, of: str, wrt: str
) -> None:
    with SceneRenderer(context) as renderer:
        both = renderer.render(Scene.of([ground, block]), CAMERA, POSE, BUFFERS)
        apart = [renderer.render(Scene.of(each), CAMERA, POSE, BUFFERS) for each in (ground, block)]
    dense = [np.asarray(j if wrt == "pose" else j.todense()) for j in (v.jacobian(of, wrt) for v in (both, *apart))]
    rows = 1 if of == "depth" else 3
    if of == "image":
        dense[2] = np.repeat(dense[2], 3, axis=0)
    mine = [np.repeat(both["object_ids"].ravel() == k, rows)[:, None] for k in (0, 1)]
    if wrt == "pose":
        expected = dense[1] * mine[0] + dense[2] * mine[1]
    else:
        expected = np.hstack([dense[1] * mine[0], dense[2] * mine[1]])
    assert dense[0].shape == expected.shape
    np.testing.assert_array_equal(dense[0], expected)
    assert np.abs(expected).max() > 0


def test_the_derivative_of_a_composed_image_is_that_of_its_differences(
    context: Context, ground: HeightMap, block: HeightMap
) -> None:
    """Raising all of the block by a little changes the depths as its columns of the Jacobian say."""
    step = 1e-3

    def depth(rise: float) -> np.ndarray:
        raised = block.with_values(block.heights + rise, block.colors)
        return renderer.render(Scene.of([ground, raised]), CAMERA, POSE, ("depth", "triangle_ids"))["depth"]

    with SceneRenderer(context) as renderer:
        view = renderer.render(Scene.of([ground, block]), CAMERA, POSE, BUFFERS)
        low, high = depth(-step), depth(step)
    J = view.jacobian("depth", "height")[:, ground.heights.size :]
    predicted = np.asarray(J.sum(axis=1)).reshape(CAMERA.shape)
    measured = (high.astype(float) - low) / (2 * step)
    inside = (view["object_ids"] == 1) & ~view["edges"]
    assert inside.sum() > 20
    np.testing.assert_allclose(measured[inside], predicted[inside], rtol=2e-3, atol=2e-3)


def test_surfaces_are_uploaded_once_and_released_in_the_end(
    context: Context, ground: HeightMap, block: HeightMap, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glrender.render import surface

    uploads = []
    once = surface.surface_texels
    monkeypatch.setattr(surface, "surface_texels", lambda s: uploads.append(s) or once(s))
    before = context.live_objects
    with SceneRenderer(context) as renderer:
        for scene in (Scene.of([ground, block]), Scene.of(block), Scene.of(ground)) * 3:
            for camera in (CAMERA, Camera(20, 10, 20.0, 20.0, 9.5, 4.5)):
                for names in (("image",), BUFFERS):
                    renderer.render(scene, camera, POSE, names)
        assert uploads == [ground, block]
        for width in range(10, 10 + SIZES):
            renderer.render(Scene.of(ground), Camera(width, 10, 20.0, 20.0, 5.0, 5.0), POSE)
        held = context.live_objects
        for width in range(30, 60):
            renderer.render(Scene.of(ground), Camera(width, 10, 20.0, 20.0, 5.0, 5.0), POSE)
        assert context.live_objects == held, "passes of sizes that are long gone"
    assert context.live_objects == before


def test_a_camera_below_the_surface_is_refused(context: Context, ground: HeightMap) -> None:
    with SceneRenderer(context) as renderer:
        below = se3.look_at((0.0, 0.0, 0.05), (0.5, 0.0, 0.05))
        with pytest.raises(InputError, match=r"the camera at \(0, 0, 0.05\) is 0.05 m below the surface of 'map 0'"):
            renderer.render(Scene.of(ground), CAMERA, below)
        beside = se3.look_at((3.0, 0.0, -0.5), (0.0, 0.0, 0.1))  # nothing is above it
        assert renderer.render(Scene.of(ground), CAMERA, beside)["depth"].max() == 0


def decode(content: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    return image[..., ::-1] if image.ndim == 3 else image


def read_exr(content: bytes, tmp_path: Path) -> dict[str, np.ndarray]:
    OpenEXR = pytest.importorskip("OpenEXR", reason="an extra that is not installed here")
    (tmp_path / "a.exr").write_bytes(content)
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as file:
        return {name: np.array(channel.pixels) for name, channel in file.channels().items()}


def test_images_hold_what_was_rendered(view: RenderedView, tmp_path: Path) -> None:
    expected = linear_to_bytes(view["image"])
    np.testing.assert_array_equal(decode(Image().encode(view)), expected)
    jpeg = decode(Image(format="jpeg", quality=100).encode(view))
    assert np.abs(jpeg.astype(int) - expected).mean() < 4  # it keeps less of colour than of light
    assert len(Image(format="jpeg", quality=30).encode(view)) < len(Image(format="jpeg").encode(view))
    channels = read_exr(Image(format="exr").encode(view), tmp_path)
    np.testing.assert_array_equal(np.stack([channels[name] for name in "RGB"], axis=-1), view["image"])


def test_depths_hold_what_was_rendered(view: RenderedView, tmp_path: Path) -> None:
    depth = view["depth"]
    counts = decode(Depth().encode(view))
    assert counts.dtype == np.uint16
    np.testing.assert_allclose(counts / 5000, depth, atol=0.5001 / 5000)
    most = 65534 / view["depth"].max()
    assert decode(Depth(scale=0.999 * most).encode(view)).max() > 65400
    with pytest.raises(InputError, match="far: 2.757 m at 50000 counts a metre do not fit into 16 bits") as refused:
        Depth("far", scale=50000).encode(view)
    told = re.search(r"give a scale of at most ([\d.]+),", str(refused.value))
    assert told is not None
    assert decode(Depth(scale=float(told[1])).encode(view)).max() > 64000
    np.testing.assert_array_equal(np.load(BytesIO(Depth(format="npz").encode(view)))["depth"], depth)
    np.testing.assert_array_equal(read_exr(Depth(format="exr").encode(view), tmp_path)["Z"], depth)


def test_buffers_hold_what_was_rendered(view: RenderedView, tmp_path: Path) -> None:
    arrays = np.load(BytesIO(Buffers(tuple(BUFFERS)).encode(view)))
    assert set(arrays) == set(BUFFERS)
    for name in BUFFERS:
        np.testing.assert_array_equal(arrays[name], view[name])
    channels = read_exr(Buffers(tuple(BUFFERS), format="exr").encode(view), tmp_path)
    np.testing.assert_array_equal(channels["image_wrt_height.G.2"], view["image_wrt_height"][:, :, 1, 2])
    np.testing.assert_array_equal(channels["depth_wrt_pose.wx"], view["depth_wrt_pose"][:, :, 3])
    np.testing.assert_array_equal(channels["triangle_ids"], view["triangle_ids"])
    assert len(channels) == 3 + 1 + 1 + 1 + 3 + 3 + 3 + 1 + 3 + 9 + 6 + 18
    assert set(np.load(BytesIO(Normals().encode(view)))) == {"normal"}
    assert set(np.load(BytesIO(Ids().encode(view)))) == {"object_ids", "triangle_ids", "vertex_ids"}
    assert set(read_exr(Normals(format="exr").encode(view), tmp_path)) == {"normal.X", "normal.Y", "normal.Z"}


def test_jacobians_are_in_scipys_own_format(view: RenderedView) -> None:
    for of, wrt in (("depth", "height"), ("image", "color"), ("image", "pose")):
        J = sparse.load_npz(BytesIO(Jacobian(of, wrt).encode(view)))
        expected = sparse.csr_array(view.jacobian(of, wrt))
        assert J.shape == expected.shape
        assert abs(J - expected).max() == 0


def test_the_same_view_gives_the_same_bytes(view: RenderedView) -> None:
    outputs = (Image(), Image(format="exr"), Depth(), Normals(), Ids(format="exr"), Jacobian("depth", "height"))
    for output in outputs:
        assert output.encode(view) == output.encode(view), output


def test_an_exr_refuses_ids_that_floats_cannot_hold() -> None:
    from glrender.io.arrays import exr_bytes

    with pytest.raises(InputError, match="triangle_ids: received 16777217, but a float of an .exr is exact up to"):
        exr_bytes({"triangle_ids": np.full((2, 2), 2**24 + 1, np.int32)})
