"""benchmarks: what the server costs, measured by the project itself. `make bench`, or `python -m benchmarks --help`."""
