// The normal equations as a block stencil: each vertex collects what the pixels of its triangles add to it.
//
// A vertex looks at the pixels in the boxes of its four quads, row by row, so its sums are made in the same order
// whatever else runs. LANES x LANES threads share a vertex; their sums meet in a fixed order too.

#include "view.glsl"

#ifndef CHANNELS
#define CHANNELS 3
#endif
// 1: heights and colours apart, in planes of their own, without the couplings between them.
#ifndef SEPARATE
#define SEPARATE 0
#endif
// Threads along each side of the square of threads that share a vertex: 1, 2, 4 or 8.
#ifndef LANES
#define LANES 1
#endif

layout(local_size_x = 8, local_size_y = 8) in;

uniform usampler2D triangles;   // bits of b1, b2; triangle id + 1 in its fourth channel

layout(std430) readonly buffer ByHeight {
    vec4 by_height[];   // of each pixel, row by row: hh, right-hand side of the height, cc, 0
};
#if CHANNELS > 0
layout(std430) readonly buffer ByColor {
    vec4 by_color[];    // right-hand sides of the colours, 0
};
#endif
#if CHANNELS > 0 && SEPARATE == 0
#define COUPLINGS CHANNELS
layout(std430) readonly buffer Couplings {
    vec4 couplings[];   // hc of the colours, 0
};
#else
#define COUPLINGS 0
#endif

layout(std430) readonly buffer Boxes {
    uint boxes[];   // of each quad W - u, u + 1, H - v, v + 1, each the largest of its pixels; 0 without any
};
// Entries hh (height and height), cc (colour and colour) and hc_0 ... (height and each colour), each of them for the
// vertex itself and for three of its neighbours; and the right-hand sides of the height and the colours.
layout(std430) writeonly buffer Matrix {
#if SEPARATE
    vec4 matrix[];      // (ENTRIES, rows, cols)
#else
    float matrix[];     // (rows, cols, 4, ENTRIES)
#endif
};
layout(std430) writeonly buffer Vector {
    float vector[];     // (1 + CHANNELS, rows, cols) where they are apart, (rows, cols, 1 + CHANNELS) else
};

#if CHANNELS > 0
#define ENTRIES (2 + COUPLINGS)
#else
#define ENTRIES 1
#endif
#define SUMS (ENTRIES + 1)   // the vector's comes last

#if LANES > 1
shared vec4 shares[64];
#endif

// Barycentric weights, in the pixel's triangle, of the vertex at a corner of the quad, and of those to the right of it,
// below it, and below it to the left. `corners` has the weights at the quad's corners 00, 01, 10, 11 (row, column): 0
// at those that are not the triangle's.
vec4 weights_at(vec4 corners, ivec2 corner) {
    if (corner.y == 0) {
        return corner.x == 0 ? vec4(corners.xyz, 0.0) : vec4(corners.y, 0.0, corners.w, corners.z);
    }
    return corner.x == 0 ? vec4(corners.zw, 0.0, 0.0) : vec4(corners.w, 0.0, 0.0, 0.0);
}

uvec4 box_around(ivec2 vertex) {
    uvec4 box = uvec4(0u);
    ivec2 first = max(vertex - 1, ivec2(0)), last = min(vertex, grid.xy - 2);
    for (int i = first.y; i <= last.y; ++i) {
        for (int j = first.x; j <= last.x; ++j) {
            int place = 4 * (i * (grid.x - 1) + j);
            box = max(box, uvec4(boxes[place], boxes[place + 1], boxes[place + 2], boxes[place + 3]));
        }
    }
    return box;
}

void main() {
    ivec2 thread = ivec2(gl_GlobalInvocationID.xy);
    ivec2 vertex = thread / LANES, lane = thread - vertex * LANES;
    bool inside = all(lessThan(vertex, grid.xy));
    vec4 sums[SUMS];
    for (int e = 0; e < SUMS; ++e) {
        sums[e] = vec4(0.0);
    }
    ivec2 size = textureSize(triangles, 0);
    uvec4 box = inside ? box_around(vertex) : uvec4(0u);
    ivec2 first = size - ivec2(box.xz), last = ivec2(box.yw) - 1;
    for (int v = first.y + lane.y; v <= last.y; v += LANES) {
        vec4 row[SUMS];
        for (int e = 0; e < SUMS; ++e) {
            row[e] = vec4(0.0);
        }
        for (int u = first.x + lane.x; u <= last.x; u += LANES) {
            ivec2 pixel = ivec2(u, v);
            uvec4 geometry = texelFetch(triangles, pixel, 0);
            int triangle = int(geometry.w) - 1;
            ivec2 corner = vertex - divide(triangle >> 1, grid.x - 1);
            if (triangle < 0 || corner != (corner & 1)) {
                continue;
            }
            vec2 b = uintBitsToFloat(geometry.xy);
            float b0 = 1.0 - b.x - b.y;
            vec4 corners = (triangle & 1) == 0 ? vec4(b0, b, 0.0) : vec4(0.0, b0, b.y, b.x);
            vec4 weights = weights_at(corners, corner);
            int place = v * size.x + u;
            vec4 height_terms = by_height[place];
            vec4 products = weights.x * weights;
            vec4 right_sides = vec4(height_terms.y, 0.0, 0.0, 0.0);
            row[0] += height_terms.x * products;
#if CHANNELS > 0
            right_sides.yzw = by_color[place].xyz;
            row[1] += height_terms.z * products;
#endif
#if COUPLINGS > 0
            vec4 coupling_terms = couplings[place];
            for (int c = 0; c < CHANNELS; ++c) {
                row[2 + c] += coupling_terms[c] * products;
            }
#endif
            row[ENTRIES] += weights.x * right_sides;
        }
        for (int e = 0; e < SUMS; ++e) {
            sums[e] += row[e];
        }
    }
#if LANES > 1
    uint place = gl_LocalInvocationIndex;
    for (int e = 0; e < SUMS; ++e) {
        for (int half_way = LANES / 2; half_way > 0; half_way /= 2) {
            shares[place] = sums[e];
            barrier();
            if (lane.y < half_way) {
                sums[e] += shares[place + uint(8 * half_way)];
            }
            barrier();
        }
        for (int half_way = LANES / 2; half_way > 0; half_way /= 2) {
            shares[place] = sums[e];
            barrier();
            if (lane.x < half_way) {
                sums[e] += shares[place + uint(half_way)];
            }
            barrier();
        }
    }
#endif
    if (inside && lane == ivec2(0)) {
        int here = vertex.y * grid.x + vertex.x;
#if SEPARATE
        int vertices = grid.x * grid.y;
        for (int e = 0; e < ENTRIES; ++e) {
            matrix[e * vertices + here] = sums[e];
        }
        for (int k = 0; k <= CHANNELS; ++k) {
            vector[k * vertices + here] = sums[ENTRIES][k];
        }
#else
        for (int offset = 0; offset < 4; ++offset) {
            for (int e = 0; e < ENTRIES; ++e) {
                matrix[(4 * here + offset) * ENTRIES + e] = sums[e][offset];
            }
        }
        for (int k = 0; k <= CHANNELS; ++k) {
            vector[(1 + CHANNELS) * here + k] = sums[ENTRIES][k];
        }
#endif
    }
}
