"""What a role knows of itself: the watchdog over its progress, and the endpoint that tells it."""
