"""SadTalker: one picture and a voice (Zhang et al., CVPR 2023)."""
