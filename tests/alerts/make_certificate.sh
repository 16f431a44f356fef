#!/usr/bin/env bash
# make_certificate.sh FOLDER CASE: FOLDER/CASE.pem (chain, leaf first) and FOLDER/CASE.key for the host sink.test, and
# the authority FOLDER/ca.pem where there is none yet.
set -euo pipefail
mkdir -p "$1"; cd "$1"; case=$2

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# sign NAME ISSUER EXTENSIONS [ARGUMENT…]: NAME.crt from NAME.key, by ISSUER (.crt and .key).
sign() {
  local name=$1 issuer=$2 extensions=$3; shift 3
  [ -e "$name.key" ] || key "$name"
  openssl req -new -key "$name.key" -subj "/CN=${subject:-$name}" -out "$name.csr" 2> /dev/null
  printf '%s\n' "$extensions" > "$name.ext"
  openssl x509 -req -in "$name.csr" -CA "$issuer.crt" -CAkey "$issuer.key" -CAcreateserial -days 30 \
    -extfile "$name.ext" -out "$name.crt" "$@" 2> /dev/null
}

# authority NAME: self-signed.
authority() {
  key "$1"
  openssl req -x509 -new -key "$1.key" -subj "/CN=$1 of the tests" -days 30 -out "$1.crt" \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' 2> /dev/null
}

# dated NAME ISSUER EXTENSIONS FROM UNTIL: as sign, with dates of choice (YYYYMMDDHHMMSSZ).
dated() {
  local name=$1 issuer=$2 extensions=$3
  [ -e "$name.key" ] || key "$name"
  openssl req -new -key "$name.key" -subj "/CN=$name" -out "$name.csr" 2> /dev/null
  printf '%s\n' "$extensions" > "$name.ext"
  mkdir -p "db-$name"; : > "db-$name/index"; openssl rand -hex 8 > "db-$name/serial"
  cat > "db-$name/ca.cnf" << CONFIG
[ca]
default_ca = it
[it]
database = db-$name/index
serial = db-$name/serial
new_certs_dir = db-$name
default_md = sha256
policy = any
[any]
commonName = supplied
CONFIG
  openssl ca -batch -notext -config "db-$name/ca.cnf" -cert "$issuer.crt" -keyfile "$issuer.key" -in "$name.csr" \
    -startdate "$4" -enddate "$5" -extfile "$name.ext" -out "$name.crt" 2> /dev/null
}

chain() { cat "$@" > "$case.pem"; }

leaf=$'subjectAltName=DNS:sink.test\nextendedKeyUsage=serverAuth\nbasicConstraints=critical,CA:FALSE'
middle=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
[ -e ca.pem ] || { authority ca; cp ca.crt ca.pem; }

case $case in
  good | good_but_tls_1_1) sign "$case" ca "$leaf"; chain "$case.crt" ;;
  good_by_intermediate) sign middle ca "$middle"; sign "$case" middle "$leaf"; chain "$case.crt" middle.crt ;;
  expired) dated "$case" ca "$leaf" 20200101000000Z 20210101000000Z; chain "$case.crt" ;;
  not_yet_valid) dated "$case" ca "$leaf" 20900101000000Z 20910101000000Z; chain "$case.crt" ;;
  wrong_host) sign "$case" ca "${leaf/sink.test/other.test}"; chain "$case.crt" ;;
  wildcard_too_deep) sign "$case" ca "${leaf/sink.test/*.sink.test}"; chain "$case.crt" ;;
  wrong_address) sign "$case" ca "${leaf/DNS:sink.test/IP:203.0.113.7}"; chain "$case.crt" ;;
  name_only_as_another_kind) sign "$case" ca "${leaf/DNS:sink.test/URI:https:\/\/sink.test}"; chain "$case.crt" ;;
  self_signed)
    key "$case"
    openssl req -x509 -new -key "$case.key" -subj "/CN=sink.test" -days 30 -out "$case.crt" \
      -addext 'subjectAltName=DNS:sink.test' 2> /dev/null
    chain "$case.crt" ;;
  unknown_authority) authority stranger; sign "$case" stranger "$leaf"; chain "$case.crt" stranger.crt ;;
  short_rsa_key)
    openssl genrsa -out "$case.key" 1024 2> /dev/null
    sign "$case" ca "$leaf"; chain "$case.crt" ;;
  sha1_signature) sign "$case" ca "$leaf" -sha1; chain "$case.crt" ;;
  for_clients_only) sign "$case" ca "${leaf/serverAuth/clientAuth}"; chain "$case.crt" ;;
  issued_by_no_authority)
    sign plain ca "$leaf"; sign "$case" plain "$leaf"; chain "$case.crt" plain.crt ;;
  outside_name_constraints)
    sign bound ca "$middle"$'\nnameConstraints=critical,permitted;DNS:inside.test'
    sign "$case" bound "$leaf"; chain "$case.crt" bound.crt ;;
  intermediate_expired)
    dated old ca "$middle" 20200101000000Z 20210101000000Z
    sign "$case" old "$leaf"; chain "$case.crt" old.crt ;;
  *) echo "no case $case" >&2; exit 64 ;;
esac
