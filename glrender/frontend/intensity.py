"""What photographs are compared by; see `glrender.geometry.intensity`."""

from glrender.geometry.intensity import LUMINANCE, intensity

__all__ = ["LUMINANCE", "intensity"]
