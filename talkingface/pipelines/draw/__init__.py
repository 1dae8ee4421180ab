"""Drawing of frames and writing of results: render, compose, enhance, go on after a stop."""
