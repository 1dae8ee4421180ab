"""Motions as values: `coefficients` (rows read by name), `file`, `windows`, `retarget`, and `tracks` made by hand."""
