"""A window to look at maps and their derivatives, and to watch a sequence become a map.

`viewer` is the loop, on a `window`; all else knows no window. A `session` takes what `controls` make of keys and mouse,
or `hints` why they do nothing; it holds what `sources` opened (of a sequence `live`, or `live_photographs`, with
`weights`), a `rig` for the camera and a `state`, and has the `painter` paint the `scene`. That shows one of the
`layers`, of a `surface_view`'s buffers, in false `colors`, by `shading` (`host_shading` where the processor draws);
`lines`, and `notes` with the `hud`, go over it onto the `screen`, by `programs`. `picking` finds what was clicked,
`slopes` how steep it is; `recording` keeps pictures and films, and `overlay` has panels.
"""
