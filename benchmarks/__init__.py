"""Gas, measured."""
