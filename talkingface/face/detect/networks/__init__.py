"""Networks that find faces and points, without what surrounds them."""
