"""`freshet backtest`: labeled files, replayed under several plans, and a table to choose from."""
