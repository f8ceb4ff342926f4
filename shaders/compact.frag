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
    vec3 color = vec3(0.0), w_u = vec3(0.0), b = vec3(0.0);
    float depth = 0.0, m_u = 0.0;
    if (id >= 0) {
        vec3 r = grid_ray(pixel_ray(gl_FragCoord.xy));
        Triangle t = fetch_triangle(id);
        Hit h = hit(t, r);
        settle(t, h, r);
        id = -1;
        if (h.depth > 0.0) {    // a sliver at the eye itself may end up behind it, and then is not seen
            id = triangle_id(t);
            depth = h.depth;
            m_u = h.m_u;
            color = color_at(t, h);
            w_u = color_wrt_height(t, h, r);
            b = barycentric(t, h);
        }
    }
#if CHANNELS > 1
    image = vec4(color, depth);
    image_wrt_height = vec4(w_u, 0.0);
#else
    image = vec4(color.x, w_u.x, 0.0, depth);
#endif
    geometry = uvec4(floatBitsToUint(b.y), floatBitsToUint(b.z), floatBitsToUint(m_u), uint(id + 1));
}
