"""Recordings of a ground that is known: terrain, texture, path and noise, rendered into a sequence with its truth.

`elevation` has heights, `terrain` makes ground of them, with a `texture`; `path` says where the camera goes. All three
are a `scene`, which `recording` writes, spoilt by `noise`.
"""
