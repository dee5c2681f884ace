#!/usr/bin/env bash
# 由 P-256 私钥打印公钥集（JWKS，RFC 7517），kid 为 RFC 7638 指纹。The public JWKS of a P-256 private key.
set -euo pipefail
key=${1:?用法 usage: jwks.sh key.pem > jwks.json}
b64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

point() { openssl pkey -in "$key" -pubout -outform DER | tail -c 64; } # x || y, the end of the DER form
x=$(point | head -c 32 | b64url)
y=$(point | tail -c 32 | b64url)
kid=$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" | openssl dgst -sha256 -binary | b64url)
printf '{"keys":[{"kty":"EC","crv":"P-256","x":"%s","y":"%s","kid":"%s","use":"sig","alg":"ES256"}]}\n' "$x" "$y" "$kid"
