"""How fast: how many requests may be in flight, how many may start each second, and when a failed
one is repeated. Nothing here knows HTTP or stores.

    limiter        where requests wait until they may start
    pacer          asked before each request, and informed after it
    learned        what the next run begins with (pure)
    slow_start     how the window opens towards a far server (pure)
    window         how many may be in flight, by goodput (pure)
    throttle       how many may start each second, by refusals
    rate_limit     the growth and the cuts of that rate (pure)
    token_bucket   a rate as waits
    tries          the tries inside one attempt
    backoff        the waits between attempts (pure)
"""
