// Plane sweep, see include/sweep.glsl: the scores of a pixel's hypotheses, by a compute shader.
//
// A workgroup looks a source up once for each pixel of its tile and of the border around it; windows are summed up from
// what it found, row by row and then down the column. A texel of the reference and of the sources has the intensity,
// UNKNOWN where there is none.

#include "sweep.glsl"

// Pixels along each side of a workgroup.
#ifndef TILE
#define TILE 16
#endif
// Hypotheses of a workgroup.
#ifndef CHUNK
#define CHUNK 8
#endif
#define SIDE (TILE + 2 * RADIUS)
#define THREADS (TILE * TILE)

layout(local_size_x = TILE, local_size_y = TILE) in;

uniform int number;                 // of hypotheses
uniform int first_row;              // of the image: row 0 of `scores`
uniform int last_row;               // one beyond

layout(std430) writeonly buffer Scores {
    float scores[];     // (rows, width, number)
};

const float UNKNOWN = -1e30;        // GLSL promises nothing about NaN

shared vec2 own[SIDE * SIDE];       // of the reference: intensity; 1 where something is looked for, else 0
shared vec2 other[SIDE * SIDE];     // the source there: intensity; 1 where it is known, else 0
shared vec4 line[SIDE * TILE];      // sums over RADIUS to the left and to the right

bool is_inside(ivec2 pixel) {
    return all(greaterThanEqual(pixel, ivec2(0))) && all(lessThan(pixel, textureSize(reference, 0)));
}

// Intensity of a source at homogeneous coordinates, bilinear, and 1; zeros where it does not know it.
vec2 look_up(int source, vec3 place) {
    ivec2 size = textureSize(sources, 0).xy;
    vec2 at = place.xy / place.z;
    if (!(place.z > 0.0 && all(greaterThanEqual(at, vec2(0.0))) && all(lessThanEqual(at, vec2(size - 1))))) {
        return vec2(0.0);
    }
    ivec2 upper = min(ivec2(at), size - 2);
    vec2 part = at - vec2(upper);
    float a = texelFetch(sources, ivec3(upper, source), 0).x;
    float b = texelFetch(sources, ivec3(upper + ivec2(1, 0), source), 0).x;
    float c = texelFetch(sources, ivec3(upper + ivec2(0, 1), source), 0).x;
    float d = texelFetch(sources, ivec3(upper + ivec2(1, 1), source), 0).x;
    bool known = min(min(a, b), min(c, d)) > UNKNOWN;
    return known ? vec2(mix(mix(a, b, part.x), mix(c, d, part.x), part.y), 1.0) : vec2(0.0);
}

// What `line` adds up to over the window of this thread's pixel.
vec4 column() {
    vec4 sum = vec4(0.0);
    for (int i = 0; i <= 2 * RADIUS; ++i) {
        sum += line[(int(gl_LocalInvocationID.y) + i) * TILE + int(gl_LocalInvocationID.x)];
    }
    return sum;
}

void main() {
    ivec2 size = textureSize(reference, 0);
    ivec2 origin = ivec2(gl_WorkGroupID.xy) * TILE + ivec2(0, first_row);
    ivec2 here = origin + ivec2(gl_LocalInvocationID.xy);
    int thread = int(gl_LocalInvocationIndex);
    for (int n = thread; n < SIDE * SIDE; n += THREADS) {
        ivec2 pixel = origin - RADIUS + ivec2(n % SIDE, n / SIDE);
        float intensity = is_inside(pixel) ? texelFetch(reference, pixel, 0).x : UNKNOWN;
        bool wanted = intensity > UNKNOWN && texelFetch(search, pixel, 0).y != 0.0;
        own[n] = wanted ? vec2(intensity, 1.0) : vec2(0.0);
    }
    barrier();
    for (int n = thread; n < SIDE * TILE; n += THREADS) {
        vec4 sum = vec4(0.0);
        for (int j = 0; j <= 2 * RADIUS; ++j) {
            vec2 a = own[n / TILE * SIDE + n % TILE + j];
            sum += vec4(a.x, a.x * a.x, a.y, 0.0);
        }
        line[n] = sum;
    }
    barrier();
    vec4 sums = column();
    ivec2 window = min(here + RADIUS, size - 1) - max(here - RADIUS, ivec2(0)) + 1;
    float pixels = float(window.x * window.y), least = FLAT * pixels;
    float mean = sums.x / pixels, spread = sums.y - sums.x * mean;
    bool comparable = sums.z == pixels && spread > least;

    int first = CHUNK * int(gl_WorkGroupID.z), last = min(first + CHUNK, number);
    for (int k = first; k < last; ++k) {
        float total = 0.0, seen = 0.0;
        for (int s = first_source; s < last_source; ++s) {
            barrier();
            for (int n = thread; n < SIDE * SIDE; n += THREADS) {
                vec2 found = vec2(0.0);
                if (own[n].y > 0.0) {
                    ivec2 pixel = origin - RADIUS + ivec2(n % SIDE, n / SIDE);
                    vec2 far_step = texelFetch(search, pixel, 0).xy;
                    found = look_up(s, H[s] * vec3(vec2(pixel), 1.0) + (far_step.x + float(k) * far_step.y) * e[s]);
                }
                other[n] = found;
            }
            barrier();
            for (int n = thread; n < SIDE * TILE; n += THREADS) {
                vec4 sum = vec4(0.0);
                for (int j = 0; j <= 2 * RADIUS; ++j) {
                    int place = n / TILE * SIDE + n % TILE + j;
                    vec2 b = other[place];
                    sum += vec4(b.x, b.x * b.x, b.x * own[place].x, b.y);
                }
                line[n] = sum;
            }
            barrier();
            vec4 both = column();
            float spread_there = both.y - both.x * both.x / pixels;
            if (comparable && both.w == pixels && spread_there > least) {
                float score = (both.z - mean * both.x) / sqrt(spread * spread_there);
                total += MEAN == 1 ? max(score, 0.0) : score;
                seen += 1.0;
            }
        }
        if (here.x < size.x && here.y < last_row) {
            scores[((here.y - first_row) * size.x + here.x) * number + k] = seen > 0.0 ? total / seen : UNSEEN;
        }
    }
}
