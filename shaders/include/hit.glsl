// Provides: Hit, hit(), settle(), barycentric(), color_at(), color_wrt_height().
// Where a pixel's ray meets a triangle, and how depth and colour there change with the vertices.
//
// With the map's upward normal n = (-dh/dx, -dh/dy, 1) and the ray r, both in grid axes, raising
// vertex k by dh moves the depth by b_k m_u dh, m_u = 1 / (n . r), and a colour by b_k w_u dh,
// w_u = (grad C . r) m_u: the hit point slides along the ray over a colour that stays where it is.
// Solving from ray and plane, instead of interpolating, gives every driver the same numbers.

#include "surface.glsl"

struct Hit {
    float depth;        // camera z, metres
    float m_u;          // d depth / d height, before b_k
    vec3 weights;       // barycentrics of corner, x and y
};

// A camera ray in grid axes: multiplying from the left is the transpose, which rotates back.
vec3 grid_ray(vec3 ray_camera) {
    return ray_camera * mat3(T_camera_grid);
}

Hit hit(Triangle t, vec3 r) {
    vec2 slope = vec2(t.at_x.x - t.at_corner.x, t.at_y.x - t.at_corner.x) * (float(t.side) / eye.w);
    vec3 from_corner = eye.xyz - vertex_position(t.corner, t.at_corner.x);
    Hit h;
    h.m_u = 1.0 / (r.z - dot(slope, r.xy));
    h.depth = (dot(slope, from_corner.xy) - from_corner.z) * h.m_u;
    vec2 q = (from_corner.xy + h.depth * r.xy) * (float(t.side) / eye.w);
    h.weights = vec3(1.0 - q.x - q.y, q);
    return h;
}

// Rasterisers snap vertices to a fraction of a pixel (1/256 as a rule), so a pixel close to an edge can be
// given the triangle on the edge's other side. This moves it to where its ray really goes: without it,
// 1 % of the pixels of a map with triangles of two pixels carry another triangle's derivatives.
void settle(inout Triangle t, inout Hit h, vec3 r) {
    float least = min(h.weights.x, min(h.weights.y, h.weights.z));
    if (least < 0.0) {
        bool found;
        Triangle u = neighbour(t, h.weights, found);
        Hit g = hit(u, r);
        if (found && g.m_u < 0.0 && min(g.weights.x, min(g.weights.y, g.weights.z)) > least) {
            t = u;
            h = g;
        }
    }
}

// Weights of the three vertices in the triangle's order.
vec3 barycentric(Triangle t, Hit h) {
    return t.side > 0 ? h.weights : h.weights.zxy;
}

vec3 color_at(Triangle t, Hit h) {
    return t.at_corner.yzw * h.weights.x + t.at_x.yzw * h.weights.y + t.at_y.yzw * h.weights.z;
}

// w_u of each channel.
vec3 color_wrt_height(Triangle t, Hit h, vec3 r) {
    return (along_x(t).yzw * r.x + along_y(t).yzw * r.y) * h.m_u;
}
