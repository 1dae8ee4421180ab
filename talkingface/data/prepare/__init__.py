"""Data preparation, from raw videos to a data set: list, download, crop, landmarks, coefficients, LMDB.

Each step is a function of one item (a video, or a clip cut out of it). Inputs and outputs are recorded in a manifest,
so that an interrupted run continues, and a finished one repeats only what has changed.
"""
