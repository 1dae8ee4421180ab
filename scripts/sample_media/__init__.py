"""Parts of ``make_sample_media.py``: faces, how they move, and the clips that the repository ships."""
