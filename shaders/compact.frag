// The compact layout: what the full one says, in factors, evaluated once per pixel of a visibility buffer.
//
// Small triangles make a rasteriser shade far more pixels than there are (llvmpipe: 4x4 at a time), so
// drawing only ids and evaluating afterwards halves the cost of writing these attachments while drawing.

#include "view.glsl"
#include "surface.glsl"
#include "hit.glsl"

#ifndef CHANNELS
#define CHANNELS 3
#endif

uniform usampler2D visibility;

layout(location = 0) out vec4 image;            // r, g, b, depth; or grey, d grey / d height, 0, depth
layout(location = 1) out uvec4 geometry;        // bits of b1, b2 and d depth / d height; triangle id + 1
#if CHANNELS > 1
layout(location = 2) out vec4 image_wrt_height; // d red, d green, d blue / d height
#endif

void main() {
    int id = int(texelFetch(visibility, ivec2(gl_FragCoord.xy), 0).x) - 1;
    Hit h = Hit(0.0, vec3(0.0), 0.0, vec3(0.0), vec3(0.0));
    if (id >= 0) {
        vec3 ray = pixel_ray(gl_FragCoord.xy);
        Triangle t = fetch_triangle(id);
        h = hit(t, ray);
        settle(id, t, h, ray);
    }
#if CHANNELS > 1
    image = vec4(h.color, h.depth);
    image_wrt_height = vec4(h.w_u, 0.0);
#else
    image = vec4(h.color.x, h.w_u.x, 0.0, h.depth);
#endif
    geometry = uvec4(floatBitsToUint(h.b.y), floatBitsToUint(h.b.z), floatBitsToUint(h.m_u), uint(id + 1));
}
