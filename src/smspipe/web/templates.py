"""Doors to the templates that destinations are made from."""

from typing import Annotated, Any, Final

from litestar import get
from litestar.params import FromPath, FromQuery, QueryParameter

from smspipe.destinations import templates
from smspipe.web.problems import PROBLEMS, AnyRequest, NotFound
from smspipe.web.queries import Page, page, read_words


def _chosen(one_type: str | None, types: str | None, template_id: str | None) -> list[dict[str, Any]]:
    wanted = read_words(types) or read_words(one_type) or ["destination"]
    return [
        template
        for template in templates.TEMPLATES.values()
        if template["type"] in wanted and template_id in (None, template["id"])
    ]


@get("/hog_function_templates", sync_to_thread=False, operation_id="list_templates", responses=PROBLEMS)
def list_templates(
    request: AnyRequest,
    one_type: Annotated[str | None, QueryParameter(name="type")] = None,
    types: FromQuery[str | None] = None,
    template_id: FromQuery[str | None] = None,
) -> Page[dict[str, Any]]:
    """List the templates."""
    found = _chosen(one_type, types, template_id)
    return page(request, found, len(found), limit=100, offset=0)


@get("/hog_function_templates/{template_id:str}", sync_to_thread=False, operation_id="get_template", responses=PROBLEMS)
def get_template(template_id: FromPath[str]) -> dict[str, Any]:
    """Read one template."""
    template = templates.get(template_id)
    if template is None:
        raise NotFound("Not found.")
    return template


@get(
    "/api/public_hog_function_templates", sync_to_thread=False, operation_id="list_public_templates", responses=PROBLEMS
)
def list_public_templates(
    request: AnyRequest,
    one_type: Annotated[str | None, QueryParameter(name="type")] = None,
    types: FromQuery[str | None] = None,
) -> Page[dict[str, Any]]:
    """List the templates, for anyone."""
    found = _chosen(one_type, types, None)
    return page(request, found, len(found), limit=100, offset=0)


HANDLERS: Final = (list_templates, get_template)
PUBLIC: Final = (list_public_templates,)
