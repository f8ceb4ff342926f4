// Residuals and robust weights of a measured frame: what each pixel adds to the normal equations, before b_k b_l.
//
// Beside that, for each quad of the map, the box of the pixels that add something to its vertices, and for each
// tile of the image what it cost. Nothing is summed in an order that could change from run to run.

#include "view.glsl"
#include "surface.glsl"
#include "edges.glsl"
#include "losses.glsl"
#include "measured.glsl"
#include "order.glsl"
#include "median.glsl"

#ifndef CHANNELS
#define CHANNELS 3
#endif
// 1: colours say nothing about heights.
#ifndef SEPARATE
#define SEPARATE 0
#endif
#ifndef TILE_WIDTH
#define TILE_WIDTH 64
#endif
#ifndef TILE_HEIGHT
#define TILE_HEIGHT 8
#endif

// A thread weighs a strip of the image that is one pixel wide; the strips of a workgroup make a tile.
layout(local_size_x = TILE_WIDTH) in;

uniform sampler2D image_wrt_height;

uniform int depth_loss;         // numbered as in losses.glsl
uniform float depth_k;
uniform int screened;           // 1: edges and grazing views are left out, and scatter beyond the noise widens the loss
uniform float max_depth_slope;  // metres a metre: what is more is a grazing view
#if CHANNELS > 0
uniform int color_loss;
uniform float color_k;
uniform float color_sigma;
#endif
#define COUPLED (CHANNELS > 0 && SEPARATE == 0)

layout(std430) writeonly buffer ByHeight {
    vec4 by_height[];   // of each pixel, row by row: hh, right-hand side of the height, cc, 0
};
#if CHANNELS > 0
layout(std430) writeonly buffer ByColor {
    vec4 by_color[];    // right-hand sides of the colours, 0; where they are apart, of colours, not increments
};
#endif
#if COUPLED
layout(std430) writeonly buffer Couplings {
    vec4 couplings[];   // hc of the colours, 0
};
#endif

layout(std430) buffer Boxes {
    uint boxes[];   // of each quad W - u, u + 1, H - v, v + 1, each the largest of its pixels; 0 without any
};

struct Tile {
    float cost;     // sum of rho
    uint count;     // measurements used
    uint measured;  // depths that were measured where the map is seen, used or not
    uint trusted;   // of these, those with a weight of at least one half
    uint senseless; // depths whose sigma is not positive
    uint excessive; // pixels that would add more than LARGEST
};

layout(std430) buffer Tiles {
    Tile tiles[];
};

const float LARGEST = 1e30;     // so much of each of 10^8 pixels can be summed up in float32

shared Tile strips[TILE_WIDTH];

bool usable(ivec2 pixel, int triangle, float m_u) {
    if (!may_be_used(pixel)) {
        return false;
    }
    if (screened == 0) {
        return true;
    }
    bool ends;
    bool edge = occlusion_edge(pixel, fetch_triangle(triangle), ends);
    // Where the map simply ends nothing is occluded.
    ivec2 quad = divide(triangle >> 1, grid.x - 1);
    bool outermost = any(equal(quad, ivec2(0))) || any(equal(quad, grid.xy - 2));
    return (!edge || (ends && outermost)) && abs(m_u) <= max_depth_slope;
}

void enlarge(uint place, uint value) {
    // Most pixels are inside of the box already. A value from before other pixels' is smaller, so nothing is missed.
    if (boxes[place] < value) {
        atomicMax(boxes[place], value);
    }
}

void enlarge_box(int triangle, ivec2 pixel, ivec2 size) {
    uint quad = 4u * uint(triangle >> 1);
    enlarge(quad, uint(size.x - pixel.x));
    enlarge(quad + 1u, uint(pixel.x + 1));
    enlarge(quad + 2u, uint(size.y - pixel.y));
    enlarge(quad + 3u, uint(pixel.y + 1));
}

