// The height map for the eye: its own colours or false ones, with a light and a wireframe that no model has.
// From the attachments of the compact layout.

#include "view.glsl"
#include "false_color.glsl"
#include "screen.glsl"

#ifndef GREY
#define GREY 0          // 1: the image's red alone
#endif
#ifndef FALSE_COLORS
#define FALSE_COLORS 0  // 0: the map's own colours
#endif
#ifndef LIT
#define LIT 0
#endif
#ifndef WIREFRAME
#define WIREFRAME 0
#endif

uniform sampler2D image;        // r, g, b, depth
uniform usampler2D geometry;    // bits of b1, b2; …; triangle id + 1
uniform sampler2D details;      // one texel a vertex: slope along x, along y, value (see has_value)
#if FALSE_COLORS
uniform vec3 scale;
uniform vec3 no_value;          // linear colour of a surface without a value
#endif
#if LIT
uniform vec3 light;             // towards it, map axes, unit length
uniform float ambient;          // share of the light that comes from everywhere
uniform float diffuse_gain;     // factor on what comes from the light's direction
#endif

layout(location = 0) out vec4 screen;   // sRGB

// 1 on an edge, which is about a pixel wide, 0 beside it; fades out where triangles are as small as pixels.
float on_edge(vec2 place) {
    vec3 along = vec3(place, place.x + place.y);
    vec3 width = max(abs(dFdx(along)), abs(dFdy(along)));
    vec3 distance = (0.5 - abs(fract(along) - 0.5)) / max(width, 1e-9);
    float size = 1.0 / max(width.x, max(width.y, width.z));
    return (1.0 - smoothstep(0.4, 1.2, min(distance.x, min(distance.y, distance.z)))) * clamp(size / 6.0 - 0.3, 0.0, 1.0);
}

void main() {
    ivec2 pixel = ivec2(from_top(gl_FragCoord.xy, float(textureSize(image, 0).y)));
    uvec4 found = texelFetch(geometry, pixel, 0);
    if (found.w == 0u)
        discard;
    int id = int(found.w) - 1;
    int upper = id & 1;
    ivec2 first = divide(id >> 1, textureSize(details, 0).x - 1) + ivec2(upper, 0);
    ivec2 second = first + (upper == 1 ? ivec2(0, 1) : ivec2(1, 0));
    ivec2 third = first + ivec2(-upper, 1);
    float b1 = uintBitsToFloat(found.x), b2 = uintBitsToFloat(found.y), b0 = 1.0 - b1 - b2;
    vec3 detail = b0 * texelFetch(details, first, 0).xyz + b1 * texelFetch(details, second, 0).xyz +
                  b2 * texelFetch(details, third, 0).xyz;

    vec4 color = texelFetch(image, pixel, 0);
    gl_FragDepth = screen_depth(color.w);
#if FALSE_COLORS
    vec3 shown = has_value(detail.z) ? to_linear(false_color(detail.z, scale)) : no_value;
#elif GREY
    vec3 shown = color.rrr;
#else
    vec3 shown = color.rgb;
#endif
#if LIT
    shown *= ambient + (1.0 - ambient) * max(dot(normalize(vec3(-detail.xy, 1.0)), light), 0.0) * diffuse_gain;
#endif
#if WIREFRAME
    shown = mix(shown, vec3(0.01), 0.7 * on_edge(b0 * vec2(first) + b1 * vec2(second) + b2 * vec2(third)));
#endif
    screen = vec4(to_srgb(shown), 1.0);
}
