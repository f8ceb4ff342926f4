"""From buffers and measurements to normal equations.

`residuals` compares a frame with what was rendered, and weighs it by the compiled losses of `robust`; `stencil` sums
that up, four numbers at a time by `lanes`, and `csr` does the same by sparse products, to be read. What fusion runs for
each frame goes from a pose to the sums without anything between: `on_host` by the loop of `sweep`, `on_gpu` by compute
shaders from `gpu_measurements`. Both give `absolute` equations and `statistics`, and leave out pixels that are not
`usable`.
"""
