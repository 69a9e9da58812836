//! What the metadata manages.

use std::collections::BTreeSet;

use limbeck_schema::{Ident, KindTag, Scope};

use crate::error::MetaDataError;
use crate::lower::Lowering;
use crate::model;

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
        let declared = [
            (KindTag::Sequence, !metadata.sequences.is_empty()),
            (KindTag::Domain, !metadata.domains.is_empty()),
            (KindTag::CompositeType, !metadata.composite_types.is_empty()),
            (KindTag::Range, !metadata.ranges.is_empty()),
            (KindTag::Collation, !metadata.collations.is_empty()),
        ];
        kinds.extend(
            declared
                .into_iter()
                .filter_map(|(kind, is_declared)| is_declared.then_some(kind)),
        );
        for (whole, part) in [
            (KindTag::Sequence, KindTag::SequenceOwner),
            (KindTag::Domain, KindTag::DomainCheck),
        ] {
            if kinds.contains(&whole) {
                kinds.insert(part);
            }
        }
        Scope {
            kinds: Some(kinds),
            schemas: Some(self.schemas()),
            ignored_tables: metadata.ignore.tables.clone(),
            ignored: BTreeSet::new(),
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
        let model::MetaData {
            sequences,
            collations,
            ..
        } = self.metadata;
        let sequences = sequences
            .iter()
            .map(|it| self.resolve(it.schema.as_ref(), &it.name).schema);
        let collations = collations
            .iter()
            .map(|it| self.resolve(it.schema.as_ref(), &it.name).schema);
        let named = self.tables.keys().chain(self.enums.keys());
        let named = named.chain(&self.declared_types);
        // What is named like something of `pg_catalog` has its schema said, be it the default one.
        let stated = |it: Option<Ident>| it.filter(|it| it != self.default_schema);
        let all = named.map(|it| it.schema.clone());
        sequences.chain(collations).chain(all).map(stated).collect()
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
