"""Parts of `benchmarks/learning.py`: the streams, the runs and the page."""
