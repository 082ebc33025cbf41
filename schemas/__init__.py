"""What travels: the events on the topics, and the one table of topics."""
