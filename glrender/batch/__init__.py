"""Many views of a scene: described by a job, rendered by processes, kept in a folder.

A `job` has `cameras` and `outputs`; `run` renders it into its folder. There, the `manifest` says which files are whole;
the `ledger` keeps account of a run's views. They are shared among a `pool` of `worker` processes, which are told what
to do by `messages`, or among the workers of a `cluster`. In each of them a `maker` has the `scene_renderer` make one
`rendered_view` after the other, and writes its files; a `video` is made when all are there. `render_batch` renders in
this process, without files. `interruption` is about Ctrl-C.
"""
