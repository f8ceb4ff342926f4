"""Rendering passes: image, depth and their derivatives, and a float64 twin of each.

`forward` and `derivatives` have the two renderers, each a `renderer`. What the latter returns is in `buffers`, with the
Jacobians of `jacobians`; `layouts` says what each attachment holds. On the GPU both draw a `surface` from a `view` by
`passes`; on the host `scan` finds the triangle that each pixel sees, and `on_host` evaluates it by the rays of `ray`
and the `planes` of a triangle, both with some numbers at a time by `lanes`. `reference` is the twin.
"""
