"""A window to look at maps and their derivatives, and to watch a sequence become a map."""
