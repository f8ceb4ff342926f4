// Plane sweep, see include/sweep.glsl: the scores of a pixel's hypotheses, 4 GROUPS of them a pass.
//
// A texel of the reference, and of the sources, which are filtered linearly, has the intensity, or 0 where it is
// unknown, and then 1 where it is known, else 0.

#include "sweep.glsl"

// Hypotheses a pass, in fours: one attachment each.
#ifndef GROUPS
#define GROUPS 4
#endif

uniform int first_hypothesis;

layout(location = 0) out vec4 scores_0;
#if GROUPS > 1
layout(location = 1) out vec4 scores_1;
#endif
#if GROUPS > 2
layout(location = 2) out vec4 scores_2;
layout(location = 3) out vec4 scores_3;
#endif

// Intensity of a source at homogeneous coordinates; y is 0 where it does not know it.
vec2 look_up(int source, vec3 place) {
    vec2 size = vec2(textureSize(sources, 0).xy);
    vec2 at = place.xy / place.z;
    bool inside = place.z > 0.0 && all(greaterThanEqual(at, vec2(0.0))) && all(lessThanEqual(at, size - 1.0));
    vec2 found = texture(sources, vec3((at + 0.5) / size, float(source))).xy;
    return inside && found.y > 0.999 ? vec2(found.x, 1.0) : vec2(0.0);
}

void main() {
    ivec2 here = ivec2(gl_FragCoord.xy);
    ivec2 size = textureSize(reference, 0);
    vec4 total[GROUPS], seen[GROUPS];
    for (int g = 0; g < GROUPS; ++g) {
        total[g] = seen[g] = vec4(0.0);
    }
    for (int s = first_source; s < last_source; ++s) {
        float pixels = 0.0, known = 0.0, a = 0.0, aa = 0.0;
        vec4 b[GROUPS], bb[GROUPS], ab[GROUPS], samples[GROUPS];
        for (int g = 0; g < GROUPS; ++g) {
            b[g] = bb[g] = ab[g] = samples[g] = vec4(0.0);
        }
        for (int i = -RADIUS; i <= RADIUS; ++i) {
            for (int j = -RADIUS; j <= RADIUS; ++j) {
                ivec2 pixel = here + ivec2(j, i);
                if (any(lessThan(pixel, ivec2(0))) || any(greaterThanEqual(pixel, size))) {
                    continue;
                }
                vec2 own = texelFetch(reference, pixel, 0).xy;
                vec2 far_step = texelFetch(search, pixel, 0).xy;
                pixels += 1.0;
                known += own.y * (far_step.y != 0.0 ? 1.0 : 0.0);
                a += own.x;
                aa += own.x * own.x;
                vec3 infinite = H[s] * vec3(vec2(pixel), 1.0);
                for (int g = 0; g < GROUPS; ++g) {
                    vec4 w = far_step.x + (float(first_hypothesis + 4 * g) + vec4(0.0, 1.0, 2.0, 3.0)) * far_step.y;
                    vec2 s0 = look_up(s, infinite + w.x * e[s]), s1 = look_up(s, infinite + w.y * e[s]);
                    vec2 s2 = look_up(s, infinite + w.z * e[s]), s3 = look_up(s, infinite + w.w * e[s]);
                    vec4 other = vec4(s0.x, s1.x, s2.x, s3.x);
                    samples[g] += vec4(s0.y, s1.y, s2.y, s3.y);
                    b[g] += other;
                    bb[g] += other * other;
                    ab[g] += other * own.x;
                }
            }
        }
        float spread = aa - a * a / pixels, least = FLAT * pixels;
        for (int g = 0; g < GROUPS; ++g) {
            vec4 spreads = bb[g] - b[g] * b[g] / pixels;
            vec4 score = (ab[g] - a * b[g] / pixels) / sqrt(max(spread * spreads, vec4(1e-30)));
            bvec4 whole = equal(samples[g], vec4(pixels));
            bvec4 rough = greaterThan(spreads, vec4(least));
            for (int c = 0; c < 4; ++c) {
                if (whole[c] && rough[c] && known == pixels && spread > least) {
                    total[g][c] += MEAN == 1 ? max(score[c], 0.0) : score[c];
                    seen[g][c] += 1.0;
                }
            }
        }
    }
    for (int g = 0; g < GROUPS; ++g) {
        for (int c = 0; c < 4; ++c) {
            total[g][c] = seen[g][c] > 0.0 ? total[g][c] / seen[g][c] : UNSEEN;
        }
    }
    scores_0 = total[0];
#if GROUPS > 1
    scores_1 = total[1];
#endif
#if GROUPS > 2
    scores_2 = total[2];
    scores_3 = total[3];
#endif
}
