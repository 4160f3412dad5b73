.DEFAULT_GOAL := help
PY ?= python3
