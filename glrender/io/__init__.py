"""Files in and out: recordings, sequences, poses, calibrations; meshes, pictures and reports."""
