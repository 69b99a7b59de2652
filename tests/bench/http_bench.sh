#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Requests per second and latency of the HTTP process, beside nginx serving a static file of the same
# size in the same run, with the same client. The process is as shipped but for the sandbox; auth is a
# fake that answers at once (tests/agent/http_stage.c), so that what is measured is HTTP and the link.
# The access log of nginx is off. JSON on standard output.
#   http_bench.sh [SECONDS] [CONNECTIONS]
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-5} connections=${2:-16}
stage=build/agent/bench/http_stage
port=18240 nginx_port=18241
dir=$(mktemp -d -t hf-bench-XXXXXX)
cleanup() {
	[[ ! ${stage_in-} ]] || echo quit >&"$stage_in" || true
	[[ ! -e $dir/nginx.pid ]] || kill "$(< "$dir/nginx.pid")" || true
	wait || true
	rm -rf "$dir"
}
trap cleanup EXIT

for program in "$stage" wrk nginx; do
	command -v "$program" > /dev/null || { echo "http_bench: $program is missing" >&2; exit 1; }
done
cat > "$dir/holdfast.yaml" <<END
paths:
  run: $dir
api:
  port: $port
  connections_per_source: 128
  requests_per_minute: 1000000
END
cat > "$dir/done.lua" <<'END'
done = function(summary, latency, requests)
	local errors = summary.errors
	io.write(string.format('RESULT {"requests_per_s":%.0f,"p50_us":%.0f,"p99_us":%.0f,"max_us":%.0f,"bad":%d}\n',
		summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99), latency.max,
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
END

coproc STAGE { "$stage" "$dir/holdfast.yaml" 2> "$dir/stage.log"; }
stage_in=${STAGE[1]}
while read -r line <&"${STAGE[0]}"; do
	[[ $line != ready ]] || break
done
[[ $line == ready ]] || { cat "$dir/stage.log" >&2; exit 1; }

# A file as long as the answer, served by as many workers (one).
mkdir "$dir/www"
curl -sS "http://127.0.0.1:$port/v1/version" -o "$dir/www/version.json"
cat > "$dir/nginx.conf" <<END
worker_processes 1;
pid $dir/nginx.pid;
error_log $dir/error.log;
user $(id -un);
events { worker_connections 1024; }
http {
	access_log off;
	default_type application/json;
	keepalive_requests 1000000;
	server { listen 127.0.0.1:$nginx_port; root $dir/www; }
}
END
nginx -c "$dir/nginx.conf"

load() { # name url header...
	local name=$1 url=$2
	shift 2
	printf '%s' "  \"$name\": "
	wrk -t1 -c"$connections" -d"${seconds}s" -s "$dir/done.lua" "$@" "$url" | sed -n 's/^RESULT //p' | tr -d '\n'
}

auth=(-H 'Authorization: Bearer good-token-0123456789')
echo '{'
echo "  \"connections\": $connections, \"seconds\": $seconds, \"bytes\": $(stat -c %s "$dir/www/version.json"), \"processors\": $(nproc),"
load livez "http://127.0.0.1:$port/livez"
echo ','
load version "http://127.0.0.1:$port/v1/version"
echo ','
load authenticated_get "http://127.0.0.1:$port/v1/arrays/0" "${auth[@]}"
echo ','
load nginx_static "http://127.0.0.1:$nginx_port/version.json"
echo
echo '}'
