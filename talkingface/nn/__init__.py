"""Network blocks and geometry that are independent of any model, of files and of training."""
