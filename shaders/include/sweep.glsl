// Provides: what sweep.frag and sweep.comp have in common, their options and uniforms, and UNSEEN.
//
// Plane sweep: how well each pixel's window matches the sources at each of the pixel's hypotheses. Hypothesis k of a
// pixel is the inverse depth w = far + k step, with far and step of its own; a source sees the pixel (u, v) at
// H (u, v, 1) + w e, homogeneous. The score is the zero-mean normalised cross-correlation of windows in which each
// pixel is warped by its own hypothesis; UNSEEN where a source does not see all of a window, or where it is flat.

// Pixels of a window to each side of its middle.
#ifndef RADIUS
#define RADIUS 2
#endif
// 1: the mean of the sources that see the window, those below 0 taken as 0; 0: the score of source `first_source`.
#ifndef MEAN
#define MEAN 1
#endif
// Variance of a window, intensity squared, below which nothing can be compared.
#ifndef FLAT
#define FLAT 1e-6
#endif
#ifndef MOST_SOURCES
#define MOST_SOURCES 16
#endif

uniform sampler2D reference;        // intensity; each of the shaders says how an unknown one is marked
uniform sampler2DArray sources;     // as reference
uniform sampler2D search;           // far, step; 1/metres; step 0: nothing is looked for
uniform mat3 H[MOST_SOURCES];       // by source
uniform vec3 e[MOST_SOURCES];
uniform int first_source;
uniform int last_source;            // one beyond

const float UNSEEN = -2.0;
