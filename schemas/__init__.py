"""The contracts that we own: what crosses a wire, frozen, importing nothing of ours."""
