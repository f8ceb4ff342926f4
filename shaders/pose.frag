// Derivatives of depth and colour with respect to the camera's pose, from a finished derivative pass.
//
// For a twist (v, omega) that moves points X by v + omega x X in camera axes:
// d depth = m . v + (X x m) . omega, d colour = w . v + (X x w) . omega, with m = n / (n . r) and
// w = (g . r) m - g, where g is the colour's gradient over the map (any multiple of n may be added to g).

#include "view.glsl"
#include "surface.glsl"
#include "hit.glsl"

#ifndef CHANNELS
#define CHANNELS 3
#endif

uniform usampler2D triangles;   // triangle id + 1 in its fourth channel

layout(location = 0) out vec4 depth_wrt_translation;
layout(location = 1) out vec4 depth_wrt_rotation;
#if CHANNELS > 0
layout(location = 2) out vec4 red_wrt_translation;      // the grey channel of a grey map
layout(location = 3) out vec4 red_wrt_rotation;
#endif
#if CHANNELS > 1
layout(location = 4) out vec4 green_wrt_translation;
layout(location = 5) out vec4 green_wrt_rotation;
layout(location = 6) out vec4 blue_wrt_translation;
layout(location = 7) out vec4 blue_wrt_rotation;
#endif

vec3 color_wrt_point(vec2 color_slope, vec3 m, vec3 ray) {
    vec3 g = mat3(T_camera_grid) * vec3(color_slope, 0.0);
    return dot(g, ray) * m - g;
}

void main() {
    uint triangle = texelFetch(triangles, ivec2(gl_FragCoord.xy), 0).w;
    vec3 ray = pixel_ray(gl_FragCoord.xy);
    vec3 X = vec3(0.0), m = vec3(0.0);
    vec4 by_x = vec4(0.0), by_y = vec4(0.0);
    if (triangle != 0u) {
        Triangle t = fetch_triangle(int(triangle) - 1);
        Hit h = hit(t, grid_ray(ray));
        X = h.depth * ray;
        m = camera_normal(t) * h.m_u;
        by_x = along_x(t);
        by_y = along_y(t);
    }
    depth_wrt_translation = vec4(m, 0.0);
    depth_wrt_rotation = vec4(cross(X, m), 0.0);
#if CHANNELS > 0
    vec3 w = color_wrt_point(vec2(by_x.y, by_y.y), m, ray);
    red_wrt_translation = vec4(w, 0.0);
    red_wrt_rotation = vec4(cross(X, w), 0.0);
#endif
#if CHANNELS > 1
    w = color_wrt_point(vec2(by_x.z, by_y.z), m, ray);
    green_wrt_translation = vec4(w, 0.0);
    green_wrt_rotation = vec4(cross(X, w), 0.0);
    w = color_wrt_point(vec2(by_x.w, by_y.w), m, ray);
    blue_wrt_translation = vec4(w, 0.0);
    blue_wrt_rotation = vec4(cross(X, w), 0.0);
#endif
}
