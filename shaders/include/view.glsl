// Provides: the View block, project(), pixel_ray(), divide().
// One frame's camera and grid, written once per frame by glrender/render/view.py.
//
// The grid frame has the map's axes, metres, and its origin at a reference vertex near the camera:
// every number here is small, wherever on Earth the map lies.

layout(std140) uniform View {
    mat4 T_camera_grid;
    vec4 lens;      // fx, fy, cx, cy: pixels; the centre of pixel (column u, row v) is at (u, v)
    vec4 eye;       // xyz: the camera's centre in the grid frame; w: the grid's spacing in metres
    vec4 clip;      // 2 / width, 2 / height, scale and offset that take camera z to clip z
    ivec4 grid;     // columns, rows, column and row of the reference vertex
};

// Clip coordinates of a point in camera axes. Clip y points down like the image's rows, so that row 0
// of a framebuffer is the top row; clip w is camera z.
vec4 project(vec3 X) {
    vec2 pixel = lens.xy * X.xy + (lens.zw + 0.5) * X.z;
    return vec4(pixel * clip.xy - X.z, clip.z * X.z + clip.w, X.z);
}

// The ray r of a pixel in camera axes, r.z = 1: depth D is at the point D r.
vec3 pixel_ray(vec2 fragment) {
    return vec3((fragment - 0.5 - lens.zw) / lens.xy, 1.0);
}

// Column and row of the k-th place in rows of n, k < 2^29. Integer division has no vector instruction on
// processors and took a quarter of the passes on llvmpipe; the float quotient is off by one at most.
ivec2 divide(int k, int n) {
    int row = int(float(k) / float(n));
    int column = k - row * n;
    int step = column < 0 ? -1 : column >= n ? 1 : 0;
    return ivec2(column - step * n, row + step);
}
