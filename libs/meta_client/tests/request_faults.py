"""What can happen to a request, and to the answer, on the way to a service: a server's reply, by the service behind it."""

from http_servers import HANG_UP, Reply


def done_but_not_answered(inner, request):
    inner.reply_to(request)
    return HANG_UP


def not_even_done(inner, request):
    return HANG_UP


def done_but_refused(inner, request):
    inner.reply_to(request)
    return Reply(503)


def failed(inner, request):
    return Reply(500, body={"message": "disk full"})
