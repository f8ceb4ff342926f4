// A height map without any vertex buffer: each vertex finds its own place from gl_VertexID.
//
// Every row of quads has vertices of its own, 2 (row cols + column) on its lower edge in y and one more
// on its upper: so each triangle has a provoking (last) vertex that no other triangle has, and the flat
// triangle id costs nothing. gl_PrimitiveID cost 15 to 30 % of the pass on llvmpipe.

#include "view.glsl"
#include "surface.glsl"

#ifndef WITH_COLOR
#define WITH_COLOR 0
#endif

flat out uint triangle;     // triangle id + 1
#if WITH_COLOR
out vec3 color;
#endif

void main() {
    int upper = gl_VertexID & 1;
    ivec2 quad = divide(gl_VertexID >> 1, grid.x);
    ivec2 vertex = quad + ivec2(0, upper);
    vec4 texel = texelFetch(surface, vertex, 0);
    gl_Position = project((T_camera_grid * vec4(vertex_position(vertex, texel.x), 1.0)).xyz);
    // The lower half of quad (i, j) ends with its vertex (i, j), the other half with (i+1, j+1).
    triangle = uint(2 * (quad.y * (grid.x - 1) + quad.x - upper) + upper + 1);
#if WITH_COLOR
    color = texel.yzw;
#endif
}
