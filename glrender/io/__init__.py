"""Files in and out: recordings, sequences, poses, calibrations; meshes, pictures and reports.

- **Sequences** are what is read for everything else: a `sequence`, of a `sequence_folder` with its `camera_file`,
  `trajectory` and `images` (`png_decoder` for most), is asked for its `time_units`, paired by `association`, picked by
  `selection`, and undistorted by `resampling`. `conversion` makes one of what `recordings`, `poses` and `calibrations`
  read, by a `sequence_writer` into a `staged_folder`.
- **Other inputs**: a `surface_model` to judge maps by, `tables` of job files, `remote` ones; `georeference` knows
  places.
- **Outputs**: a `report`; meshes (`ply`), terrain layers (`layers_npz`, `layers_png`, `geotiff`, `grid_map_bag`), and
  pictures for people (`preview`, `layers_picture`, `error_picture`, each a `figure` with `shading`).
- **Bytes**: `color` between sRGB and linear, `png` and `arrays`; by `files` each file appears whole or not at all, and
  `optional` packages are named where they are missing.
"""
