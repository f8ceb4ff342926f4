"""Files in and out: recordings, sequences, poses, calibrations; meshes, pictures and reports.

A `sequence` is what is read for everything else, with its `camera_file`, `trajectory` and `images`; `recordings`,
`poses` and `calibrations` have the formats that `conversion` makes one of. Out go meshes (`ply`), terrain layers
(`layers_npz`, `layers_png`, `geotiff`, `grid_map_bag`), pictures for people (`preview`, `layers_picture`,
`error_picture`) and `report`s; by `files` each appears whole or not at all.
"""
