"""From a source and a driving signal to a finished video. Names no model: everything goes through the plug-in."""
