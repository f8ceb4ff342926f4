"""Calibrations in, one file a format: each gives the camera, and where it sits on what carries it if the file says."""
