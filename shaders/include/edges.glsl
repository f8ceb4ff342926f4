// Provides: occlusion_edge(), and the samplers of the finished derivative pass that it looks at.
//
// A pixel is at an edge if a 4-neighbour inside the image sees nothing, or if the depth to it jumps by more
// than JUMP of the nearer depth and the pixel's own plane, extended to there, does not explain half of that.

#include "view.glsl"
#include "surface.glsl"

#ifndef JUMP
#define JUMP 0.02
#endif

uniform usampler2D triangles;   // triangle id + 1 in its fourth channel
uniform sampler2D image;        // depth in its fourth channel

// `ends` says whether a neighbour sees nothing. The pixel itself must see `own`.
bool occlusion_edge(ivec2 here, Triangle own, out bool ends) {
    float depth = texelFetch(image, here, 0).w;
    vec3 normal = camera_normal(own);
    float incidence = dot(normal, pixel_ray(vec2(here) + 0.5));
    ivec2 last = textureSize(triangles, 0) - 1;
    bool jumps = false;
    ends = false;
    for (int k = 0; k < 4; ++k) {
        ivec2 there = here + ivec2(k == 0 ? 1 : k == 1 ? -1 : 0, k == 2 ? 1 : k == 3 ? -1 : 0);
        float beyond = texelFetch(image, clamp(there, ivec2(0), last), 0).w;
        float jump = abs(beyond - depth);
        // On one plane depth goes with 1 / (n . r).
        float extended = depth * incidence / dot(normal, pixel_ray(vec2(there) + 0.5));
        bool explained = extended > 0.0 && abs(extended - beyond) < 0.5 * jump;
        ends = ends || beyond == 0.0;
        jumps = jumps || (jump > JUMP * min(depth, beyond) && !explained);
    }
    return ends || jumps;
}
