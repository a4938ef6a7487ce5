"""The world that the end-to-end tests run coding agents in. Standard library only."""
