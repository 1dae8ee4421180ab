"""Pictures, videos and sound: read as streams, written in one pass. Arrays are RGB uint8; time is an exact fraction."""
