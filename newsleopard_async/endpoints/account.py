"""帳戶: the balance of an account, and its templates."""

from __future__ import annotations

import functools

import attrs

from newsleopard_async.disclosure import hides_variables
from newsleopard_async.models import Balance, Template
from newsleopard_async.models.codes import check_code
from newsleopard_async.transport.api import Api
from newsleopard_async.transport.repeating import Kind
from newsleopard_async.transport.request import Request, path
from newsleopard_async.transport.wire import later_answers

__all__ = ["Account", "Templates"]


@attrs.frozen
class Account:
    """The account (帳戶)."""

    _api: Api

    @hides_variables
    async def get_balance(self) -> Balance:
        """Return the number of mails that the account can still send (餘額).

        Other programs can send at the same time, so only a submit decides (40012).

        Raises:
            NotOffered: this account or platform has no such endpoint.
        Source: GET /v1/balance; notes 2026
        """
        return await self._api.call(
            Request(
                name="get_balance",
                method="GET",
                path="/v1/balance",
                kind=Kind.READ,
                later=True,
                decode=later_answers.decode_balance,
            )
        )


@attrs.frozen
class Templates:
    """Templates (範本) that were created in the console."""

    _api: Api

    @hides_variables
    async def list_templates(self) -> tuple[Template, ...]:
        """Return the templates; their HTML is possibly missing.

        Raises:
            NotOffered: this account or platform has no such endpoint.
        Source: GET /v1/templates; notes 2026
        """
        return await self._api.call(
            Request(
                name="list_templates",
                method="GET",
                path="/v1/templates",
                kind=Kind.READ,
                later=True,
                decode=later_answers.decode_templates,
            )
        )

    @hides_variables
    async def get_template(self, template_id: str) -> Template:
        """Return a template with its HTML, for `Campaign`.

        Check the campaign with `check_campaign` before you submit it.

        Raises:
            APIError: no template has this id.
            NotOffered: this account or platform has no such endpoint.
            UnexpectedResponse: the answer has no HTML.
        Source: GET /v1/templates/{id}; notes 2026
        """
        check_code("template_id", template_id)
        return await self._api.call(
            Request(
                name="get_template",
                method="GET",
                path=path("/v1/templates/{id}", id=template_id),
                kind=Kind.READ,
                later=True,
                about="the template",
                decode=functools.partial(later_answers.decode_template, requested=template_id),
            )
        )
