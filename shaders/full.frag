// The full layout: every value and derivative as itself, in the pass that draws the map.

#include "view.glsl"
#include "surface.glsl"
#include "hit.glsl"

// Colour channels with derivatives: 3, 1 (grey), or 0 for a map without colours.
#ifndef CHANNELS
#define CHANNELS 3
#endif

flat in uint triangle;

layout(location = 0) out vec4 image;
layout(location = 1) out vec4 normal;
layout(location = 2) out uvec4 vertex_ids;
layout(location = 3) out vec4 barycentric_weights;
layout(location = 4) out vec4 depth_wrt_height;
#if CHANNELS > 0
layout(location = 5) out vec4 red_wrt_height;   // the grey channel of a grey map
#endif
#if CHANNELS > 1
layout(location = 6) out vec4 green_wrt_height;
layout(location = 7) out vec4 blue_wrt_height;
#endif

void main() {
    vec3 r = grid_ray(pixel_ray(gl_FragCoord.xy));
    Triangle t = fetch_triangle(int(triangle) - 1);
    Hit h = hit(t, r);
    settle(t, h, r);
    if (!(h.depth > 0.0)) {
        discard;    // a sliver at the eye itself may end up behind it, and then is not seen
    }
    vec3 b = barycentric(t, h);
    vec3 w_u = color_wrt_height(t, h, r);
    image = vec4(color_at(t, h), h.depth);
    normal = vec4(normalize(camera_normal(t)), 0.0);
    vertex_ids = uvec4(triangle_vertices(t), triangle_id(t) + 1);
    barycentric_weights = vec4(b, 0.0);
    depth_wrt_height = vec4(b * h.m_u, 0.0);
#if CHANNELS > 0
    red_wrt_height = vec4(b * w_u.x, 0.0);
#endif
#if CHANNELS > 1
    green_wrt_height = vec4(b * w_u.y, 0.0);
    blue_wrt_height = vec4(b * w_u.z, 0.0);
#endif
}
