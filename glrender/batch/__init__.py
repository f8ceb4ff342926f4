"""Many views of a scene: described by a job, rendered by processes, kept in a folder."""
