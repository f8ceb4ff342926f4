// Finds the bin in which a median lies, after histogram.comp has counted: one workgroup for each kind. Leaves all bins
// at 0.

#include "order.glsl"
#include "median.glsl"

#ifndef ROUND
#define ROUND 0
#endif

layout(local_size_x = 256) in;

const int SHARE = BINS / 256;

shared uint counts[256];
shared uint bins[SHARE];
shared int chosen;
shared uint rank;
shared bool empty;

void main() {
    int kind = int(gl_WorkGroupID.x), place = int(gl_LocalInvocationIndex);
    int first = BINS * kind + SHARE * place;
    uint count = 0u;
    for (int k = 0; k < SHARE; ++k) {
        count += histograms[first + k];
    }
    counts[place] = count;
    barrier();
    if (place == 0) {
        uint total = 0u;
        for (int k = 0; k < 256; ++k) {
            total += counts[k];
        }
        empty = total == 0u;
        rank = ROUND == 0 ? max(total, 1u) - 1u >> 1 : ranks[kind];
        chosen = 0;
        while (chosen < 255 && rank >= counts[chosen]) {
            rank -= counts[chosen];
            ++chosen;
        }
    }
    barrier();
    bins[place] = histograms[BINS * kind + SHARE * chosen + place];
    barrier();
    for (int k = 0; k < SHARE; ++k) {
        histograms[first + k] = 0u;
    }
    if (place == 0) {
        int k = 0;
        while (k < SHARE - 1 && rank >= bins[k]) {
            rank -= bins[k];
            ++k;
        }
        uint bin = uint(SHARE * chosen + k);
#if ROUND == 0
        medians[kind] = empty ? order_of(0.0) : bin << 16;
        ranks[kind] = rank;
#else
        medians[kind] |= empty ? 0u : bin;
#endif
    }
}
