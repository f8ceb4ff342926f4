// Occlusion boundaries: pixels beside which the depth jumps, from a finished derivative pass.

#include "view.glsl"
#include "surface.glsl"
#include "edges.glsl"

layout(location = 0) out uint edge;

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy);
    uint triangle = texelFetch(triangles, here, 0).w;
    bool ends;
    edge = triangle != 0u && occlusion_edge(here, fetch_triangle(int(triangle) - 1), ends) ? 1u : 0u;
}
