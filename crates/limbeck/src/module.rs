//! `module!`, by which a crate brings its revisions and models along.

/// Registers a crate's revisions and models for every program that links it.
///
/// ```ignore
/// limbeck::module! {
///     name: "accounts",
///     revisions: "revisions",
///     metadata: limbeck::MetaData::new().model::<Account>().model::<Role>(),
/// }
/// ```
///
/// `name` is the branch label of the module's revisions: new ones of that branch go into its folder. `revisions` is the
/// folder, seen from the crate's `Cargo.toml`. Its `.sql` files are compiled in; where the folder itself is there at run
/// time, as on a developer's machine, it is read instead, so that a new revision needs no new build. `metadata` is an
/// expression of the type [`MetaData`](crate::MetaData).
///
/// The program calls `limbeck::cli::run_modules()` and names each such crate, or it is not linked:
///
/// ```ignore
/// use accounts as _;
/// use records as _;
///
/// fn main() -> std::process::ExitCode {
///     limbeck::cli::run_modules()
/// }
/// ```
///
/// Cargo does not see files that are added to a folder. A build script with `cargo::rerun-if-changed=revisions` makes it
/// compile them in.
#[macro_export]
macro_rules! module {
    (name: $name:expr, revisions: $revisions:literal, metadata: $metadata:expr $(,)?) => {
        $crate::__private::inventory::submit! {
            $crate::Module {
                name: $name,
                folder: ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/", $revisions),
                files: $crate::__private::revision_files!($revisions),
                metadata: || $metadata,
            }
        }
    };
}
