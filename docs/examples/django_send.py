"""Send campaigns from Django's synchronous views, in the background.

gunicorn django_send:application --workers 4 --graceful-timeout 70
"""

import atexit
import functools
import json
import logging
import os
import threading
from concurrent.futures import Future

import anyio
from anyio.from_thread import BlockingPortal
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from newsleopard_async import Campaign, InUse, InvalidRequest, NewsLeopard, from_plain, workflows

log = logging.getLogger(__name__)
one_at_a_time = threading.Lock()


def newsleopard() -> tuple[NewsLeopard, BlockingPortal]:
    """Return the client of this process, and the portal to its event loop."""
    with one_at_a_time:
        return started(os.getpid())


@functools.cache
def started(_pid: int) -> tuple[NewsLeopard, BlockingPortal]:
    """Start both in a thread; a child of a fork has another pid, and starts its own."""
    ready: Future[tuple[NewsLeopard, BlockingPortal]] = Future()

    async def live() -> None:
        async with NewsLeopard() as nl, BlockingPortal() as portal:
            ready.set_result((nl, portal))
            await portal.sleep_until_stopped()

    def stop() -> None:
        # Each send ends at its next await; a submit waits for its answer.
        portal.call(portal.stop, True)
        thread.join()

    thread = threading.Thread(target=anyio.run, args=(live,), name="newsleopard", daemon=True)
    thread.start()
    nl, portal = ready.result()
    atexit.register(stop)
    return nl, portal


async def send(nl: NewsLeopard, send_key: str, campaign: Campaign, contacts: bytes) -> None:
    """Send; the outcome is in the store of the client, and an error ends only this send."""
    try:
        await workflows.send_campaign(
            nl, campaign, contacts=contacts, list_name=campaign.name, send_key=send_key
        )
    except InUse:
        log.warning("%s: another request, or another worker, sends it", send_key)
    except Exception:
        log.exception("%s", send_key)


async def state_of(nl: NewsLeopard, send_key: str) -> workflows.RunState | None:
    """Return the state of a send, from any worker."""
    return next(iter(await workflows.runs(nl.store, keys=[send_key])), None)


@csrf_exempt
def campaigns(request: HttpRequest, send_key: str) -> HttpResponse:
    """Start a send, or continue it, with PUT; show its state with GET."""
    nl, portal = newsleopard()
    if request.method == "PUT":
        try:
            order = json.loads(request.body)
            campaign = from_plain(Campaign, order["campaign"])
        except InvalidRequest as error:
            return HttpResponse(str(error), status=422)
        portal.start_task_soon(send, nl, send_key, campaign, order["contacts"].encode())
        return JsonResponse({"send_key": send_key}, status=202)
    state = portal.call(state_of, nl, send_key)
    return JsonResponse(state.to_dict() if state else {}, status=200 if state else 404)


urlpatterns = [path("campaigns/<send_key>", campaigns)]
settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["127.0.0.1", "localhost", "testserver"])
application = get_wsgi_application()
