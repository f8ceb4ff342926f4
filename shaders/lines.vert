// Lines in space, as quads whose corners the host has put beside them (glrender/viewer/lines.py).

uniform vec2 screen_size;

in vec3 corner;             // column, row, depth in metres
in vec4 color;              // sRGB, opacity

out vec4 line_color;

void main() {
    vec2 clip = (2.0 * corner.xy + 1.0) / screen_size - 1.0;
    // w is the depth, so that what is interpolated is right in space.
    gl_Position = vec4(clip.x, -clip.y, 0.0, 1.0) * corner.z;
    line_color = color;
}
