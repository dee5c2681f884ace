#!/usr/bin/env bash
# 用 openssl 与 curl 领取访问令牌（private_key_jwt，ES256），打印令牌。An access token with openssl and curl alone.
set -euo pipefail
usage='用法 usage: token.sh https://hub.example client-id key.pem [scope]'
hub=${1:?$usage} client=${2:?$usage} key=${3:?$usage} scope=${4:-}
b64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

raw() { # DER (SEQUENCE of two INTEGERs) to r || s, 32 bytes each (RFC 7518 section 3.4)
  openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' | while read -r n; do
    n=$(printf '%64s' "$n" | tr ' ' 0)
    printf '%b' "$(sed 's/../\\x&/g' <<<"$n")"
  done
}

kid=$("$(dirname "$0")/jwks.sh" "$key" | sed 's/.*"kid":"\([^"]*\)".*/\1/')
now=$(date +%s)
header=$(printf '{"alg":"ES256","typ":"JWT","kid":"%s"}' "$kid" | b64url)
claims=$(printf '{"iss":"%s","sub":"%s","aud":"%s","iat":%d,"exp":%d,"jti":"%s"}' \
  "$client" "$client" "$hub" "$now" $((now + 60)) "$(openssl rand -hex 16)" | b64url)
signature=$(printf '%s.%s' "$header" "$claims" | openssl dgst -sha256 -sign "$key" | raw | b64url)

answer=$(curl -sS "$hub/oauth/token" \
  --data-urlencode grant_type=client_credentials \
  --data-urlencode client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer \
  --data-urlencode client_assertion="$header.$claims.$signature" \
  --data-urlencode scope="$scope")
token=$(sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p' <<<"$answer")
[ -n "$token" ] || { printf '%s\n' "$answer" >&2; exit 1; }
printf '%s\n' "$token"
