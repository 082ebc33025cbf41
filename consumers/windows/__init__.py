"""The windows role: validates labeled texts and closes windows."""
