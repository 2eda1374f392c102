"""When a call may be sent: one pace for an account, kept together by the runs of one machine.

Begin with `flowreaper.limiter.limiter`, which gives permits; `flowreaper.limiter.sliding_window` has the arithmetic.
May be imported here: model, errors, events, escaping; no other stage, and nothing of the client and the checkpoint.

In any one second at most ``rate`` calls are sent, retries included, from the first second on. What counts is when a
call's bytes are given to the system, not when its permit was given: a call that is held back would else leave
together with those after it. Full pace is not what every service admits: an even 5/s behind 50 ms of jitter would
have one call in seven throttled by a service that counts a sliding second. So throttling widens the window until
nothing is throttled.

The runs of one machine share one rate, the highest among them, also when one of them is suspended: what it was about
to send asks for a new permit, and no attempt is used up. While they cannot share it, each run that is alive has its
part (of 5 a second, two runs have 3 and 2), after a pause of two seconds; a run without others keeps the whole rate.
Where the system cannot say which runs are alive (macOS), that part is nothing.
"""
