"""OpenGL: a context that is owned and passed in, programs from shader files, framebuffers with names.

`context` has the context, by `egl` or the caller's own; `source` puts shaders together, `program` compiles them, and
`log` puts a compiler's messages right; `framebuffer` is what passes draw into, `compute` runs compute shaders. `info`
tells what a machine has, and `equations_path` what of it is used.
"""
