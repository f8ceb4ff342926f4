"""Terrain layers as one grid_map message in a ROS 1 or ROS 2 bag. Needs rosbags (the extra `bags`).

The message is grid_map's own (Fankhauser and Hutter, *A Universal Grid Map Library*, 2016), and so is its order of
cells: index (0, 0) is the cell of the largest x and y, the first index grows towards -x, the second towards -y; a layer
is a matrix in column-major order, so its first index runs fastest. With a map's rows along +y and columns along
+x, that is the map from its last row and column backwards. `pose` is that of the grid's middle, and both start
indices are 0. The one message is sent at time 0 on a latched topic, in the frame `map` (REP 105): the world's.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glrender.checks import check_kind
from glrender.errors import InputError
from glrender.geometry.terrain_layers import TerrainLayers
from glrender.io.files import replacement
from glrender.io.optional import require

TOPIC = "/grid_map"
FRAME = "map"
TYPE = "grid_map_msgs/msg/GridMap"
INFO_TYPE = "grid_map_msgs/msg/GridMapInfo"
BASIC_LAYERS = ["elevation"]
"""A cell is valid where these are."""

_INFO = "float64 resolution\nfloat64 length_x\nfloat64 length_y\ngeometry_msgs/Pose pose\n"
_LAYERS = (
    "string[] layers\nstring[] basic_layers\nstd_msgs/Float32MultiArray[] data\n"
    "uint16 outer_start_index\nuint16 inner_start_index\n"
)
DEFINITIONS = {
    1: {INFO_TYPE: "std_msgs/Header header\n" + _INFO, TYPE: "grid_map_msgs/GridMapInfo info\n" + _LAYERS},
    2: {INFO_TYPE: _INFO, TYPE: "std_msgs/Header header\ngrid_map_msgs/GridMapInfo info\n" + _LAYERS},
}
"""By the version of ROS: the fields of both messages, in order; ROS 2 has the header one level higher."""


def write_ros1_bag(path: str | Path, layers: TerrainLayers) -> None:
    """Write one `.bag` file; InputError if that cannot be done or rosbags is not installed."""
    check_kind("layers", layers, TerrainLayers)
    rosbag1 = require("rosbags.rosbag1", "bags", path)
    store = grid_map_types(1, path)
    with replacement(path) as temporary, rosbag1.Writer(temporary) as writer:
        connection = writer.add_connection(TOPIC, TYPE, typestore=store, latching=1)
        writer.write(connection, 0, store.serialize_ros1(_message(store, layers, 1), TYPE))


def write_ros2_bag(path: str | Path, layers: TerrainLayers) -> None:
    """Write a folder with an mcap file and its metadata.yaml; raises as `write_ros1_bag`.

    A bag that is there is replaced; a folder that is none is refused.
    """
    check_kind("layers", layers, TerrainLayers)
    path = Path(path)
    rosbag2 = require("rosbags.rosbag2", "bags", path)
    store = grid_map_types(2, path)
    if path.is_dir() and any(path.iterdir()) and not (path / "metadata.yaml").exists():
        raise InputError(f"{path}: a folder that is no bag is in the way; move it, or choose another output folder")
    # The eighth version of the format keeps qualities of service as text, as readers before the ninth expect.
    mcap = rosbag2.StoragePlugin.MCAP
    with replacement(path) as temporary, rosbag2.Writer(temporary, version=8, storage_plugin=mcap) as writer:
        connection = writer.add_connection(TOPIC, TYPE, typestore=store, offered_qos_profiles=[_latched()])
        writer.write(connection, 0, store.serialize_cdr(_message(store, layers, 2), TYPE))


def grid_map_types(ros: int, path: str | Path) -> Any:
    """The types of ROS 1 (noetic) or 2 (humble), and grid_map's; `path` is what they are for."""
    typesys = require("rosbags.typesys", "bags", path)
    store = typesys.get_typestore(typesys.Stores.ROS1_NOETIC if ros == 1 else typesys.Stores.ROS2_HUMBLE)
    types = {}
    for name, definition in DEFINITIONS[ros].items():
        types.update(typesys.get_types_from_msg(definition, name))
    store.register(types)
    return store


def _message(store: Any, layers: TerrainLayers, ros: int) -> Any:
    types, surface = store.types, layers.surface
    rows, cols = surface.shape
    x, y = surface.axes()
    middle = types["geometry_msgs/msg/Point"](x=(x[0] + x[-1]) / 2, y=(y[0] + y[-1]) / 2, z=0.0)
    upright = types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0)
    time = types["builtin_interfaces/msg/Time"](sec=0, nanosec=0)
    header = types["std_msgs/msg/Header"](**({"seq": 0} if ros == 1 else {}), stamp=time, frame_id=FRAME)
    info = types[INFO_TYPE](
        **({"header": header} if ros == 1 else {}),
        resolution=surface.spacing,
        length_x=cols * surface.spacing,
        length_y=rows * surface.spacing,
        pose=types["geometry_msgs/msg/Pose"](position=middle, orientation=upright),
    )
    return types[TYPE](
        **({} if ros == 1 else {"header": header}),
        info=info,
        layers=list(layers.layers),
        basic_layers=BASIC_LAYERS,
        data=[_multi_array(types, values) for values in layers.layers.values()],
        outer_start_index=0,
        inner_start_index=0,
    )


def _multi_array(types: Any, values: NDArray[np.float64]) -> Any:
    """A layer as the matrix of `cols` rows (along -x) and `rows` columns (along -y) that grid_map makes of it."""
    rows, cols = values.shape
    dimension = types["std_msgs/msg/MultiArrayDimension"]
    layout = types["std_msgs/msg/MultiArrayLayout"](
        dim=[
            dimension(label="column_index", size=rows, stride=values.size),
            dimension(label="row_index", size=cols, stride=cols),
        ],
        data_offset=0,
    )
    data = values[::-1, ::-1].astype(np.float32).ravel()
    return types["std_msgs/msg/Float32MultiArray"](layout=layout, data=data)


def _latched() -> Any:
    """Whoever subscribes later gets the map, too."""
    from rosbags import interfaces

    never = interfaces.QosTime(0, 0)
    return interfaces.Qos(
        history=interfaces.QosHistory.KEEP_LAST,
        depth=1,
        reliability=interfaces.QosReliability.RELIABLE,
        durability=interfaces.QosDurability.TRANSIENT_LOCAL,
        deadline=never,
        lifespan=never,
        liveliness=interfaces.QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=never,
        avoid_ros_namespace_conventions=False,
    )
