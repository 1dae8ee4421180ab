"""Network blocks and geometry that know nothing of any model, of files or of training."""
