//! What Alembic left: its revision files, read as text, and the SQL that it prints of them.

mod error;
mod file;
mod python;
mod script;

use std::fs;
use std::path::{Path, PathBuf};

pub use error::ImportError;
pub use file::{AlembicFile, Body};
pub use script::{AlembicSql, Completeness};

/// The files of a versions folder that Alembic would load, sorted by name: `*.py` but for `__init__.py` and editors'
/// locks. A folder that holds none itself and has a folder `versions` stands for that one, as `script_location` does.
///
/// # Errors
/// [`ImportError::Read`] and [`ImportError::NoFiles`].
pub fn alembic_files(folder: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let versions = folder.join("versions");
    let named_for_it = folder.join("env.py").is_file() && versions.is_dir();
    let folder = if named_for_it { &versions } else { folder };
    let unreadable = |source| ImportError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_revision = name.ends_with(".py") && !name.starts_with('.') && name != "__init__.py";
        if is_revision && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(ImportError::NoFiles {
            path: folder.to_owned(),
        }),
        false => Ok(files),
    }
}

#[cfg(test)]
mod tests;
