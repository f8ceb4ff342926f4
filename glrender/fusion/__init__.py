"""Many frames, one map."""
