"""Sums of four numbers at a time in compiled loops, see `glrender.render.lanes`."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from glrender.render.lanes import in_all, place_of


def _add_scaled(typing: Any, array: Any, row: Any, scale: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """In compiled code, add_scaled(array, row, scale, a, b, c, d): array[row] += scale * (a, b, c, d).

    The array is (n, 4), C-contiguous, float64. Numba adds in fixed short loops one number at a time: with this the
    sums over a triangle's pixels take half as long.
    """
    number = types.float64
    signature = types.void(array, types.intp, number, number, number, number, number)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        data, row, scale, *values = arguments
        four = ir.VectorType(ir.DoubleType(), len(values))
        kind = signature.args[0]
        place = place_of(context, builder, kind, data, (row, context.get_constant(types.intp, 0)), four)
        vector = ir.Constant(four, ir.Undefined)
        for lane, value in enumerate(values):
            vector = builder.insert_element(vector, value, ir.Constant(ir.IntType(32), lane))
        contract = ("contract",)  # one rounding, where the machine has a fused multiply-add
        before = builder.load(place, align=8)
        after = builder.fadd(before, builder.fmul(in_all(builder, scale, four), vector, flags=contract), flags=contract)
        builder.store(after, place, align=8)
        return context.get_dummy_value()

    return signature, generate


add_scaled: Any = intrinsic(_add_scaled)
