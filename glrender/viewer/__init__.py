"""A window to look at maps and their derivatives, and to watch a sequence become a map.

`viewer` is the loop: it takes events from a `window` and shows pictures in it; nothing else knows of windows. A
`session` is what a person does. `controls` makes commands of keys and mouse, and `hints` says why one does nothing.
`sources` opens what is looked at, of which sequences become maps by `live` or `live_photographs`, as `weights` say.
`rig` is the free camera, and `state` everything that can be chosen about a view.

The `painter` paints a `scene` onto the `screen`. It shows one of the `layers`, made from the buffers of a
`surface_view`, in its own or false `colors`, by `shading` (by `host_shading` where the processor draws). Over that it
draws `lines` in space, and `notes`, which the `hud` arranges. `programs` has the shaders that cover the screen.
`picking` finds what was clicked, and `slopes` how steep a map is; `recording` writes pictures and films; `overlay` has
the panels.
"""
