"""From raw videos to a data set: list, download, crop, landmarks, coefficients, LMDB.

Each step is a function of one item (a video, or a clip cut out of it). What it made and from what is written to a
manifest, so that a run that was killed goes on where it was, and a finished one does again only what has changed.
"""
