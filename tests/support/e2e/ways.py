"""How a test says which row of docs/bypasses.md it shows; tests/bypasses/table.py reads the lines without running them."""

STOPPED, SEEN, DECLARED = 'stopped', 'seen', 'declared'


def row(name, tried, outcome, kernels='host'):
    """For a test: the row's id, what is tried, what becomes of it, and on which kernels that is shown."""
    if outcome not in (STOPPED, SEEN, DECLARED) or not tried or not kernels:
        raise ValueError(name)
    return lambda test: test
