"""From a sequence to its outputs, as the command line and a library call use it.

- **Depth images**: `fuse` frame by frame; `refined_depth` refines poses before (`depth_verdict` judges them), and
  `tracked_depth` does without any. `fit` for all frames jointly: `fit_input`, then `descent`.
- **Photographs alone**: `photographs` with poses, `tracked_photographs` without: a `pursuit` of the camera, that is
  `following` it, with a `tracking_report`, and `refined_track`, or `live_fusion` with the pursuit `beside`, both after
  a `rehearsal`.
  `keyframe_fusion` makes maps of both, of the `keyframes` that are given a depth.
- **Where, when and by which camera**: `chosen_frames`, with `calibrate` and `time_offset`; depths and
  poses that are `misread`, by `depth_points` as well; `placement` of the map, `ground` and `upright` of photographs;
  `refined_start` of given poses, in `refinement_turns` with `shutter` and `turning_clock`.
- **In and out**: `posed_frames` in memory, `read_ahead` one by one; `outputs`. A job's objects are a `scene`.
- **Judging**: `evaluate`, `relief` and `trajectory_error`, in the terms of `error_summary`.
"""
