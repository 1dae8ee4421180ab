"""Measured speed and memory. Each file is a command: ``python -m benchmarks.<name>`` from the clone."""
