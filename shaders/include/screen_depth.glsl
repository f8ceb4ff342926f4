// Provides: screen_depth().

// From 0 at the camera to 1 at infinity: which of several pictures of the same size is nearer at a pixel.
float screen_depth(float metres) {
    return metres / (1.0 + metres);
}
