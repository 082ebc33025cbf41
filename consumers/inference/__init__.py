"""The inference role and the follower: serves the newest proven version while it changes."""
