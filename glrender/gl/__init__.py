"""OpenGL: a context that is owned and passed in, programs from shader files, framebuffers with names."""
