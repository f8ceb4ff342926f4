"""Many views of a scene: described by a job, rendered by processes, kept in a folder.

A `job` has `cameras` and `outputs`; `run` takes it to its folder, of which `manifest` and `ledger` know what is done.
A `pool` of `worker` processes, told by `messages`, or a `cluster`, shares the views; in each a `maker` writes what
`scene_renderer` makes, a `rendered_view` at a time; a `video` comes last. `render_batch` does without files, and
`interruption` is Ctrl-C.
"""
