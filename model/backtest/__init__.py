"""Replays a labeled stream through the recipes without Kafka, plan beside plan, to choose one."""
