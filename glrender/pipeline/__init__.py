"""From a sequence to its outputs, as the command line and a library call use it.

- **Maps by depth images**: `fuse` takes them frame by frame. `refined_depth` refines their poses first, by photographs,
  and takes a `depth_verdict` on them; `tracked_depth` needs no poses. `fit` takes all frames jointly: `fit_input` reads
  them, and a `descent` goes down their cost.
- **Maps by photographs alone**: `photographs` with given poses, `tracked_photographs` without. Both make them by
  `keyframe_fusion`, of the `keyframes` that are given a depth.
- **Tracking**: a `pursuit` goes through the photographs, `following` the camera, and a `tracking_report` says what
  became of each; in the end there is a `refined_track`. A live camera has a `rehearsal` first, and is then followed
  `beside`, by a process of its own, while `live_fusion` makes the map.
- **Refining given poses**: `refined_start`, in `refinement_turns` with the `shutter` and the `turning_clock`.
- **Where, when and by which camera**: `chosen_frames` have a camera, by `calibrate`, and a clock, by `time_offset`;
  `depth_points` tell the latter, and depths and poses that are `misread`. The map has a `placement`; photographs tell
  the `ground`, and which way is `upright`.
- **In and out**: `posed_frames` are kept in memory, others `read_ahead` one by one; `outputs` are written. A job's
  objects are a `scene`.
- **Judging**: `evaluate`, `relief` and `trajectory_error`, in the terms of `error_summary`.
"""
