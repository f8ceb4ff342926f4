"""Recordings in, one file a format: each gives its pictures one by one, with their times."""
