// Provides: the histograms and medians of a frame's residuals, on which histogram.comp and select.comp work.
// Compute shaders only.

const int KINDS = 3;        // of depth residuals: their size over sigma, themselves [m], their size [m]
const int BINS = 65536;

layout(std430) buffer Histograms {
    uint histograms[];      // BINS of each kind; all 0 between two frames
};

layout(std430) buffer Medians {
    uint medians[KINDS];    // as order.glsl has them; the lower of the two in the middle
    uint ranks[KINDS];      // how many smaller values share the upper 16 bits of the median
};
