-- Runs at every `up`, so a password changed in .env is the role's new one.
\getenv superuser_password POSTGRES_PASSWORD
ALTER ROLE postgres PASSWORD :'superuser_password';

\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv metaflow_password METAFLOW_DB_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY['airflow', 'metaflow']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE airflow PASSWORD :'airflow_password';
ALTER ROLE metaflow PASSWORD :'metaflow_password';

SELECT format('CREATE DATABASE %I OWNER %I', name, name)
FROM unnest(ARRAY['airflow', 'metaflow']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec

-- A role sees its own database only.
REVOKE CONNECT ON DATABASE airflow, metaflow, postgres FROM PUBLIC;
