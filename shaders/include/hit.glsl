// Provides: Hit, hit(), settle().
// Where a pixel's ray meets a triangle, and how depth and colour there change with the vertices.
//
// With the map's upward normal n = (-dh/dx, -dh/dy, 1) and the ray r, both in grid axes, raising
// vertex k by dh moves the depth by b_k m_u dh, m_u = 1 / (n . r), and a colour by b_k w_u dh,
// w_u = (grad C . r) m_u: the hit point slides along the ray over a colour that stays where it is.
// Solving from ray and plane, instead of interpolating, gives every driver the same numbers.

#include "surface.glsl"

struct Hit {
    float depth;        // camera z, metres
    vec3 b;             // barycentrics of the three vertices
    float m_u;          // d depth / d height, before b_k
    vec3 w_u;           // d colour / d height per channel, before b_k
    vec3 color;
};

Hit hit(Triangle t, vec3 ray_camera) {
    vec3 r = ray_camera * mat3(T_camera_grid);  // the transpose rotates back: camera to grid axes
    vec3 from_corner = eye.xyz - t.corner;
    Hit h;
    h.m_u = 1.0 / (r.z - dot(t.slope, r.xy));
    h.depth = (dot(t.slope, from_corner.xy) - from_corner.z) * h.m_u;
    // Grid coordinates from the corner towards the other two vertices, in units of the spacing.
    vec2 q = t.side * (from_corner.xy + h.depth * r.xy) / eye.w;
    float rest = 1.0 - q.x - q.y;
    // Lower half: corner, +x, +y. Other half: the vertex at -y, the corner, the vertex at -x.
    h.b = t.side > 0.0 ? vec3(rest, q.x, q.y) : vec3(q.y, rest, q.x);
    h.w_u = (r.xy * t.color_slope) * h.m_u;
    h.color = t.color[0] * h.b.x + t.color[1] * h.b.y + t.color[2] * h.b.z;
    return h;
}

// Rasterisers snap vertices to a fraction of a pixel (1/256 as a rule), so a pixel close to an edge can be
// given the triangle on the edge's other side. This moves it to where its ray really goes: without it,
// 1 % of the pixels of a map with triangles of two pixels carry another triangle's derivatives.
void settle(inout int id, inout Triangle t, inout Hit h, vec3 ray) {
    float least = min(h.b.x, min(h.b.y, h.b.z));
    if (least >= 0.0) {
        return;
    }
    int other = neighbour(id, least == h.b.x ? 0 : least == h.b.y ? 1 : 2);
    if (other < 0) {
        return;
    }
    Triangle u = fetch_triangle(other);
    Hit g = hit(u, ray);
    if (u.seen && g.m_u < 0.0 && min(g.b.x, min(g.b.y, g.b.z)) > least) {
        id = other;
        t = u;
        h = g;
    }
}
