//! Modules: crates that bring revisions and models of their own into the program that links them.

use crate::error::MetaDataError;
use crate::model::MetaData;

/// What a crate registers by `limbeck::module!`.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Its name, which is the branch label of its revisions.
    pub name: &'static str,
    /// The folder of its revisions in the sources, an absolute path of the machine that compiled it.
    pub folder: &'static str,
    /// The revision files as they were when it was compiled, by name.
    pub files: &'static [(&'static str, &'static str)],
    /// Its models.
    pub metadata: fn() -> MetaData,
}

inventory::collect!(Module);

impl Module {
    /// The modules of this program, sorted by name.
    ///
    /// A crate that nothing in the program names is not linked; `use that_crate as _;` names it.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        let mut modules: Vec<&Self> = inventory::iter::<Self>.into_iter().collect();
        modules.sort_by_key(|it| (it.name, it.folder));
        modules.into_iter()
    }
}

impl MetaData {
    /// The models of all modules of this program as one.
    ///
    /// # Errors
    /// As [`MetaData::merge`].
    pub fn modules() -> Result<Self, MetaDataError> {
        Self::merge(Module::all().map(|it| {
            let mut metadata = (it.metadata)();
            metadata
                .place
                .get_or_insert_with(|| format!("module {}", it.name));
            metadata
        }))
    }
}
