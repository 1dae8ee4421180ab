"""Motions as values: files (`file`), windows of frames (`windows`), edits (`edits`)."""
