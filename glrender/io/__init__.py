"""Files in and out: recordings, sequences, poses, calibrations; meshes, pictures and reports.

- **Sequences** are what everything else reads. A `sequence_folder` is opened as a `sequence`: its `camera_file`,
  `trajectory` and `images` (most of them by the `png_decoder`). Times count in one of the `time_units`, and are paired
  by `association`; a `selection` picks frames, and `resampling` undistorts them.
- **Conversion**: `recordings`, `poses` and `calibrations` each have a package of formats; `conversion` makes a sequence
  of them, by a `sequence_writer` into a `staged_folder`.
- **Other inputs**: a `surface_model` to judge maps by; `tables` of job files; `remote` files; `georeference` knows
  reference systems and where the pixels of a raster lie.
- **Outputs**: a `report`; meshes (`ply`); terrain layers (`layers_npz`, `layers_png`, `geotiff`, `grid_map_bag`);
  pictures for people (`preview`, `layers_picture`, `error_picture`), each a `figure`, with `shading`.
- **Bytes**: `color` goes between sRGB and linear; `png` and `arrays` encode. `files` sees to it that each file appears
  whole or not at all, and `optional` names packages that are missing.
"""
