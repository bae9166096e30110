#!/bin/sh
# The part of curl that health checks use: curl -fsS URL.
for last; do :; done
exec wget -q -O - "$last"
