// The height map to look at: with smooth normals, and one value a vertex for false colours.

#include "view.glsl"
#include "surface.glsl"
#include "grid_vertex.glsl"

uniform sampler2D values;   // one texel a vertex; UNSEEN where there is none

out vec3 color;
out vec3 normal;            // upward, map axes, not of unit length
out vec2 place;             // column and row
out float value;

float height_near(ivec2 vertex, float fallback) {
    float height = texelFetch(surface, vertex, 0).x;
    return height < UNSEEN ? height : fallback;
}

void main() {
    ivec2 vertex = grid_vertex(gl_VertexID).place;
    vec4 texel = texelFetch(surface, vertex, 0);
    ivec2 low = max(vertex - 1, ivec2(0));
    ivec2 high = min(vertex + 1, grid.xy - 1);
    float along_x = height_near(ivec2(high.x, vertex.y), texel.x) - height_near(ivec2(low.x, vertex.y), texel.x);
    float along_y = height_near(ivec2(vertex.x, high.y), texel.x) - height_near(ivec2(vertex.x, low.y), texel.x);
    normal = vec3(-vec2(along_x, along_y) / (vec2(high - low) * eye.w), 1.0);
    gl_Position = project((T_camera_grid * vec4(vertex_position(vertex, texel.x), 1.0)).xyz);
    color = texel.yzw;
    place = vec2(vertex);
    value = texelFetch(values, vertex, 0).x;
}
