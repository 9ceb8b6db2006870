#!/bin/sh
# Device libraries use nothing of the network: no undefined symbol of their objects is a call that opens, names or feeds a socket.
# Usage: check_network.sh FILE... (archives or objects)
set -eu
[ $# -gt 0 ] || { echo "check_network.sh: no files" >&2; exit 1; }
found=$(nm -A -u "$@" 2>/dev/null | grep -E ' U (socket|connect|accept4?|bind|listen|send(to|msg)?|recv(from|msg)?|getaddrinfo|gethostby[a-z_]*|getnameinfo|inet_[a-z]+|curl_[a-z_]*|SSL_[A-Za-z_]*)(@.*)?$' || true)
[ -z "$found" ] || { echo "the network in a device library:"; echo "$found"; exit 1; }
