-- The rules of contract/cursor.py and contract/digest.py, tested against the same vectors.

CREATE FUNCTION raglive.cursor(epoch text, seq bigint) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN epoch || '.' || lpad(seq::text, 16, '0');

CREATE FUNCTION raglive.roll_digest(previous bytea, event_id uuid, seq bigint) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN sha256(previous || uuid_send(event_id) || int8send(seq));

CREATE FUNCTION raglive.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- RFC 9562, version 7.
CREATE FUNCTION raglive.uuid7() RETURNS uuid
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN encode(
    set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6),
        52, 1), 53, 1),
    'hex')::uuid;

-- Unique to one life of one log; a later life sorts after an earlier one.
CREATE FUNCTION raglive.new_epoch() RETURNS text
LANGUAGE sql VOLATILE PARALLEL SAFE
RETURN lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
       || encode(substring(uuid_send(gen_random_uuid()) FROM 1 FOR 2), 'hex');
