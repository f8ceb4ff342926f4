// Puts a picture onto the screen: colours as they are, or values in false colours. The screen's rows run upwards.

#include "false_color.glsl"
#include "screen_depth.glsl"

uniform sampler2D picture;      // row 0 on top
uniform vec4 rectangle;         // left, top, width, height on the screen, pixels
uniform float screen_height;
uniform vec3 scale;
uniform int false_colors;       // 0: r, g, b, depth; 1: value, depth

layout(location = 0) out vec4 screen;   // sRGB

const float UNSEEN = 1e30;

void main() {
    vec2 at = vec2(gl_FragCoord.x, screen_height - gl_FragCoord.y) - rectangle.xy;
    if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, rectangle.zw)))
        discard;
    vec4 pixel = texelFetch(picture, ivec2(at / rectangle.zw * vec2(textureSize(picture, 0))), 0);
    float depth = false_colors == 1 ? pixel.y : pixel.w;
    if (depth == 0.0 || (false_colors == 1 && pixel.x > 0.5 * UNSEEN))
        discard;
    gl_FragDepth = screen_depth(depth);
    screen = vec4(false_colors == 1 ? false_color(pixel.x, scale) : to_srgb(pixel.rgb), 1.0);
}
