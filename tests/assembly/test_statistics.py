"""What a frame's depths are like beside the map."""

import numpy as np

from glrender.assembly.statistics import median_of


def test_the_median_is_numpys() -> None:
    random = np.random.default_rng(7)
    for count in [*range(1, 20), 1000, 1001]:
        values = random.normal(size=count).astype(np.float32)
        assert median_of(values) == np.median(values)
    assert median_of(np.array([2, 2, 2, 1], np.float32)) == 2
