"""Reading of pictures and videos: crops, sources, motion, coefficients."""
