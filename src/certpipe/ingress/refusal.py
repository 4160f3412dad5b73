"""How a handler says no."""

from collections.abc import Mapping

from certpipe.core.problems import Problem


class RefusedError(Exception):
    """The request is refused for these reasons; `headers` go with the answer. The text holds codes only."""

    def __init__(self, *problems: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(", ".join(problem.code for problem in problems))
        self.problems = problems
        self.headers = headers or {}
