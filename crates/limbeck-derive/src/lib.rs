//! Derive macros for Limbeck models.
