"""StyleHEAT: a StyleGAN2 whose features are warped by a face's motion (Yin et al., ECCV 2022)."""
