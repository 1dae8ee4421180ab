"""Enhancement of rendered frames: restoration of faces (`restore`) and super-resolution of the rest (`frames`).

The networks are published ones, built by the optional package spandrel (`networks`).
"""
