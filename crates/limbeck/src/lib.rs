//! Schema migrations for PostgreSQL: models in, reviewed and proven revisions out.
