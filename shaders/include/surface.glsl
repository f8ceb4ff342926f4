// Provides: vertex_position(), Triangle, fetch_triangle(), neighbour().
// The height map as a texture, one texel a vertex: height above the grid frame's origin, then r, g, b.
// A vertex that nobody has seen is UNSEEN metres high: OpenGL 3.3 promises nothing about NaN.

#include "view.glsl"

uniform sampler2D surface;

const float UNSEEN = 1e30;

vec3 vertex_position(ivec2 vertex, float height) {
    return vec3(eye.w * vec2(vertex - grid.zw), height);
}

struct Triangle {
    vec3 corner;        // grid coordinates of the vertex at the triangle's right angle
    float side;         // +1: the quad's lower-left half (a, b, c); -1: its other half (b, d, c)
    vec2 slope;         // dh/dx, dh/dy
    mat3x2 color_slope; // column k: dC_k/dx, dC_k/dy per metre of map
    vec3 color[3];      // of the three vertices, in the order of their ids
    ivec3 vertices;     // vertex indices, row by row
    bool seen;          // whether all three vertices are
};

// `id` counts two triangles a quad, row by row.
Triangle fetch_triangle(int id) {
    bool upper = (id & 1) == 1;
    ivec2 a = divide(id >> 1, grid.x - 1);
    ivec2 right_angle = upper ? a + 1 : a;
    vec4 at_b = texelFetch(surface, a + ivec2(1, 0), 0);
    vec4 at_c = texelFetch(surface, a + ivec2(0, 1), 0);
    vec4 at_corner = texelFetch(surface, right_angle, 0);
    vec4 along_x = (upper ? at_corner - at_c : at_b - at_corner) / eye.w;
    vec4 along_y = (upper ? at_corner - at_b : at_c - at_corner) / eye.w;

    Triangle t;
    t.corner = vertex_position(right_angle, at_corner.x);
    t.side = upper ? -1.0 : 1.0;
    t.slope = vec2(along_x.x, along_y.x);
    t.color_slope = mat3x2(along_x.y, along_y.y, along_x.z, along_y.z, along_x.w, along_y.w);
    t.color[0] = upper ? at_b.yzw : at_corner.yzw;
    t.color[1] = upper ? at_corner.yzw : at_b.yzw;
    t.color[2] = at_c.yzw;
    t.seen = max(at_corner.x, max(at_b.x, at_c.x)) < UNSEEN;
    int b = a.y * grid.x + a.x + 1;
    t.vertices = ivec3(upper ? b : b - 1, upper ? b + grid.x : b, b + grid.x - 1);
    return t;
}

// The triangle that shares the edge opposite vertex k of triangle `id`; -1 at the border of the map.
int neighbour(int id, int k) {
    bool upper = (id & 1) == 1;
    ivec2 q = divide(id >> 1, grid.x - 1);
    // Lower half: diagonal, left, below. Other half: above, diagonal, right.
    q += upper ? ivec2(k == 2, k == 0) : -ivec2(k == 1, k == 2);
    bool inside = q == clamp(q, ivec2(0), grid.xy - 2);
    return inside ? 2 * (q.y * (grid.x - 1) + q.x) + (upper ? 0 : 1) : -1;
}
