"""When and where: Faust agents, Kafka clients, processes and settings around `model`."""
