// Provides: has_value(), place_on_scale(), false_color(), to_srgb(), to_linear().
// How values become colours: as glrender/viewer/colors.py has it on the host.

// SCALE is 0 linear, 1 logarithmic, 2 logarithmic on both sides of zero. Options, not uniforms: processors evaluate
// both sides of a condition.

#ifndef SCALE
#define SCALE 0
#endif

uniform sampler2D colormap;     // one row, from low to high, sRGB

// What has no value is 1e30, since OpenGL 3.3 promises nothing about NaN; where it is interpolated with what has one, a
// millionth of that is left at least.
bool has_value(float value) {
    return value < 1e24;
}

// `scale`: values at the low and at the high end; how many times smaller than the latter values turn linear.
float place_on_scale(float value, vec3 scale) {
#if SCALE == 0
    return (value - scale.x) / (scale.y - scale.x);
#elif SCALE == 1
    return log(max(value, 1e-30) / scale.x) / log(scale.y / scale.x);
#else
    return 0.5 + 0.5 * sign(value) * log(1.0 + abs(value) * scale.z / scale.y) / log(1.0 + scale.z);
#endif
}

vec3 false_color(float value, vec3 scale) {
    int entries = textureSize(colormap, 0).x;
    int entry = int(clamp(place_on_scale(value, scale), 0.0, 1.0) * float(entries));
    return texelFetch(colormap, ivec2(min(entry, entries - 1), 0), 0).rgb;
}

vec3 to_srgb(vec3 linear) {
    vec3 c = clamp(linear, 0.0, 1.0);
    return mix(12.92 * c, 1.055 * pow(c, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, c));
}

vec3 to_linear(vec3 srgb) {
    return mix(srgb / 12.92, pow((srgb + 0.055) / 1.055, vec3(2.4)), step(0.04045, srgb));
}
