"""One runnable file per question: how fast, how well it learns."""
