//! The files of a folder as part of the program.

use std::path::{Path, PathBuf};

use proc_macro2::TokenStream;
use quote::quote;
use syn::LitStr;

/// The `.sql` files of `folder`, which is seen from the crate's manifest. Those whose names begin with a dot are passed
/// over, as a revision folder does.
///
/// # Errors
/// At the literal, if the folder cannot be read or a name is no UTF-8.
pub(crate) fn files(folder: &LitStr) -> syn::Result<TokenStream> {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let path = root.unwrap_or_default().join(folder.value());
    let entries = list(&path).map_err(|error| {
        let text = format!(
            "cannot read the folder of revisions {:?}: {error}; it is named from the folder of Cargo.toml",
            folder.value()
        );
        syn::Error::new(folder.span(), text)
    })?;
    let mut files = Vec::new();
    for (name, path) in entries {
        let Some(path) = path.to_str() else {
            let text = format!("the path {} is no UTF-8; rename the file", path.display());
            return Err(syn::Error::new(folder.span(), text));
        };
        files.push(quote! { (#name, ::core::include_str!(#path)) });
    }
    Ok(quote! { &[#(#files),*] })
}

/// Names and paths, sorted by name.
fn list(folder: &Path) -> std::io::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = std::path::absolute(entry.path())?;
        let is_sql = path
            .extension()
            .is_some_and(|it| it.eq_ignore_ascii_case("sql"));
        if is_sql && !name.starts_with('.') && path.is_file() {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}
