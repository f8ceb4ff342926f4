// Provides: from_top(), screen_depth(). Of the viewer's screen.

// Column and row of a fragment, counted downwards as the rows of pictures are: those of the screen run upwards.
vec2 from_top(vec2 fragment, float screen_height) {
    return vec2(fragment.x, screen_height - fragment.y);
}

// From 0 at the camera to 1 at infinity: which of several pictures of the same size is nearer at a pixel.
float screen_depth(float metres) {
    return metres / (1.0 + metres);
}
