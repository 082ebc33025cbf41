"""Parts of the benchmark of hot swaps: versions to swap between, and texts that flow meanwhile."""
