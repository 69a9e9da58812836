//! What the metadata manages.

use std::collections::BTreeSet;

use limbeck_schema::{Ident, KindTag, Scope};

use crate::error::MetaDataError;
use crate::lower::Lowering;

/// Tables with their parts and enum types: what metadata manages without saying so.
const ALWAYS: &[KindTag] = &[
    KindTag::EnumType,
    KindTag::Table,
    KindTag::Column,
    KindTag::PrimaryKey,
    KindTag::Unique,
    KindTag::Check,
    KindTag::Exclusion,
    KindTag::Index,
    KindTag::ForeignKey,
    KindTag::Comment,
];

impl Lowering<'_> {
    pub(super) fn scope(&self) -> Scope {
        let metadata = self.metadata;
        let mut kinds: BTreeSet<KindTag> = ALWAYS.iter().copied().collect();
        kinds.extend(
            metadata
                .manages
                .iter()
                .filter_map(|it| KindTag::from_name(it)),
        );
        if !metadata.schemas.is_empty() {
            kinds.insert(KindTag::Namespace);
        }
        if !metadata.sequences.is_empty() || kinds.contains(&KindTag::Sequence) {
            kinds.extend([KindTag::Sequence, KindTag::SequenceOwner]);
        }
        Scope {
            kinds: Some(kinds),
            schemas: Some(self.schemas()),
            ignored_tables: metadata.ignore.tables.clone(),
        }
    }

    /// The metadata's own schema and every one that it names. `None` is the connection's default schema.
    fn schemas(&self) -> BTreeSet<Option<Ident>> {
        let metadata = self.metadata;
        let stated = |it: &Ident| Some(it.clone()).filter(|it| it != self.default_schema);
        let mut schemas: BTreeSet<Option<Ident>> = self.named_schemas();
        match &metadata.schema {
            Some(schema) => drop(schemas.insert(stated(schema))),
            None if metadata.leaves_default_schema => {}
            None => drop(schemas.insert(None)),
        }
        schemas.extend(metadata.schemas.iter().map(|it| stated(&it.name)));
        schemas
    }

    /// The schemas of everything declared, as they are resolved.
    pub(super) fn named_schemas(&self) -> BTreeSet<Option<Ident>> {
        let sequences = self
            .metadata
            .sequences
            .iter()
            .map(|it| self.resolve(it.schema.as_ref(), &it.name).schema);
        let mut schemas: BTreeSet<Option<Ident>> = sequences.collect();
        schemas.extend(
            self.tables
                .keys()
                .chain(self.enums.keys())
                .map(|it| it.schema.clone()),
        );
        schemas
    }

    /// Whether every kind in `manages` is one.
    pub(super) fn check_manages(&self) -> Result<(), MetaDataError> {
        let Some(unknown) = self
            .metadata
            .manages
            .iter()
            .find(|it| KindTag::from_name(it).is_none())
        else {
            return Ok(());
        };
        let known: Vec<_> = KindTag::ALL.iter().map(|it| it.name()).collect();
        let problem = format!(
            "`{unknown}` is no kind of object; known are {}",
            known.join(", ")
        );
        Err(MetaDataError::invalid("manages", problem).at(self.metadata.place.as_deref()))
    }
}
