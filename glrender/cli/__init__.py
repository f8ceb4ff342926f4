"""The command line: a verb a file, all of them reached by `main`."""
