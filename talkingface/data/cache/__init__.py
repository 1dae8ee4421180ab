"""A cache of training clips: compressed frames with their face meshes, mapped to memory, and draws of pairs from it."""
