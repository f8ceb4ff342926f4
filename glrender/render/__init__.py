"""Rendering passes: image, depth and their derivatives, and a float64 twin of each."""
