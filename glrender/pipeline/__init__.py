"""From a sequence to its outputs, as the command line and a library call use it."""
