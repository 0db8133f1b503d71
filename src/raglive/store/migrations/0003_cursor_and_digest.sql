-- Cursors and digests, by the rules of `raglive_contract.cursor` and `raglive_contract.digest`, and tested with the same vectors;
-- ids and times as events carry them.

CREATE FUNCTION raglive.cursor(epoch text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN epoch || '.' || lpad(seq::text, 16, '0');

CREATE FUNCTION raglive.roll_digest(previous bytea, event_id uuid, seq bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256(previous || uuid_send(event_id) || int8send(seq));

CREATE FUNCTION raglive.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- Returns a UUID of version 7 (RFC 9562): its first bits are the time.
CREATE FUNCTION raglive.uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
        52, 1), 53, 1),
    'hex')::uuid;

-- Returns a name for a new log: unique, and sorted after the name of any log made earlier.
CREATE FUNCTION raglive.new_epoch() RETURNS text
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
       || encode(substring(uuid_send(gen_random_uuid()) FROM 1 FOR 2), 'hex');

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
