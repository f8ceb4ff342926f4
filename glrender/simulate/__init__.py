"""Recordings of a ground that is known: terrain, texture, path and noise, rendered into a sequence with its truth."""
