"""How a model learns: statistics, heads, encoders, gates, lineage. Knows no Kafka."""
