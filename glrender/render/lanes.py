"""Four numbers at a time (SIMD lanes) in compiled loops, where Numba by itself computes one after the other.

The results are the same to the bit. Indices are not counted from an array's end where they are negative, so none may
be. Arrays are C-contiguous.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 4

_Double, _Float, _Word = ir.DoubleType(), ir.FloatType(), ir.IntType(32)
_Doubles, _Floats, _Words = (ir.VectorType(kind, LANES) for kind in (_Double, _Float, _Word))


def _write_pixel(typing: Any, planes: Any, k: Any, x: Any, y: Any, pixels: Any, row: Any, column: Any) -> Any:
    """write_pixel(planes, k, x, y, pixels, row, column), in compiled code: write what a pixel sees of a triangle.

    Row k of `planes` (n, 12), float64, is about four quantities, the three colours / depth and 1 / depth, which are
    linear in the image: first has it by how much they change along u, then along v, and then their values at (0, 0).
    Colours and depth at (x, y) are written to [row, column] of `pixels` (height, width, 4), float32.
    """
    signature = types.void(planes, types.uintp, types.float64, types.float64, pixels, types.uintp, types.uintp)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        planes, k, x, y, pixels, row, column = arguments
        zero = context.get_constant(types.uintp, 0)
        first = place_of(context, builder, signature.args[0], planes, (k, zero), _Doubles)
        along_u, along_v, there = (
            builder.load(builder.gep(first, [ir.Constant(_Word, step)]), align=8) for step in range(3)
        )
        contract = ("contract",)  # one rounding, where the machine has a fused multiply-add
        sums = builder.fadd(builder.fmul(along_v, in_all(builder, y, _Doubles), flags=contract), there, flags=contract)
        sums = builder.fadd(builder.fmul(along_u, in_all(builder, x, _Doubles), flags=contract), sums, flags=contract)
        last = ir.Constant(_Word, LANES - 1)
        depth = builder.fdiv(ir.Constant(_Double, 1.0), builder.extract_element(sums, last))
        values = builder.insert_element(builder.fmul(sums, in_all(builder, depth, _Doubles)), depth, last)
        place = place_of(context, builder, signature.args[4], pixels, (row, column, zero), _Floats)
        builder.store(builder.fptrunc(values, _Floats), place, align=4)
        return context.get_dummy_value()

    return signature, generate


def _draw_lanes(
    typing: Any, nearness: Any, triangles: Any, row: Any, column: Any, first: Any, last: Any, slope: Any, start: Any,
    nearest: Any, number: Any,
) -> Any:  # fmt: skip
    """draw_lanes(nearness, triangles, row, column, first, last, slope, start, nearest, number), in compiled code.

    Draws triangle `number` into the four pixels from `column` on, all of which must be in the row, but only into those
    from column + first to before column + last. At column u the triangle's 1 / depth is slope u + start. Where that is
    more than what `nearness` (height, width), float32, has, and not more than `nearest`, it is written there, and the
    number into `triangles` (height, width), uint32.
    """
    whole, number_type = types.int64, types.float64
    signature = types.void(
        nearness, triangles, types.uintp, types.uintp, whole, whole, number_type, number_type, types.float32,
        types.uint32,
    )  # fmt: skip

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        nearness, triangles, row, column, first, last, slope, start, nearest, number = arguments
        steps = ir.Constant(_Doubles, [float(lane) for lane in range(LANES)])
        u = builder.fadd(in_all(builder, builder.uitofp(column, _Double), _Doubles), steps)
        sums = builder.fadd(builder.fmul(in_all(builder, slope, _Doubles), u), in_all(builder, start, _Doubles))
        near = builder.fptrunc(sums, _Floats)
        there, seen = (
            place_of(context, builder, signature.args[k], array, (row, column), kind)
            for k, (array, kind) in enumerate(((nearness, _Floats), (triangles, _Words)))
        )
        before, other = builder.load(there, align=4), builder.load(seen, align=4)
        lanes = ir.Constant(_Words, list(range(LANES)))
        drawn = builder.and_(
            builder.and_(
                builder.fcmp_ordered(">", near, before),
                builder.fcmp_ordered("<=", near, in_all(builder, nearest, _Floats)),
            ),
            builder.and_(
                builder.icmp_signed(">=", lanes, in_all(builder, builder.trunc(first, _Word), _Words)),
                builder.icmp_signed("<", lanes, in_all(builder, builder.trunc(last, _Word), _Words)),
            ),
        )
        builder.store(builder.select(drawn, near, before), there, align=4)
        builder.store(builder.select(drawn, in_all(builder, number, _Words), other), seen, align=4)
        return context.get_dummy_value()

    return signature, generate


def place_of(context: Any, builder: ir.IRBuilder, kind: Any, array: Any, at: tuple[Any, ...], lanes: Any) -> Any:
    """The address of an entry of an array, as one of the lanes that begin there."""
    there = context.make_array(kind)(context, builder, array)
    entry = cgutils.get_item_pointer(context, builder, kind, there, at, wraparound=False)  # type: ignore[no-untyped-call]
    return builder.bitcast(entry, lanes.as_pointer())


def in_all(builder: ir.IRBuilder, value: Any, lanes: Any) -> Any:
    """The same number in all lanes."""
    nothing = ir.Constant(lanes, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_Word, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(_Words, [0] * LANES))


write_pixel: Any = intrinsic(_write_pixel)
draw_lanes: Any = intrinsic(_draw_lanes)
