"""The table of what HTTP offers on the services of PACs."""

from certpipe.ingress import services
from certpipe.ingress.route import Answer, Route
from schemas.services import ServiceList, ServiceView

SERVICE_ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/services",
        services.index,
        "List the PACs' services, whether they are used at present, and how many uploads wait (operators)",
        answers=(Answer(200, "All of them", ServiceList),),
        refusals=(403,),
    ),
    Route(
        "POST",
        "/v1/services/{service}/reset",
        services.reset,
        "Use a service again at once, after its account was mended (operators)",
        answers=(Answer(200, "It is used again; what waited for it goes on", ServiceView),),
        refusals=(403, 404),
    ),
)
