"""Poses in, one file a format: each gives the poses by time, or those of single images."""
