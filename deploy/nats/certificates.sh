#!/bin/sh
# A CA, and a certificate of it for NATS: certificates.sh SERVER-DIR CA-DIR HOST… What is there already stays.
set -eu
umask 077
server=$1 ca=$2
shift 2
if [ -e "$server/certificate.pem" ]; then
  echo "the certificate is there"
  exit
fi
names=$(printf 'DNS:%s,' "$@")
work=$(mktemp -d)
mkdir -p "$server"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 730 -subj "/CN=Countermand CA" \
  -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
  -keyout "$work/ca.key" -out "$work/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj "/CN=$1" \
  -keyout "$server/key.pem" -out "$work/request.pem" 2>/dev/null
printf 'subjectAltName=%sIP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$names" >"$work/extensions"
openssl x509 -req -days 730 -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial \
  -extfile "$work/extensions" -out "$work/certificate.pem" 2>/dev/null
cat "$work/ca.pem" >"$ca/ca.pem"
cat "$work/ca.pem" >"$server/ca.pem"
mv "$work/certificate.pem" "$server/certificate.pem" # Last: it says that all is there.
rm -rf "$work"
echo "made a CA and a certificate for $*"
