"""Classify: resolve companies, run the model once, match the risk rules."""
