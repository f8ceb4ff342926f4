// A height map without any vertex buffer: each vertex finds its own place from gl_VertexID.

#include "view.glsl"
#include "surface.glsl"
#include "grid_vertex.glsl"

#ifndef WITH_COLOR
#define WITH_COLOR 0
#endif

flat out uint triangle;     // triangle id + 1
#if WITH_COLOR
out vec3 color;
#endif

void main() {
    GridVertex vertex = grid_vertex(gl_VertexID);
    vec4 texel = texelFetch(surface, vertex.place, 0);
    gl_Position = project((T_camera_grid * vec4(vertex_position(vertex.place, texel.x), 1.0)).xyz);
    triangle = vertex.triangle;
#if WITH_COLOR
    color = texel.yzw;
#endif
}
