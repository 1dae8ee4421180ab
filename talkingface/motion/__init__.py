"""Motions as values: files, windows, edits."""
