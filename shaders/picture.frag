// Puts a picture onto the screen: colours as they are, or values in false colours.

#include "false_color.glsl"
#include "screen.glsl"

#ifndef FALSE_COLORS
#define FALSE_COLORS 0          // 0: the picture has r, g, b, depth; 1: value, depth
#endif

uniform sampler2D picture;      // row 0 on top
uniform vec4 rectangle;         // left, top, width, height on the screen, pixels
uniform float screen_height;
#if FALSE_COLORS
uniform vec3 scale;
#endif

layout(location = 0) out vec4 screen;   // sRGB

void main() {
    vec2 at = from_top(gl_FragCoord.xy, screen_height) - rectangle.xy;
    if (any(lessThan(at, vec2(0.0))) || any(greaterThanEqual(at, rectangle.zw)))
        discard;
    vec4 pixel = texelFetch(picture, ivec2(at / rectangle.zw * vec2(textureSize(picture, 0))), 0);
#if FALSE_COLORS
    if (pixel.y == 0.0 || !has_value(pixel.x))
        discard;
    gl_FragDepth = screen_depth(pixel.y);
    screen = vec4(false_color(pixel.x, scale), 1.0);
#else
    if (pixel.w == 0.0)
        discard;
    gl_FragDepth = screen_depth(pixel.w);
    screen = vec4(to_srgb(pixel.rgb), 1.0);
#endif
}
