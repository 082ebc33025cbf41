"""The training role: gives waiting windows to a warm worker and publishes what it proved."""
