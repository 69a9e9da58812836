//! The limbeck command line, also as a library to embed.
