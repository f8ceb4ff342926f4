"""What `fuse` prints of a report."""

from glrender.cli.fuse_summary import describe_noise


def test_noise_that_neighbours_share_is_told_as_a_standard_deviation() -> None:
    told = "  sigma: neighbouring depths err together: frames scatter by 2.5 times what their noise alone makes\n"
    assert describe_noise(6.25) == told
    assert describe_noise(1.0) == ""
