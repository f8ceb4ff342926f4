"""Many frames, one map.

Fusing frame by frame:

- `heightmap` is the map that grows, as `options` say. A frame is a `posed_frame`, and what it measured is weighed by
  its `noise` and the robust `weighting`; `linearization` makes normal equations of it.
- `height_memory` and `colors` hold the sum of these equations on a `grid`. `observation` says from when on a cell
  counts as observed, and `sightings` put cells right that the first frames saw wrongly.
- `rehearsal` fuses a few made-up frames first, so that compilation is over before it counts.

Heights from photographs: a `photograph_memory` keeps `photographs` until a group of them can be compared, which is
`photometry`: by their `parallax`, with an `exposure` and a `pose_nuisance` for each.

What sigma holds beside the noise of single readings is what frames have wrong as wholes. `frame_log` notes how much
higher each frame sees each block of the map than the others do, `frame_motion` fits a model to that, and
`shared_errors` says what it makes of the map, with the `displacement` by poses that were estimated. `scatter` finds
cells about which frames disagree by more than sigma allows for; beside `steps` frames are not compared.

All frames at once: `joint` is the least-squares problem, `seed` its first values, `certainty` makes its result a map.
`calibration` estimates `shared_unknowns` (the camera, the clock, the depth scale) and `height_offsets` beside a map.
"""
