// The height map to look at: its own colours or false ones, with a light and a wireframe that are no part of the model.

#include "surface.glsl"
#include "false_color.glsl"

uniform int false_colors;   // 0: the map's own colours
uniform vec3 scale;         // of the false ones
uniform vec3 light;         // towards it, map axes, unit length; 0: none
uniform vec3 no_value;      // linear colour of a surface without a value
uniform int wireframe;

in vec3 color;
in vec3 detail;             // slope along x, along y, value
in vec2 place;
layout(location = 0) out vec4 image;    // linear r, g, b, depth in metres

const float AMBIENT = 0.25;

// 1 on an edge, which is about a pixel wide, 0 beside it; fades out where triangles are as small as pixels.
float on_edge() {
    vec3 along = vec3(place, place.x + place.y);
    vec3 width = fwidth(along);
    vec3 distance = (0.5 - abs(fract(along) - 0.5)) / max(width, 1e-9);
    float size = 1.0 / max(width.x, max(width.y, width.z));
    return (1.0 - smoothstep(0.4, 1.2, min(distance.x, min(distance.y, distance.z)))) * clamp(size / 6.0 - 0.3, 0.0, 1.0);
}

void main() {
    vec3 shown = color;
    if (false_colors == 1)
        shown = detail.z < 0.5 * UNSEEN ? to_linear(false_color(detail.z, scale)) : no_value;
    if (light != vec3(0.0))
        shown *= AMBIENT + (1.0 - AMBIENT) * max(dot(normalize(vec3(-detail.xy, 1.0)), light), 0.0) * 1.25;
    if (wireframe == 1)
        shown = mix(shown, vec3(0.01), 0.7 * on_edge());
    image = vec4(shown, 1.0 / gl_FragCoord.w);
}
