"""From buffers and measurements to normal equations.

- **One step after the other, to be read and tested against**: `residuals` compare a frame with what was rendered and
  weigh the differences by the compiled losses of `robust`; `stencil` sums that up, with the help of `lanes`, and `csr`
  does the same by sparse products.
- **In one go, as fusion does it for each frame**: on the host by the loop of `sweep`, which `on_host` runs; on a GPU by
  compute shaders, which `on_gpu` runs, from uploaded `gpu_measurements`. Both give `absolute` equations (in heights and
  colours, not in increments) and `statistics` of the frame, and leave out pixels that are not `usable`.
"""
