"""Sound of files: samples, tracks, channels, buffers."""
