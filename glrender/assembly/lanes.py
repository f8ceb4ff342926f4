"""Four numbers at a time in compiled loops."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


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
        column = context.get_constant(types.intp, 0)
        first = cgutils.get_item_pointer(  # type: ignore[no-untyped-call]
            context, builder, kind, context.make_array(kind)(context, builder, data), [row, column]
        )
        place = builder.bitcast(first, four.as_pointer())
        scales = vector = ir.Constant(four, ir.Undefined)
        for lane, value in enumerate(values):
            index = ir.Constant(ir.IntType(32), lane)
            scales = builder.insert_element(scales, scale, index)
            vector = builder.insert_element(vector, value, index)
        contract = ("contract",)  # one rounding, where the machine has a fused multiply-add
        before = builder.load(place, align=8)
        after = builder.fadd(before, builder.fmul(scales, vector, flags=contract), flags=contract)
        builder.store(after, place, align=8)
        return context.get_dummy_value()

    return signature, generate


add_scaled: Any = intrinsic(_add_scaled)
