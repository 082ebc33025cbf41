"""The same backbone and the same windows under Avalanche's strategies, in an environment apart."""
