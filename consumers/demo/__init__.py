"""Shows the whole loop in one command: every role as a process, a stream, and what came of it."""
