"""What every package may know: the words, the states, the errors and the ports. Standard library and `schemas` only."""
