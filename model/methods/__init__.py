"""What a refresh trains on and towards: one method, one file."""