// Writes the pixel's terms and adds to `strip`.
void weigh(ivec2 pixel, ivec2 size, inout Tile strip) {
    vec4 height_terms = vec4(0.0), color_terms = vec4(0.0), coupling_terms = vec4(0.0);
    uvec4 geometry = texelFetch(triangles, pixel, 0);
    vec4 rendered = texelFetch(image, pixel, 0);
    int triangle = int(geometry.w) - 1;
    float cost = 0.0;
    if (triangle >= 0) {
        float m_u = uintBitsToFloat(geometry.z);
        bool use = usable(pixel, triangle, m_u);
        DepthReading depth = read_depth(pixel, rendered.w);
        bool measured = depth.valid && depth.sigma < UNSURE;
        strip.measured += uint(measured);
        if (depth.valid && use && (screened == 0 || seen_from_above(m_u))) {
            if (depth.sigma > 0.0) {
                float scale = screened == 1 ? max(1.0, 1.4826 * from_order(medians[0])) : 1.0;
                vec2 loss = rho_and_weight(depth_loss, depth_k * scale, abs(depth.residual) / depth.sigma);
                float w = loss.y / depth.sigma / depth.sigma;
                height_terms.xy = w * m_u * vec2(m_u, depth.residual);
                cost += loss.x;
                strip.count += 1u;
                strip.trusted += uint(measured && loss.y >= 0.5);
            } else {
                strip.senseless += 1u;
            }
        }
#if CHANNELS > 0
        vec3 color;
        if (use && read_color(pixel, size.x, CHANNELS, color)) {
#if CHANNELS > 1
            vec3 residual = color - rendered.xyz;
            vec3 w_u = texelFetch(image_wrt_height, pixel, 0).xyz;
#else
            vec3 residual = vec3(color.x - rendered.x, 0.0, 0.0);
            vec3 w_u = vec3(rendered.y, 0.0, 0.0);
#endif
            vec2 loss = rho_and_weight(color_loss, color_k, length(residual) / color_sigma);
            float w = loss.y / color_sigma / color_sigma;
            height_terms.z = w;
#if SEPARATE
            color_terms.xyz = w * color;
#else
            color_terms.xyz = w * residual;
            coupling_terms.xyz = w * w_u;
            height_terms.xy += vec2(dot(coupling_terms.xyz, w_u), dot(color_terms.xyz, w_u));
#endif
            cost += loss.x;
            strip.count += 1u;
        }
#endif
    }
    vec4 largest = max(max(abs(height_terms), abs(color_terms)), max(abs(coupling_terms), vec4(cost)));
    if (max(max(largest.x, largest.y), max(largest.z, largest.w)) < LARGEST) {
        strip.cost += cost;
    } else {
        strip.excessive += 1u;
        height_terms = color_terms = coupling_terms = vec4(0.0);
    }
    int place = pixel.y * size.x + pixel.x;
    by_height[place] = height_terms;
#if CHANNELS > 0
    by_color[place] = color_terms;
#endif
#if COUPLED
    couplings[place] = coupling_terms;
#endif
    if (height_terms.x != 0.0 || height_terms.z != 0.0) {
        enlarge_box(triangle, pixel, size);
    }
}

void main() {
    ivec2 size = textureSize(triangles, 0);
    ivec2 first = ivec2(gl_GlobalInvocationID.x, gl_WorkGroupID.y * TILE_HEIGHT);
    Tile strip = Tile(0.0, 0u, 0u, 0u, 0u, 0u);
    if (first.x < size.x) {
        for (int v = first.y; v < min(first.y + TILE_HEIGHT, size.y); ++v) {
            weigh(ivec2(first.x, v), size, strip);
        }
    }
    strips[gl_LocalInvocationIndex] = strip;
    barrier();
    if (gl_LocalInvocationIndex == 0u) {
        for (int k = 1; k < TILE_WIDTH; ++k) {
            strip.cost += strips[k].cost;
            strip.count += strips[k].count;
            strip.measured += strips[k].measured;
            strip.trusted += strips[k].trusted;
            strip.senseless += strips[k].senseless;
            strip.excessive += strips[k].excessive;
        }
        tiles[gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x] = strip;
    }
}
