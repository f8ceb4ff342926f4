"""Many frames, one map.

`heightmap` fuses frame by frame, as `options` say: a frame is a `posed_frame`, weighed by its `noise` and `weighting`;
`linearization` makes it equations, `height_memory` and `colors` keep what was said on the patch of a `grid` that it
falls on, `sightings` put right what was seen wrongly first, and `observation` says which cells count. Where photographs
tell heights, `photometry` compares `photographs`, by their `parallax`, `exposure` and `pose_nuisance`, for a
`photograph_memory`.

What frames have wrong as wholes makes sigma: `frame_log` notes what each says, `frame_motion` finds how they disagree,
and `shared_errors` what that makes of the map, with the `displacement` by poses that were estimated. `scatter` is what
of frames' disagreement about single heights sigma may not know. Beside `steps` heights tell frames nothing.

`joint` is the problem of all frames at once, from first values by `seed`; `certainty` makes its result a map.
`calibration` estimates `shared_unknowns`, and `height_offsets`, beside a map. `rehearsal` has everything compiled
before it counts.
"""
