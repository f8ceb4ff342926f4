// Lays text, bars and panels over the screen.

#include "screen.glsl"

uniform sampler2D notes;        // sRGB, times opacity; opacity; row 0 on top

layout(location = 0) out vec4 screen;

void main() {
    screen = texelFetch(notes, ivec2(from_top(gl_FragCoord.xy, float(textureSize(notes, 0).y))), 0);
}
