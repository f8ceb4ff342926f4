"""Recordings of a ground that is known: terrain, texture, path and noise, rendered into a sequence with its truth.

`elevation` reads heights, of which `terrain` makes ground, and `texture` says how that looks; `path` says where the
camera goes. Together they are a `scene`, which `recording` writes as a sequence, with the errors that `noise` adds.
"""
