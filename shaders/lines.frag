// Lines in space: faint where the surface hides them.

#include "screen.glsl"

uniform sampler2D picture;      // what is seen, its depth in the channel that depth_channel says; row 0 on top
uniform int depth_channel;
uniform vec2 screen_size;

in vec4 line_color;
layout(location = 0) out vec4 screen;   // sRGB

const float HIDDEN = 0.2;       // of the opacity
const float SLACK = 1.004;      // what lies on the surface is seen

void main() {
    float depth = texelFetch(picture, ivec2(from_top(gl_FragCoord.xy, screen_size.y)), 0)[depth_channel];
    bool hidden = depth > 0.0 && 1.0 / gl_FragCoord.w > SLACK * depth;
    screen = vec4(line_color.rgb, line_color.a * (hidden ? HIDDEN : 1.0));
}
