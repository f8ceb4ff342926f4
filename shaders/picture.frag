// Puts a picture onto the screen: colours as they are, or values in false colours. The screen's rows run upwards.

#include "false_color.glsl"

uniform sampler2D picture;      // row 0 on top
uniform vec4 rectangle;         // left, top, width, height on the screen, pixels
uniform float screen_height;
uniform vec3 scale;
uniform int false_colors;       // 0: r, g, b, depth; 1: value, depth
uniform vec3 nothing;           // sRGB of what shows nothing

layout(location = 0) out vec4 screen;   // sRGB

const float UNSEEN = 1e30;

void main() {
    vec2 at = vec2(gl_FragCoord.x, screen_height - gl_FragCoord.y) - rectangle.xy;
    screen = vec4(nothing, 1.0);
    if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, rectangle.zw)))
        return;
    vec4 pixel = texelFetch(picture, ivec2(at / rectangle.zw * vec2(textureSize(picture, 0))), 0);
    if (false_colors == 1) {
        if (pixel.x < 0.5 * UNSEEN)
            screen.rgb = false_color(pixel.x, scale);
    } else if (pixel.w != 0.0) {
        screen.rgb = to_srgb(pixel.rgb);
    }
}
