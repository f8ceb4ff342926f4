"""Files in and out: sequences of photographs and depth images, trajectories, meshes, pictures and reports."""
