"""Novation: perpetuals on a virtual AMM."""

__version__ = "0.1.0"
