#!/bin/sh
# Deletes the flows of flows.txt at night from cron, which mails what this prints: only what a person must see.
#
#     0 22 * * *  /srv/flows/cron.sh
#
# Its folder holds flows.txt, the checkpoint, the log, and the file `credentials` (mode 0600): two `export` lines with
# the access key.
set -eu
cd -- "$(dirname -- "$0")"
PATH=$PATH:/usr/local/bin:${HOME:-}/.local/bin # cron's own is short
. ./credentials

date >>flowreaper.log
status=0
flowreaper delete --yes --stop-at 06:00 flows.txt 2>>flowreaper.log || status=$?

case $status in
0) ;;         # all is done
4) ;;         # the night is over; the next one goes on
75) ;;        # the run before is still on; it needs no lock from here
130 | 143) ;; # the machine went down; the next night goes on
1 | 2 | 3 | *)
    echo "flowreaper ended with status $status. The end of $PWD/flowreaper.log:"
    tail -n 40 flowreaper.log
    ;;
esac
exit "$status"
