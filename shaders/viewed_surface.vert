// The height map to look at: with smooth normals, and one value a vertex for false colours.

#include "view.glsl"
#include "surface.glsl"
#include "grid_vertex.glsl"

uniform sampler2D details;  // one texel a vertex: slope along x, along y, value (UNSEEN where there is none)

out vec3 color;
out vec3 detail;
out vec2 place;             // column and row

void main() {
    ivec2 vertex = grid_vertex(gl_VertexID).place;
    vec4 texel = texelFetch(surface, vertex, 0);
    gl_Position = project((T_camera_grid * vec4(vertex_position(vertex, texel.x), 1.0)).xyz);
    color = texel.yzw;
    detail = texelFetch(details, vertex, 0).xyz;
    place = vec2(vertex);
}
