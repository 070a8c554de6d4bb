// A source for targets that only precompile headers.
