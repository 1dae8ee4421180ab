"""StyleGAN2 (Karras et al. 2020, "Analyzing and Improving the Image Quality of StyleGAN"), written from its formulas.

Parameters carry the names of the released PyTorch checkpoints.
"""
