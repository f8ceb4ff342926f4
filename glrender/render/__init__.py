"""Rendering passes: image, depth and their derivatives, and a float64 twin of each.

`forward` and `derivatives` have the two renderers; what they have in common is in `renderer`. The derivative pass
returns `buffers`, of which `jacobians` makes sparse matrices; `layouts` says what each attachment holds. On the GPU,
both renderers draw a `surface` from a `view` by means of `passes`. On the host, `scan` finds the triangle that each
pixel sees, and `on_host` evaluates the pixel by its ray (`ray`) and the triangle's `planes`; both work on several
numbers at a time by means of `lanes`. `reference` is the twin.
"""
