"""Better frames after they are drawn: faces restored (`restore`), the rest enlarged (`background`).

The networks are those of others and come through the optional package spandrel (`networks`).
"""
