-- Roles of the hub, safe to run again. Run as a superuser; then set the passwords:
--   ALTER ROLE hub_owner PASSWORD '...';  ALTER ROLE hub_app PASSWORD '...';
--   CREATE DATABASE hub OWNER hub_owner;
--   REVOKE CONNECT, TEMPORARY ON DATABASE hub FROM PUBLIC;  GRANT CONNECT ON DATABASE hub TO hub_app;
-- hub_owner    owns the schema and runs migrations (`hub migrate`); the running hub never uses it.
-- hub_app      what `hub serve` and `hub worker` connect as: owns nothing, may only INSERT into the log.
-- hub_auditor  may read the log; hub_app reaches it only by an explicit SET ROLE: on a pool of its own for auditors,
--              and where the log's writer looks at the end of a chain.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_owner') THEN
    CREATE ROLE hub_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_auditor') THEN
    CREATE ROLE hub_auditor NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'hub_app') THEN
    CREATE ROLE hub_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT;
  END IF;
END $$;
GRANT hub_auditor TO hub_app;
