// Provides: order_of(), from_order(). Floats as unsigned integers that sort in the same order.

const uint SIGN = 0x80000000u;

uint order_of(float value) {
    uint bits = floatBitsToUint(value);
    return (bits & SIGN) != 0u ? ~bits : bits | SIGN;
}

float from_order(uint order) {
    return uintBitsToFloat((order & SIGN) != 0u ? order & ~SIGN : ~order);
}
