-- Everything that migrations make, one thing a row.
SELECT 'column' AS kind, format('%s.%s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod)) AS thing,
       format('%s %s %s', attnotnull, attidentity, pg_get_expr(adbin, adrelid)) AS definition
FROM pg_attribute JOIN pg_class ON attrelid = pg_class.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace IN ('raglive'::regnamespace, 'public'::regnamespace) AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint', format('%s %s', conrelid::regclass, conname), pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'raglive'::regnamespace
UNION ALL
SELECT 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON indexrelid = pg_class.oid WHERE relnamespace = 'raglive'::regnamespace
UNION ALL
SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid)
FROM pg_proc WHERE pronamespace = 'raglive'::regnamespace
UNION ALL
SELECT 'trigger', tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'view', oid::regclass::text, pg_get_viewdef(oid) || array_to_string(reloptions, ',') || relacl::text
FROM pg_class WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
UNION ALL
SELECT 'security', oid::regclass::text, relrowsecurity::text
FROM pg_class WHERE relkind = 'r' AND relnamespace = 'raglive'::regnamespace
ORDER BY 1, 2, 3
