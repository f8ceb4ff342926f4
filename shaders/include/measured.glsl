// Provides: DepthReading, read_depth(), read_color(), seen_from_above(), and the samplers of a measured frame.
//
// Measurements come as the bits of their floats, because OpenGL promises nothing about NaN: numbers that are not finite
// are recognised by their exponent. A texture of a single texel stands for one that has the same value everywhere.
// Colours are a buffer: GPUs keep no three numbers a texel, and a driver that adds the fourth takes longer than the
// upload.

uniform usampler2D measured_depth;      // camera z, metres
uniform usampler2D measured_sigma;      // standard deviation of the depth, metres
uniform usampler2D measured_mask;       // 0: the pixel may not be used
layout(std430) readonly buffer MeasuredColor {
    uint measured_color[];      // channel by channel, pixel by pixel; a single one: nothing was measured
};

bool finite(uint bits) {
    return (bits & 0x7f800000u) != 0x7f800000u;
}

uvec4 measured(usampler2D field, ivec2 pixel) {
    return texelFetch(field, min(pixel, textureSize(field, 0) - 1), 0);
}

bool may_be_used(ivec2 pixel) {
    return measured(measured_mask, pixel).x != 0u;
}

struct DepthReading {
    bool valid;         // something was measured where the map is seen
    float residual;     // measured minus predicted, metres
    float sigma;        // metres, at most UNSURE; 0 where what was given is not positive, which it must be
};

const float UNSURE = 3e38;

#ifndef LEAST_DEPTH_SLOPE
#define LEAST_DEPTH_SLOPE 0.3
#endif

// Whether a depth that changes by m_u a metre of height says something about the height: glrender/assembly/usable.py.
bool seen_from_above(float m_u) {
    return abs(m_u) >= LEAST_DEPTH_SLOPE;
}

DepthReading read_depth(ivec2 pixel, float predicted) {
    uint bits = measured(measured_depth, pixel).x;
    uint sigma_bits = measured(measured_sigma, pixel).x;
    // As integers, the bits of positive floats are positive too.
    DepthReading reading = DepthReading(predicted > 0.0 && int(bits) > 0 && finite(bits), 0.0, 0.0);
    if (reading.valid) {
        float z = uintBitsToFloat(bits);
        reading.residual = z - predicted;
        bool number = int(sigma_bits) > 0 && sigma_bits <= 0x7f800000u;
        reading.sigma = number ? min(uintBitsToFloat(sigma_bits), UNSURE) : 0.0;
    }
    return reading;
}

// The first `channels` of a pixel, in an image of so many pixels a row; false where any is not finite.
bool read_color(ivec2 pixel, int width, int channels, out vec3 color) {
    int place = channels * (pixel.y * width + pixel.x);
    bool valid = measured_color.length() > 1;
    color = vec3(0.0);
    for (int c = 0; valid && c < channels; ++c) {
        uint bits = measured_color[place + c];
        valid = finite(bits);
        color[c] = uintBitsToFloat(bits);
    }
    return valid;
}
