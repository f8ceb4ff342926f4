// Provides: vertex_position(), Triangle, fetch_triangle(), triangle_id(), triangle_vertices(),
// along_x(), along_y(), camera_normal(), neighbour().
// The height map as a texture, one texel a vertex: height above the grid frame's origin, then r, g, b.
// A vertex that nobody has seen is UNSEEN metres high: OpenGL 3.3 promises nothing about NaN.

#include "view.glsl"

uniform sampler2D surface;

const float UNSEEN = 1e30;

vec3 vertex_position(ivec2 vertex, float height) {
    return vec3(eye.w * vec2(vertex - grid.zw), height);
}

// Half a quad, seen from the vertex at its right angle: the other two are one step along x and along y.
// Turning a triangle's half of the quad by 180 degrees gives the other half, so one formula does for both.
struct Triangle {
    ivec2 corner;       // column and row of the vertex at the right angle
    int side;           // +1: the steps go up the axes (vertices a, b, c); -1: down (b, d, c)
    vec4 at_corner;     // texels
    vec4 at_x;          // of corner + side (1, 0)
    vec4 at_y;          // of corner + side (0, 1)
};

// `id` counts two triangles a quad, row by row.
Triangle fetch_triangle(int id) {
    int upper = id & 1;
    Triangle t;
    t.side = 1 - 2 * upper;
    t.corner = divide(id >> 1, grid.x - 1) + upper;
    t.at_corner = texelFetch(surface, t.corner, 0);
    t.at_x = texelFetch(surface, t.corner + ivec2(t.side, 0), 0);
    t.at_y = texelFetch(surface, t.corner + ivec2(0, t.side), 0);
    return t;
}

int triangle_id(Triangle t) {
    int upper = t.side < 0 ? 1 : 0;
    ivec2 quad = t.corner - upper;
    return 2 * (quad.y * (grid.x - 1) + quad.x) + upper;
}

// Vertex indices, row by row, in the triangle's order: (corner, x, y) or, of the other half, (y, corner, x).
ivec3 triangle_vertices(Triangle t) {
    int corner = t.corner.y * grid.x + t.corner.x;
    ivec3 found = ivec3(corner, corner + t.side, corner + t.side * grid.x);
    return t.side > 0 ? found : found.zxy;
}

// dh, dr, dg, db per metre along x, and along y.
vec4 along_x(Triangle t) {
    return (t.at_x - t.at_corner) * (float(t.side) / eye.w);
}

vec4 along_y(Triangle t) {
    return (t.at_y - t.at_corner) * (float(t.side) / eye.w);
}

// The upward normal in camera axes, not of unit length: its component along the map's z is 1.
vec3 camera_normal(Triangle t) {
    return mat3(T_camera_grid) * vec3(-along_x(t).x, -along_y(t).x, 1.0);
}

// The triangle across the edge opposite the vertex that `weights` (of corner, x, y) gives least to. Two of its
// vertices are known already. `found` is false at the border of the map and beside unseen vertices.
Triangle neighbour(Triangle t, vec3 weights, out bool found) {
    float least = min(weights.x, min(weights.y, weights.z));
    bool diagonal = weights.x == least;
    bool beside_x = !diagonal && weights.y == least;
    ivec2 step = diagonal ? ivec2(1) : beside_x ? ivec2(0, 1) : ivec2(1, 0);
    ivec2 fresh = diagonal ? ivec2(1) : beside_x ? ivec2(-1, 1) : ivec2(1, -1);
    Triangle n;
    n.side = -t.side;
    n.corner = t.corner + t.side * step;
    ivec2 place = t.corner + t.side * fresh;
    vec4 at_fresh = texelFetch(surface, clamp(place, ivec2(0), grid.xy - 1), 0);
    n.at_corner = diagonal ? at_fresh : beside_x ? t.at_y : t.at_x;
    n.at_x = diagonal ? t.at_y : beside_x ? at_fresh : t.at_corner;
    n.at_y = diagonal ? t.at_x : beside_x ? t.at_corner : at_fresh;
    found = place == clamp(place, ivec2(0), grid.xy - 1) && at_fresh.x < UNSEEN;
    return n;
}
