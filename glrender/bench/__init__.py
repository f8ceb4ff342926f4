"""Time measurements: each stage of ours on one scene, with other differentiable renderers beside it."""
