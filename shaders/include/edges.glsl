// Provides: occlusion_edge(), and the samplers of the finished derivative pass that it looks at.
//
// A pixel is at an edge if a 4-neighbour inside the image sees nothing, or if the depth to it jumps by more than
// JUMP of the nearer depth and neither of the two pixels' planes, extended to the other, explains half of that:
// where the ground has a crease one of them does, and nothing is occluded.

#include "view.glsl"
#include "surface.glsl"

#ifndef JUMP
#define JUMP 0.02
#endif

uniform usampler2D triangles;   // triangle id + 1 in its fourth channel
uniform sampler2D image;        // depth in its fourth channel

// Whether the plane that is seen at `depth` from one pixel explains half of the jump to `beyond` at another.
bool explains(Triangle t, ivec2 here, float depth, ivec2 there, float beyond) {
    vec3 normal = camera_normal(t);
    // On one plane depth goes with 1 / (n . r).
    float incidence = dot(normal, pixel_ray(vec2(here) + 0.5));
    float extended = depth * incidence / dot(normal, pixel_ray(vec2(there) + 0.5));
    return extended > 0.0 && abs(extended - beyond) < 0.5 * abs(beyond - depth);
}

// `ends` says whether a neighbour sees nothing. The pixel itself must see `own`.
bool occlusion_edge(ivec2 here, Triangle own, out bool ends) {
    float depth = texelFetch(image, here, 0).w;
    ivec2 last = textureSize(triangles, 0) - 1;
    bool jumps = false;
    ends = false;
    for (int k = 0; k < 4; ++k) {
        ivec2 there = here + ivec2(k == 0 ? 1 : k == 1 ? -1 : 0, k == 2 ? 1 : k == 3 ? -1 : 0);
        there = clamp(there, ivec2(0), last);
        float beyond = texelFetch(image, there, 0).w;
        if (beyond == 0.0) {
            ends = true;
        } else if (abs(beyond - depth) > JUMP * min(depth, beyond)) {
            Triangle other = fetch_triangle(int(texelFetch(triangles, there, 0).w) - 1);
            jumps = jumps ||
                !(explains(own, here, depth, there, beyond) || explains(other, there, beyond, here, depth));
        }
    }
    return ends || jumps;
}
