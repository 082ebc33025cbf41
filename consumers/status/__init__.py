"""`freshet status`: what goes on, from topics, consumer groups and the store; asks no role."""
