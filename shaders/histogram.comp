// How often each residual of a frame's depths occurs, by the bits of its order: the first half of finding medians.
//
// ROUND 0 counts the upper 16 bits; ROUND 1 the lower ones of those that share the upper 16 bits of the median.

#include "measured.glsl"
#include "order.glsl"
#include "median.glsl"

#ifndef ROUND
#define ROUND 0
#endif
#ifndef TILE_WIDTH
#define TILE_WIDTH 64
#endif
#ifndef TILE_HEIGHT
#define TILE_HEIGHT 8
#endif

layout(local_size_x = TILE_WIDTH, local_size_y = TILE_HEIGHT) in;

uniform sampler2D image;        // predicted depth in its fourth channel
uniform usampler2D triangles;   // by how much that depends on the height in its third, as bits

void main() {
    ivec2 pixel = ivec2(gl_GlobalInvocationID.xy);
    if (any(greaterThanEqual(pixel, textureSize(image, 0)))) {
        return;
    }
    DepthReading depth = read_depth(pixel, texelFetch(image, pixel, 0).w);
    float m_u = uintBitsToFloat(texelFetch(triangles, pixel, 0).z);
    if (!depth.valid || !(depth.sigma > 0.0 && depth.sigma < UNSURE) || !seen_from_above(m_u)) {
        return;
    }
    float values[KINDS] = float[](abs(depth.residual) / depth.sigma, depth.residual, abs(depth.residual));
    for (int kind = 0; kind < KINDS; ++kind) {
        uint order = order_of(values[kind]);
#if ROUND == 0
        atomicAdd(histograms[BINS * kind + int(order >> 16)], 1u);
#else
        if (order >> 16 == medians[kind] >> 16) {
            atomicAdd(histograms[BINS * kind + int(order & 0xffffu)], 1u);
        }
#endif
    }
}
